"""Microsoft Azure Attestation (MAA): the token of a confidential VM's guest.

It is about the CPU side only. Its claims on the SNP report are compared with the report that was
verified here.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ccgpu.attest.check import Checks, Outcome, Rule
from ccgpu.attest.tokens import jwks as key_sets
from ccgpu.attest.tokens import jws, maa_report_match, registered
from ccgpu.attest.tokens.jws import Jws, TokenTrust
from ccgpu.attest.tokens.registered import member
from ccgpu.attest.vm_identity import VmIdentity

_MAA = "Microsoft Azure Attestation, claims for confidential VMs"

READABLE = Rule("maa.token", "Microsoft's token can be read", "RFC 7515, §7.1")
TYPE = Rule("maa.type", "the token is of an Azure VM's guest", _MAA)
TEE = Rule("maa.tee", "the token says what isolates the VM", _MAA)
TEE_TYPE = Rule("maa.tee.type", "SEV-SNP isolates the VM", _MAA)
COMPLIANCE = Rule("maa.compliance", "the VM complies with Azure's rules for them", _MAA)
DEBUGGABLE = Rule("maa.debuggable", "debugging of the VM is forbidden", _MAA)
MIGRATION = Rule("maa.migration", "a migration agent is forbidden", _MAA)
VM_ID = Rule("maa.vm-id", "the token is of the VM that was asked for", f"{_MAA}; ARM, vmId")
VM_ID_AGREES = Rule("maa.vm-id.agrees", "guest and paravisor name one VM", _MAA)
NONCE_ABSENT = Rule("maa.nonce.absent", "the token carries a nonce of the guest", _MAA)
NONCE_FORM = Rule("maa.nonce.form", "the nonce of the guest is one text in base64", _MAA)
NONCE_OTHER = Rule("maa.nonce.other", "the token carries the nonce that was asked with", _MAA)

_TOKEN, _TEE = "MAA", "x-ms-isolation-tee"
_COMPLIANT = "azure-compliant-cvm"


@dataclass(frozen=True, slots=True)
class MaaClaims:
    """The service's claims on the VM; None if a claim is absent. Digests are lower-case hex.

    `not_compared`: claims that were not compared with the evidence, since one side lacks them.
    """

    vm_id: str | None = None
    secure_boot: bool | None = None
    report_data: str | None = None
    measurement: str | None = None
    id_key_digest: str | None = None
    report_id: str | None = None
    not_compared: tuple[str, ...] = field(default=(), compare=False)


def parse(token: bytes) -> Jws:
    """Parse the service's token (compact form), or raise `Malformed`."""
    return jws.parse(token.strip(), _TOKEN)


def verify(
    token: bytes,
    jwks: bytes,
    at: datetime,
    checks: Checks,
    *,
    issuers: Sequence[str],
    nonce: bytes,
    vm_id: str | None,
    evidence: VmIdentity | None = None,
) -> Outcome[MaaClaims]:
    """Verify a token of the service with its key set, at a time.

    `jwks`: the key set of `issuers`, fetched from `issuers.jwks_url`. `nonce`: what the
    guest had to pass to the service. `vm_id`: ARM's vmId, in either case. `evidence`: what the
    report states that was verified here.
    """
    since = checks.checkpoint()
    keys = checks.parse(key_sets.READABLE, key_sets.parse, jwks, "a key set")
    eat = checks.parse(READABLE, parse, token, "a token")
    if eat is None:
        return checks.conclude(MaaClaims(), since)
    # 1. Signature, issuer and time (RFC 7515, RFC 7519).
    jws.verify(eat, TokenTrust("RS256", keys, issuers, at), checks)
    registered.verify(eat, issuers, at, checks)
    # 2. The nonce (RFC 9334, §10.2).
    _check_nonce(eat, nonce, checks)
    # 3. An SEV-SNP VM without debugging or migration (MAA claims).
    kind = eat.claims.get("x-ms-attestation-type")
    checks.record(TYPE, kind == "azurevm", "azurevm", eat.describe(kind))
    _check_tee(eat, checks)
    # 4. The VM that was asked for, with the report that was verified here.
    _check_vm(eat, vm_id, checks)
    not_compared = maa_report_match.compare(eat, evidence, checks)
    return checks.conclude(replace(_claims(eat.claims), not_compared=not_compared), since)


def _check_nonce(token: Jws, nonce: bytes, checks: Checks) -> None:
    """Check the guest's nonce: the service encodes values of the client payload in base64."""
    if not registered.check_nonce_known(nonce, checks):
        return
    claimed = member(token.claims, "x-ms-runtime", "client-payload", "nonce")
    there = claimed is not None and claimed != ""
    if not checks.record(NONCE_ABSENT, there, "a nonce", token.describe(claimed)):
        return
    decoded = _decode_base64(claimed)
    if not checks.record(NONCE_FORM, decoded is not None, "base64", token.describe(claimed)):
        return
    # The guest passes JSON, which cannot hold bytes: it may pass their hex instead.
    spellings = (nonce, nonce.hex().encode())
    checks.record(NONCE_OTHER, decoded in spellings, nonce, token.describe(decoded))


def _decode_base64(text: object) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except ValueError:
        return None


def _check_tee(token: Jws, checks: Checks) -> None:
    tee = token.claims.get(_TEE)
    if not checks.record(TEE, isinstance(tee, dict), "an object", token.describe(tee)):
        return
    kind = member(token.claims, _TEE, "x-ms-attestation-type")
    checks.record(TEE_TYPE, kind == "sevsnpvm", "sevsnpvm", token.describe(kind))
    status = member(token.claims, _TEE, "x-ms-compliance-status")
    checks.record(COMPLIANCE, status == _COMPLIANT, _COMPLIANT, token.describe(status))
    for claim, rule in (("is-debuggable", DEBUGGABLE), ("migration-allowed", MIGRATION)):
        value = member(token.claims, _TEE, f"x-ms-sevsnpvm-{claim}")
        checks.record(rule, value is False, False, token.describe(value))


def _check_vm(token: Jws, vm_id: str | None, checks: Checks) -> None:
    guests = token.claims.get("x-ms-azurevm-vmid")
    if vm_id is not None:
        checks.record(VM_ID, _is_same_guid(guests, vm_id), vm_id, token.describe(guests))
    paravisors = member(token.claims, _TEE, "x-ms-runtime", "vm-configuration", "vmUniqueId")
    checks.record(
        VM_ID_AGREES, _is_same_guid(guests, paravisors), guests, token.describe(paravisors)
    )


def _is_same_guid(one: object, other: object) -> bool:
    """Whether both are texts and the same GUID; Azure writes either case."""
    return isinstance(one, str) and isinstance(other, str) and one.lower() == other.lower()


def _claims(claims: Mapping[str, object]) -> MaaClaims:
    secure_boot = claims.get("secureboot")
    return MaaClaims(
        vm_id=_text(claims, "x-ms-azurevm-vmid"),
        secure_boot=secure_boot if isinstance(secure_boot, bool) else None,
        report_data=_text(claims, _TEE, "x-ms-sevsnpvm-reportdata"),
        measurement=_text(claims, _TEE, "x-ms-sevsnpvm-launchmeasurement"),
        id_key_digest=_text(claims, _TEE, "x-ms-sevsnpvm-idkeydigest"),
        report_id=_text(claims, _TEE, "x-ms-sevsnpvm-reportid"),
    )


def _text(claims: Mapping[str, object], *path: str) -> str | None:
    value = member(claims, *path)
    return value.lower() if isinstance(value, str) else None
