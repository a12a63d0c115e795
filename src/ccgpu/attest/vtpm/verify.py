"""Verifies a quote: signed by the AK in the runtime claims, over challenge and PCR values.

The PCR digest is recomputed from exactly the PCRs of the quote's bitmap. A list of other PCRs is
refused even if its digest is right (CVE-2022-0317).
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from ccgpu.attest.check import Checks, Outcome, Rule, format_value
from ccgpu.attest.hcl.claims import RuntimeClaims
from ccgpu.attest.vtpm import layout
from ccgpu.attest.vtpm.quote import Quote

_QUOTE = "TPM 2.0 Part 3, TPM2_Quote"
_NONCE = "RFC 9334, §10.2; TPM 2.0 Part 3, TPM2_Quote (qualifyingData)"
_PCRS = "TPM 2.0 Part 2, TPMS_QUOTE_INFO; CVE-2022-0317"
_CLOCK = "TPM 2.0 Part 1, §36"

AK_UNVOUCHED = Rule(
    "vtpm.ak.unvouched", "the runtime claims name the key of the quote", "docs/trust.md"
)
AK_OTHER = Rule("vtpm.ak.other", "the quote is checked with HCLAkPub", "docs/trust.md")
SIGNATURE = Rule("vtpm.quote.signature", "the AK signed the quote", _QUOTE)
NONCE_UNASKED = Rule("vtpm.nonce.unasked", "the expected qualifying data is known", _NONCE)
NONCE_ABSENT = Rule("vtpm.nonce.absent", "the quote carries qualifying data", _NONCE)
NONCE_PREFIX = Rule("vtpm.nonce.prefix", "the qualifying data is not cut off", _NONCE)
NONCE_SHORT = Rule("vtpm.nonce.short", "the qualifying data is not shorter", _NONCE)
NONCE_LONG = Rule("vtpm.nonce.long", "the qualifying data is not longer", _NONCE)
NONCE_OTHER = Rule("vtpm.nonce.other", "the quote answers what was asked, in full", _NONCE)
PCRS_ABSENT = Rule("vtpm.pcrs.absent", "the values of the quoted PCRs are given", _PCRS)
PCRS_SELECTION = Rule("vtpm.pcrs.selection", "exactly the quoted PCRs are given", _PCRS)
PCRS_SIZE = Rule("vtpm.pcrs.size", "every PCR value is 32 bytes", _PCRS)
PCRS_DIGEST = Rule("vtpm.pcrs.digest", "the quoted digest is that of the PCR values", _PCRS)
PCRS_REQUIRED = Rule("vtpm.pcrs.required", "every PCR that the policy needs is quoted", _PCRS)
CLOCK_SIGNER = Rule("vtpm.clock.signer", "both quotes come from one TPM and key", _CLOCK)
CLOCK_RESET = Rule("vtpm.clock.reset", "the TPM was not reset less often than before", _CLOCK)
CLOCK_RESTART = Rule("vtpm.clock.restart", "it did not resume less often since that reset", _CLOCK)
CLOCK_BACK = Rule("vtpm.clock.back", "the TPM's clock did not go back", _CLOCK)


@dataclass(frozen=True, slots=True)
class ExpectedQuote:
    """What a quote must match.

    `qualifying_data`: the expected value; None if unknown. `pcrs`: the values that are claimed to
    be quoted, index to 32 bytes. `required`: PCRs that must be quoted. `previous`: an earlier quote
    of this VM, if any.
    """

    qualifying_data: bytes | None
    pcrs: Mapping[int, bytes] | None
    required: frozenset[int]
    previous: Quote | None = None


def verify(
    quote: Quote,
    signature: bytes,
    ak: rsa.RSAPublicKey,
    claims: Outcome[RuntimeClaims] | None,
    expected: ExpectedQuote,
    checks: Checks,
) -> Outcome[Quote]:
    """The quote, verified if `claims` are and their AK signed it.

    `signature`: bare RSA. `ak`: the key to verify with, which must be that of `claims`.
    """
    since = checks.checkpoint()
    # 1. The runtime claims name the key (docs/trust.md).
    if claims is None:
        checks.record(AK_UNVOUCHED, False, "HCLAkPub", None)
    else:
        same = ak == claims.value.ak
        checks.record(AK_OTHER, same, "HCLAkPub", "HCLAkPub" if same else "another key")
    # 2. The key signed the quote (TPM 2.0 Part 3, TPM2_Quote).
    signed = _is_signed(quote.raw, signature, ak)
    checks.record(SIGNATURE, signed, "a good signature", "good" if signed else "a bad one")
    # 3. The quote answers the challenge (RFC 9334, §10.2).
    _check_nonce(quote.extra_data, expected.qualifying_data, checks)
    # 4. The quote is about these PCR values (TPM 2.0 Part 2, TPMS_QUOTE_INFO).
    quoted = format_value(sorted(quote.selected))
    covered = expected.required <= quote.selected
    checks.record(PCRS_REQUIRED, covered, sorted(expected.required), quoted)
    _check_pcrs(quote, quoted, expected.pcrs, checks)
    # 5. The quote is later than the previous one (TPM 2.0 Part 1, §36).
    if expected.previous is not None:
        _check_clock(quote, expected.previous, checks)
    return checks.conclude(quote, since, *([claims] if claims is not None else []))


def _is_signed(message: bytes, signature: bytes, ak: rsa.RSAPublicKey) -> bool:
    try:
        ak.verify(signature, message, padding.PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _check_nonce(actual: bytes, expected: bytes | None, checks: Checks) -> None:
    """Record one check, under the rule that describes the difference best."""
    if not expected:
        checks.record(NONCE_UNASKED, False, "qualifying data", None)
        return
    rule = NONCE_OTHER
    if not actual:
        rule = NONCE_ABSENT
    elif len(actual) > len(expected):
        rule = NONCE_LONG
    elif len(actual) < len(expected):
        rule = NONCE_PREFIX if expected.startswith(actual) else NONCE_SHORT
    checks.record(rule, hmac.compare_digest(actual, expected), expected, actual)


def _check_pcrs(
    quote: Quote, quoted: str, pcrs: Mapping[int, bytes] | None, checks: Checks
) -> None:
    """Check the values that are claimed to be quoted; `quoted`: the quoted PCRs, as text."""
    if pcrs is None:
        checks.record(PCRS_ABSENT, False, "PCR values", None)
        return
    same = pcrs.keys() == quote.selected
    checks.record(PCRS_SELECTION, same, quoted, quoted if same else sorted(pcrs))
    sizes = sorted({len(value) for value in pcrs.values()} or {layout.DIGEST_SIZE})
    if not checks.record_equal(PCRS_SIZE, [layout.DIGEST_SIZE], sizes) or not same:
        return
    digest = hashlib.sha256(b"".join(pcrs[index] for index in sorted(quote.selected))).digest()
    checks.record(
        PCRS_DIGEST, hmac.compare_digest(digest, quote.pcr_digest), digest, quote.pcr_digest
    )


def _check_clock(quote: Quote, previous: Quote, checks: Checks) -> None:
    checks.record_equal(CLOCK_SIGNER, previous.qualified_signer, quote.qualified_signer)
    checks.record(
        CLOCK_RESET,
        quote.reset_count >= previous.reset_count,
        f"{previous.reset_count} or more",
        quote.reset_count,
    )
    if quote.reset_count == previous.reset_count:
        checks.record(
            CLOCK_RESTART,
            quote.restart_count >= previous.restart_count,
            f"{previous.restart_count} or more",
            quote.restart_count,
        )
    checks.record(
        CLOCK_BACK, quote.clock >= previous.clock, f"{previous.clock} or more", quote.clock
    )
