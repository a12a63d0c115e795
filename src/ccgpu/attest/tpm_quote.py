"""The vTPM's evidence: quote, signature, PCR values and event log, read and verified together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ccgpu.attest import binding
from ccgpu.attest.check import Checks, Malformed, Outcome, Rule, Verified
from ccgpu.attest.freshness import Challenge
from ccgpu.attest.hcl.claims import RuntimeClaims
from ccgpu.attest.vtpm import boot, event_names, eventlog
from ccgpu.attest.vtpm import pcrs as pcr_files
from ccgpu.attest.vtpm import quote as quotes
from ccgpu.attest.vtpm import signature as signatures
from ccgpu.attest.vtpm import verify as vtpm
from ccgpu.attest.vtpm.boot import Boot
from ccgpu.attest.vtpm.event_names import NamedEvent
from ccgpu.attest.vtpm.quote import Quote
from ccgpu.domain.evidence import CpuEvidence, Evidence

_QUOTE = "TPM 2.0 Part 3, TPM2_Quote"

ABSENT = Rule("freshness.quote.absent", "a vTPM quote answers the nonce", "RFC 9334, §10.2")
UNSIGNED = Rule("evidence.quote.unsigned", "the quote comes with its signature", _QUOTE)
QUOTE_READABLE = Rule("vtpm.quote", "the quote can be read", "TPM 2.0 Part 2, TPMS_ATTEST")
SIGNATURE_READABLE = Rule("vtpm.signature", "the signature can be read", "TPM 2.0 Part 2, §11.3")
PCRS_READABLE = Rule("vtpm.pcrs", "the file of PCR values can be read", "tpm2-tools, tpm2_quote -o")
AK_READABLE = Rule("vtpm.ak", "the public key beside the quote can be read", "RFC 7468")
AK_ABSENT = Rule("vtpm.ak.absent", "there is a key to check the quote with", _QUOTE)


@dataclass(frozen=True, slots=True)
class QuoteResult:
    """The result of verifying the vTPM's evidence.

    `quote`, `boot` (facts of the event log): None if absent or unreadable. `pcrs`: PCR values (32
    bytes each) of a verified quote, else empty. `events`: those of the event log, named.
    `not_read`: PCR values that came along although the quote does not cover them.
    """

    quote: Outcome[Quote] | None = None
    pcrs: Mapping[int, bytes] = field(default_factory=dict)
    boot: Outcome[Boot] | None = None
    events: tuple[NamedEvent, ...] = ()
    not_read: tuple[str, ...] = ()


def verify(
    evidence: Evidence,
    part: CpuEvidence,
    claims: Outcome[RuntimeClaims] | None,
    challenge: Challenge,
    required: frozenset[int],
    checks: Checks,
) -> QuoteResult:
    """Check quote and event log; `required`: the PCRs that the quote must cover."""
    if part.quote is None:
        checks.record(ABSENT, False, "a quote", None)
        return QuoteResult()
    # 1. Parse (TPM 2.0 Part 2, TPMS_ATTEST and TPMT_SIGNATURE).
    quote = checks.parse(QUOTE_READABLE, quotes.parse, part.quote, "a quote")
    signature = _parse_signature(part, checks)
    key = _key(part, claims, checks)
    given = _pcr_values(part, quote, checks)
    values, not_read = _split_covered(given, quote)
    if quote is None or signature is None or key is None:
        return QuoteResult(not_read=not_read)
    # 2. The quote: its key, signature, qualifying data and PCR digest.
    expected = vtpm.ExpectedQuote(_qualifying_data(evidence, part, challenge), values, required)
    outcome = vtpm.verify(quote, signature, key, claims, expected, checks)
    verified = values if isinstance(outcome, Verified) and values else {}
    # 3. The event log, against the quoted values.
    found, events = _verify_boot(part, outcome, values, checks)
    return QuoteResult(outcome, verified, found, events, not_read)


def _split_covered(
    given: Mapping[int, bytes] | None, quote: Quote | None
) -> tuple[Mapping[int, bytes] | None, tuple[str, ...]]:
    """The values of quoted PCRs, and a line for each value that the quote does not cover."""
    if given is None or quote is None or given.keys() == quote.selected:
        return given, ()
    others = sorted(given.keys() - quote.selected)
    covered = {index: value for index, value in given.items() if index in quote.selected}
    return covered, tuple(f"PCR {index} (the quote does not cover it)" for index in others)


def _verify_boot(
    part: CpuEvidence, quote: Outcome[Quote], values: Mapping[int, bytes] | None, checks: Checks
) -> tuple[Outcome[Boot] | None, tuple[NamedEvent, ...]]:
    """The facts of the event log, and its events; nothing if there is none, or it is unreadable."""
    if part.event_log is None:
        return None, ()
    log = checks.parse(boot.EVENT_LOG, eventlog.parse, part.event_log, "an event log")
    if log is None:
        return None, ()
    found = boot.verify(log, quote, values or {}, checks)
    replayed = found.value.replayed if isinstance(quote, Verified) else frozenset()
    return found, event_names.name_events(log, replayed)


def _parse_signature(part: CpuEvidence, checks: Checks) -> bytes | None:
    if part.signature is None:
        checks.record(UNSIGNED, False, "a signature", None)
        return None
    return checks.parse(SIGNATURE_READABLE, signatures.parse, part.signature, "a signature")


def _key(
    part: CpuEvidence, claims: Outcome[RuntimeClaims] | None, checks: Checks
) -> rsa.RSAPublicKey | None:
    """HCLAkPub of the runtime claims; without claims the evidence's bare key, never trusted."""
    if claims is not None:
        return claims.value.ak
    if part.ak is None:
        checks.record(AK_ABSENT, False, "HCLAkPub", None)
        return None
    return checks.parse(AK_READABLE, _public_key, part.ak, "an RSA key")


def _public_key(pem: bytes) -> rsa.RSAPublicKey:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as err:
        raise Malformed(AK_READABLE, "an RSA key (PEM)", str(err)) from err
    if not isinstance(key, rsa.RSAPublicKey):
        raise Malformed(AK_READABLE, "an RSA key", type(key).__name__)
    return key


def _pcr_values(
    part: CpuEvidence, quote: Quote | None, checks: Checks
) -> Mapping[int, bytes] | None:
    """The PCR values in the evidence; a file of bare values is in the order of the quoted PCRs."""
    if part.pcrs is not None or part.pcr_file is None:
        return part.pcrs
    parse = partial(pcr_files.parse, selected=quote.selected if quote else frozenset())
    return checks.parse(PCRS_READABLE, parse, part.pcr_file, "PCR values")


def _qualifying_data(evidence: Evidence, part: CpuEvidence, challenge: Challenge) -> bytes | None:
    """The qualifying data the quote must carry: the bare nonce, or 32 bytes over B and E."""
    if challenge.binding is None:
        return challenge.nonce
    gpu = evidence.gpus[0] if evidence.gpus else None
    pieces = binding.encode_collected(
        part.hcl or b"",
        gpu.report if gpu else b"",
        gpu.chain if gpu else b"",
        part.event_log or b"",
        part.thim or b"",
        (gpu.state_document or b"") if gpu else b"",
    )
    return binding.qualifying_data(challenge.binding, pieces)
