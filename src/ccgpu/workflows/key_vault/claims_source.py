"""The claims that a policy is written for, or judged by: of a VM's evidence, or of a token.

Those of evidence are what we expect Microsoft's service to state of a VM that a verdict has
accepted; nobody has signed them as claims.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ccgpu.attest import strict_json
from ccgpu.attest.check import Malformed
from ccgpu.attest.reported_vm import reported_vm
from ccgpu.attest.tokens import issuers, jws
from ccgpu.attest.tokens.jws import Jws
from ccgpu.azure.context import AzureContext
from ccgpu.domain.desired import Names
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.release_claims import TokenKind, expected_claims
from ccgpu.domain.resource import Body, ResourceId, group_of, location
from ccgpu.domain.vm_view import properties
from ccgpu.errors import EvidenceRejected, InvalidFile, Problem, UsageProblem
from ccgpu.workflows.attestation_records import accepted_evidence
from ccgpu.workflows.verify import VerifyRequest, verify


@dataclass(frozen=True, slots=True)
class ClaimsOfToken:
    """Claims, the authority that states them, and where they are from, in words.

    complete: whether they are all claims of a token. token: the token, if there is one.
    """

    claims: Mapping[str, object]
    authority: str
    origin: str
    complete: bool
    token: Jws | None = None


@dataclass(frozen=True, slots=True)
class WantedToken:
    """Whose token is meant. authority: None for the shared provider of the VM's region."""

    kind: TokenKind = TokenKind.GUEST
    authority: str | None = None
    region: str | None = None


def claims_of_deployment(
    cloud: AzureContext, name: str, vm: Body, wanted: WantedToken
) -> ClaimsOfToken:
    """The claims expected of a deployment's VM: of its last accepted evidence, in its region.

    Raises:
        EvidenceRejected: it is not attested, or its verdict does not count any more.
        UsageProblem: its region has no provider that we know.
    """
    names = Names(cloud.subscription, group_of(ResourceId(vm["id"])), name)
    accepted = accepted_evidence(cloud, names, properties(vm).get("vmId"))
    if accepted is None:
        raise EvidenceRejected(
            f"{name} is not attested, or its verdict does not count any more: nothing is known "
            "that a release policy could ask for",
            hint=f"`ccgpu attest {name}`",
        )
    record, evidence = accepted
    authority = _authority(wanted, location(vm["location"]))
    origin = f"expected of {name}, by its evidence of {record.at}"
    return _expected(evidence, wanted.kind, authority, origin)


def claims_of_bundle(
    path: Path, wanted: WantedToken, state: Path, now: float, *, simulated: bool
) -> ClaimsOfToken:
    """The claims expected of the VM whose evidence is in a file; it is verified first.

    Raises:
        EvidenceRejected, EvidenceUnavailable: it is not accepted by the policy `default`.
    """
    authority = _authority(wanted, None)
    at = datetime.fromtimestamp(now, UTC)
    request = VerifyRequest(path, at, simulated_time=True, simulated=simulated)
    result = verify(request, state)
    roots = result.evidence.simulated_roots
    result.appraisal.require(str(path), says_simulated=roots is not None)
    return _expected(result.evidence, wanted.kind, authority, f"expected by the evidence in {path}")


@dataclass(frozen=True, slots=True)
class GivenFile:
    """What the user gave: the name of a file, or `standard input`, and its bytes."""

    name: str
    raw: bytes


def claims_of_file(given: GivenFile, authority: str | None = None) -> ClaimsOfToken:
    """The claims in a file: a token of Microsoft's service, or its claims as JSON.

    authority: who states them; None for the issuer that they name.

    Raises:
        InvalidFile: it is neither.
    """
    raw = given.raw.strip()
    try:
        token = None if raw.startswith(b"{") else jws.parse(raw, "MAA")
        claims = strict_json.load(raw, jws.SIZE_LIMIT) if token is None else token.claims
    except Malformed as err:
        what = f"is no token, and no claims in JSON: {err.rule.what}: {err.actual}"
        raise InvalidFile(given.name, [Problem("", what)]) from err
    issuer = claims.get("iss")
    chosen = authority or (issuer if isinstance(issuer, str) else "")
    return ClaimsOfToken(claims, chosen, f"in {given.name}", complete=True, token=token)


def require_provider(name: str, source: ClaimsOfToken) -> ClaimsOfToken:
    """The claims, unless no attestation service of Microsoft's states them; then `InvalidFile`."""
    if not is_provider(source.authority):
        message = "is not an attestation service of Microsoft's: https://….attest.azure.net or .us"
        raise InvalidFile(name, [Problem("iss", message)], hint="or give `--authority URL`")
    return source


def check_authority(text: str) -> str:
    """The address of an attestation provider of Microsoft's; `ValueError` for any other."""
    address = text.strip().removesuffix("/")
    if not is_provider(address):
        raise ValueError("is no attestation provider of Microsoft's: https://….attest.azure.net")
    return address


def is_provider(address: str) -> bool:
    """Whether this is the address of an attestation service of Microsoft's."""
    return address != issuers.NRAS_ISSUER and issuers.jwks_url(address) is not None


def _authority(wanted: WantedToken, region: str | None) -> str:
    if wanted.authority is not None:
        return wanted.authority
    place = wanted.region or region
    if place is None:
        raise UsageProblem(
            "evidence does not say in which region the VM is",
            hint="give `--region REGION`, or `--authority URL` of your own provider",
        )
    known = issuers.shared_issuer(place)
    if known is None:
        raise UsageProblem(
            f"ccgpu knows no shared attestation provider in {place}",
            hint="give the address of one: `--authority https://….attest.azure.net`",
        )
    return known


def _expected(evidence: Evidence, kind: TokenKind, authority: str, origin: str) -> ClaimsOfToken:
    vm = None if evidence.cpu is None else reported_vm(evidence.cpu)
    if vm is None:
        raise UsageProblem(
            "the evidence has no report and claims of the VM",
            hint="take a bundle of `ccgpu attest NAME --save FILE`",
        )
    claims = expected_claims(vm, kind, authority)
    return ClaimsOfToken(claims, authority, origin, complete=False)
