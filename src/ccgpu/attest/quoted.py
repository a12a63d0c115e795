"""The vTPM's part: what the quote has to carry, who has to have signed it, and its event log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ccgpu.attest import binding
from ccgpu.attest.check import Checks, Malformed, Outcome, Rule, Verified
from ccgpu.attest.freshness import Asked
from ccgpu.attest.hcl.claims import Claims
from ccgpu.attest.vtpm import boot, eventlog
from ccgpu.attest.vtpm import pcrs as pcr_files
from ccgpu.attest.vtpm import quote as quotes
from ccgpu.attest.vtpm import signature as signatures
from ccgpu.attest.vtpm import verify as vtpm
from ccgpu.attest.vtpm.boot import Boot
from ccgpu.attest.vtpm.quote import Quote
from ccgpu.domain.evidence import CpuEvidence, Evidence

_QUOTE = "TPM 2.0 Part 3, TPM2_Quote"

ABSENT = Rule("freshness.quote.absent", "a vTPM quote answers the nonce", "RFC 9334, §10.2")
UNSIGNED = Rule("evidence.quote.unsigned", "the quote comes with its signature", _QUOTE)
READ = Rule("vtpm.quote", "the quote can be read", "TPM 2.0 Part 2, TPMS_ATTEST")
SIGNATURE_READ = Rule("vtpm.signature", "the signature can be read", "TPM 2.0 Part 2, §11.3")
PCRS_READ = Rule("vtpm.pcrs", "the file of PCR values can be read", "tpm2-tools, tpm2_quote -o")
AK_READ = Rule("vtpm.ak", "the key that the quote is said to be of can be read", "RFC 7468")
KEYLESS = Rule("vtpm.ak.absent", "there is a key to check the quote with", _QUOTE)


@dataclass(frozen=True, slots=True)
class Quoted:
    """The quote and what its event log tells, believed or not; the PCRs of a believed quote.

    `not_read`: PCR values that came along, and that the quote does not cover.
    """

    quote: Outcome[Quote] | None = None
    pcrs: Mapping[int, bytes] = field(default_factory=dict)
    boot: Outcome[Boot] | None = None
    not_read: tuple[str, ...] = ()


def quoted(
    found: Evidence,
    part: CpuEvidence,
    claims: Outcome[Claims] | None,
    asked: Asked,
    required: frozenset[int],
    checks: Checks,
) -> Quoted:
    """Make every check on the quote."""
    if part.quote is None:
        checks.that(ABSENT, False, "a quote", None)
        return Quoted()
    quote = checks.read(READ, quotes.parse, part.quote, "a quote")
    signature = _signature(part, checks)
    key = _key(part, claims, checks)
    given = _values(part, quote, checks)
    values, not_read = _covered(given, quote)
    if quote is None or signature is None or key is None:
        return Quoted(not_read=not_read)
    expected = vtpm.Expected(_qualifying_data(found, part, asked), values, required)
    outcome = vtpm.verify(quote, signature, key, claims, expected, checks)
    good = values if isinstance(outcome, Verified) and values else {}
    return Quoted(outcome, good, _boot(part, outcome, values, checks), not_read)


def _covered(
    given: Mapping[int, bytes] | None, quote: Quote | None
) -> tuple[Mapping[int, bytes] | None, tuple[str, ...]]:
    """The values that the quote covers, and the names of the others: nobody signed those."""
    if given is None or quote is None:
        return given, ()
    others = sorted(given.keys() - quote.selected)
    covered = {index: value for index, value in given.items() if index in quote.selected}
    return covered, tuple(f"PCR {index} (the quote does not cover it)" for index in others)


def _boot(
    part: CpuEvidence, quote: Outcome[Quote], values: Mapping[int, bytes] | None, checks: Checks
) -> Outcome[Boot] | None:
    """What an event log tells of the boot, where one came along."""
    if part.event_log is None:
        return None
    log = checks.read(boot.EVENT_LOG, eventlog.parse, part.event_log, "an event log")
    return None if log is None else boot.verify(log, quote, values or {}, checks)


def _signature(part: CpuEvidence, checks: Checks) -> bytes | None:
    if part.signature is None:
        checks.that(UNSIGNED, False, "a signature", None)
        return None
    return checks.read(SIGNATURE_READ, signatures.parse, part.signature, "a signature")


def _key(
    part: CpuEvidence, claims: Outcome[Claims] | None, checks: Checks
) -> rsa.RSAPublicKey | None:
    """HCLAkPub; without runtime claims the key that came along, which nobody vouches for."""
    if claims is not None:
        return claims.value.ak
    if part.ak is None:
        checks.that(KEYLESS, False, "HCLAkPub", None)
        return None
    return checks.read(AK_READ, _public_key, part.ak, "an RSA key")


def _public_key(pem: bytes) -> rsa.RSAPublicKey:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as err:
        raise Malformed(AK_READ, "an RSA key (PEM)", str(err)) from err
    if not isinstance(key, rsa.RSAPublicKey):
        raise Malformed(AK_READ, "an RSA key", type(key).__name__)
    return key


def _values(part: CpuEvidence, quote: Quote | None, checks: Checks) -> Mapping[int, bytes] | None:
    """The PCR values that came along; a file of bare ones is in the order of the quote."""
    if part.pcrs is not None or part.pcr_file is None:
        return part.pcrs
    parse = partial(pcr_files.parse, selected=quote.selected if quote else frozenset())
    return checks.read(PCRS_READ, parse, part.pcr_file, "PCR values")


def _qualifying_data(found: Evidence, part: CpuEvidence, asked: Asked) -> bytes | None:
    """What the quote has to carry: the bare nonce, or the binding of everything collected."""
    if asked.bound is None:
        return asked.nonce
    gpu = found.gpus[0] if found.gpus else None
    pieces = binding.collected(
        part.hcl or b"",
        gpu.report if gpu else b"",
        gpu.chain if gpu else b"",
        part.event_log or b"",
        part.thim or b"",
        (gpu.state_document or b"") if gpu else b"",
    )
    return binding.qualifying_data(asked.bound, pieces)
