"""A quote is believed when the vouched-for AK signed it, for this question, about these PCRs."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA384
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ccgpu.attest.check import Checks, Malformed, Outcome, Unverified, Verified
from ccgpu.attest.hcl import blob as blobs
from ccgpu.attest.hcl import claims
from ccgpu.attest.hcl.claims import RuntimeClaims
from ccgpu.attest.vtpm import pcrs as pcr_files
from ccgpu.attest.vtpm import quote as quotes
from ccgpu.attest.vtpm import signature as signatures
from ccgpu.attest.vtpm.verify import ExpectedQuote, verify
from ccgpu.fakeguest.evidence import hcl
from ccgpu.fakeguest.evidence.quote import (
    QuoteTemplate,
    pcr_digest,
    sha256_selection,
    sign_quote,
    tpmt_signature,
)
from support.evidence_vtpm import ak, failed_checks, unverified_value, verified_value

NONCE = bytes(range(32))
PCRS = {index: bytes([index + 1]) * 32 for index in range(24)}
FIRMWARE = frozenset(range(8))
CLAIMS = claims.parse(hcl.encode_claims(hcl.runtime_claims(ak().public_key())))


@dataclass(frozen=True)
class Case:
    """A good quote and all it is held against."""

    quote: QuoteTemplate
    needs: Outcome[RuntimeClaims] | None
    expected: ExpectedQuote
    sign: Callable[[rsa.RSAPrivateKey, bytes], bytes] = sign_quote
    signer: str = "ours"

    def judge(self, checks: Checks | None = None) -> tuple[Outcome[quotes.Quote], list[str]]:
        """The outcome, and the ids of what failed."""
        raw = self.quote.raw
        checks = checks or Checks()
        outcome = verify(
            quotes.parse(raw),
            signatures.parse(self.sign(ak(self.signer), raw)),
            ak().public_key(),
            self.needs,
            self.expected,
            checks,
        )
        return outcome, failed_checks(checks)


VALID = Case(
    QuoteTemplate(PCRS, NONCE), verified_value(CLAIMS), ExpectedQuote(NONCE, PCRS, FIRMWARE)
)


def having(**changes: Any) -> Case:
    """The good case with another quote, signed again."""
    return replace(VALID, quote=replace(VALID.quote, **changes))


def against(**changes: Any) -> Case:
    """The good case, held against other things."""
    return replace(VALID, expected=replace(VALID.expected, **changes))


def after(**changes: Any) -> Case:
    """The good case, after an earlier quote that differs."""
    return against(previous=quotes.parse(replace(VALID.quote, **changes).raw))


def asked(nonce: bytes, carried: bytes) -> Case:
    """One thing asked, another one carried."""
    return replace(
        having(extra_data=carried), expected=replace(VALID.expected, qualifying_data=nonce)
    )


GOOD = [
    VALID,
    replace(VALID, sign=lambda key, message: tpmt_signature(sign_quote(key, message))),
    asked(b"n" * 64, b"n" * 64),
    asked(b"n", b"n"),
    replace(
        having(pcrs={index: PCRS[index] for index in range(8)}),
        expected=replace(VALID.expected, pcrs={index: PCRS[index] for index in range(7, -1, -1)}),
    ),
    against(required=frozenset()),
    having(safe=0),
    after(),
    after(clock=VALID.quote.clock - 1),
    after(reset_count=52, restart_count=9),
    after(restart_count=0),
]


@pytest.mark.parametrize("case", GOOD, ids=range(len(GOOD)))
def test_a_good_quote_is_verified(case):
    outcome, reasons = case.judge()
    assert reasons == []
    assert isinstance(outcome, Verified)
    assert outcome.value.raw == case.quote.raw


def test_every_check_is_listed():
    checks = Checks()
    after().judge(checks)
    assert [check.id for check in checks.made] == [
        "vtpm.ak.other",
        "vtpm.quote.signature",
        "vtpm.nonce.other",
        "vtpm.pcrs.required",
        "vtpm.pcrs.selection",
        "vtpm.pcrs.size",
        "vtpm.pcrs.digest",
        "vtpm.clock.signer",
        "vtpm.clock.reset",
        "vtpm.clock.restart",
        "vtpm.clock.back",
    ]


def test_a_quote_is_verified_only_with_verified_claims():
    outcome, reasons = replace(VALID, needs=unverified_value(CLAIMS)).judge()
    assert isinstance(outcome, Unverified)
    assert reasons == []


def _plus_modulus(key: rsa.RSAPrivateKey, message: bytes) -> bytes:
    """The same number modulo n, where 256 bytes hold it; else no signature either."""
    number = int.from_bytes(sign_quote(key, message), "big") + key.public_key().public_numbers().n
    return (number % 2**2048).to_bytes(256, "big")


FIRST = {index: PCRS[index] for index in range(8)}
SWAPPED = PCRS | {3: PCRS[4], 4: PCRS[3]}
OTHER_AK = hcl.encode_claims(hcl.runtime_claims(ak("theirs").public_key()))

REFUSED = [
    # whose key
    (replace(VALID, needs=None), ["vtpm.ak.unvouched"]),
    (replace(VALID, needs=verified_value(claims.parse(OTHER_AK))), ["vtpm.ak.other"]),
    # the signature
    (replace(VALID, signer="theirs"), ["vtpm.quote.signature"]),
    (replace(VALID, sign=lambda k, m: sign_quote(k, m + b"\0")), ["vtpm.quote.signature"]),
    (replace(VALID, sign=lambda k, m: sign_quote(k, m, SHA1())), ["vtpm.quote.signature"]),
    (replace(VALID, sign=lambda k, m: sign_quote(k, m, SHA384())), ["vtpm.quote.signature"]),
    (
        replace(VALID, sign=lambda k, m: sign_quote(k, m).rjust(384, b"\0")),
        ["vtpm.quote.signature"],
    ),
    (replace(VALID, sign=lambda _, m: m[:1] * 256), ["vtpm.quote.signature"]),
    (replace(VALID, sign=_plus_modulus), ["vtpm.quote.signature"]),
    # the nonce
    (against(qualifying_data=None), ["vtpm.nonce.unasked"]),
    (asked(b"", b""), ["vtpm.nonce.unasked"]),
    (asked(NONCE, b""), ["vtpm.nonce.absent"]),
    (asked(NONCE, NONCE[:1]), ["vtpm.nonce.prefix"]),
    (asked(NONCE, NONCE[:31]), ["vtpm.nonce.prefix"]),
    (asked(NONCE, NONCE[1:]), ["vtpm.nonce.short"]),
    (asked(NONCE, NONCE + b"\0"), ["vtpm.nonce.long"]),
    (asked(NONCE[:31], NONCE), ["vtpm.nonce.long"]),
    (asked(NONCE, b"\1" + NONCE[1:]), ["vtpm.nonce.other"]),
    (asked(NONCE, NONCE[:31] + b"\x1e"), ["vtpm.nonce.other"]),
    # the PCRs
    (against(pcrs=None), ["vtpm.pcrs.absent"]),
    (against(pcrs={}), ["vtpm.pcrs.selection"]),
    (against(pcrs=FIRST), ["vtpm.pcrs.selection"]),
    (having(pcrs=FIRST), ["vtpm.pcrs.selection"]),
    (having(pcrs=FIRST, banks=(sha256_selection(range(8)),)), ["vtpm.pcrs.selection"]),
    (having(banks=(sha256_selection(range(8)),)), ["vtpm.pcrs.selection"]),
    (
        replace(
            having(pcrs=FIRST, banks=(sha256_selection({*range(7), 16}),)),
            expected=replace(VALID.expected, pcrs=FIRST),
        ),
        ["vtpm.pcrs.required", "vtpm.pcrs.selection"],
    ),
    (
        replace(
            having(pcrs=FIRST, banks=(sha256_selection({*range(7), 23}),)),
            expected=replace(VALID.expected, pcrs=FIRST, required=frozenset()),
        ),
        ["vtpm.pcrs.selection"],
    ),
    (against(required=FIRMWARE | {24}), ["vtpm.pcrs.required"]),
    (against(pcrs=PCRS | {7: PCRS[7] + b"\0"}), ["vtpm.pcrs.size"]),
    (against(pcrs=PCRS | {6: PCRS[6][:16], 7: PCRS[6][16:] + PCRS[7]}), ["vtpm.pcrs.size"]),
    (against(pcrs=PCRS | {7: bytes(32)}), ["vtpm.pcrs.digest"]),
    (against(pcrs=SWAPPED), ["vtpm.pcrs.digest"]),
    (having(digest=pcr_digest(SWAPPED)), ["vtpm.pcrs.digest"]),
    # the clock
    (after(signer=b"\0\x0b" + bytes(32)), ["vtpm.clock.signer"]),
    (after(reset_count=54), ["vtpm.clock.reset"]),
    (after(restart_count=1), ["vtpm.clock.restart"]),
    (after(clock=VALID.quote.clock + 1), ["vtpm.clock.back"]),
    (after(clock=VALID.quote.clock + 1, reset_count=52), ["vtpm.clock.back"]),
]


@pytest.mark.parametrize(("case", "reasons"), REFUSED, ids=range(len(REFUSED)))
def test_each_defect_of_a_quote_is_rejected_with_its_reason(case, reasons):
    outcome, found = case.judge()
    assert isinstance(outcome, Unverified)
    assert found == reasons


def test_all_reasons_are_listed():
    case = replace(
        having(extra_data=b""),
        signer="theirs",
        expected=ExpectedQuote(NONCE, None, frozenset({24})),
    )
    assert case.judge()[1] == [
        "vtpm.quote.signature",
        "vtpm.nonce.absent",
        "vtpm.pcrs.required",
        "vtpm.pcrs.absent",
    ]


def _flips(data: bytes) -> list[bytes]:
    number, size = int.from_bytes(data, "big"), len(data)
    return [(number ^ 1 << bit).to_bytes(size, "big") for bit in range(8 * size)]


def _verdict(message: bytes, signature: bytes) -> bool:
    key = ak().public_key()
    try:
        quote = quotes.parse(message)
    except Malformed:
        return False
    outcome = verify(quote, signature, key, VALID.needs, VALID.expected, Checks())
    return isinstance(outcome, Verified)


@pytest.mark.slow
def test_every_flipped_bit_of_a_quote_and_of_its_signature_is_refused():
    message = VALID.quote.raw
    signature = sign_quote(ak(), message)
    assert _verdict(message, signature)
    assert not any(_verdict(flipped, signature) for flipped in _flips(message))
    assert not any(_verdict(message, flipped) for flipped in _flips(signature))


@pytest.mark.parametrize("case", ["azure-genoa-v3", "azure-milan-v2", "azure-milan-v3"])
def test_real_quotes_are_signed_by_the_key_in_the_claims(vectors, case):
    folder = vectors / "attest" / case
    found = claims.parse((folder / "runtime-data.json").read_bytes())
    quote = quotes.parse((folder / "quote.msg").read_bytes())
    signature = signatures.parse((folder / "quote.sig").read_bytes())
    pcrs = pcr_files.parse((folder / "pcrs.json").read_bytes(), quote.selected)
    nonce = bytes.fromhex((folder / "nonce.hex").read_text())
    checks = Checks()
    expected = ExpectedQuote(nonce, pcrs, frozenset(range(24)))
    outcome = verify(quote, signature, found.ak, verified_value(found), expected, checks)
    assert failed_checks(checks) == []
    assert isinstance(outcome, Verified)
    forged = [
        bit
        for bit, flipped in enumerate(_flips(quote.raw))
        if _accepts(flipped, found, expected, signature)
    ]
    assert forged == []


def _accepts(
    message: bytes, found: RuntimeClaims, expected: ExpectedQuote, signature: bytes
) -> bool:
    try:
        quote = quotes.parse(message)
    except Malformed:
        return False
    outcome = verify(quote, signature, found.ak, verified_value(found), expected, Checks())
    return isinstance(outcome, Verified)


def test_a_real_quote_of_a_regular_vm_is_valid_but_insufficient(vectors):
    folder = vectors / "attest/negative/trusted-launch-quote"
    key = load_pem_public_key((folder / "ak.pub").read_bytes())
    assert isinstance(key, rsa.RSAPublicKey)
    quote = quotes.parse((folder / "quote.msg").read_bytes())
    pcrs = pcr_files.parse((folder / "pcrs.bin").read_bytes(), quote.selected)
    signature = signatures.parse((folder / "quote.sig").read_bytes())
    nonce = bytes.fromhex((folder / "nonce.hex").read_text())
    checks = Checks()
    outcome = verify(quote, signature, key, None, ExpectedQuote(nonce, pcrs, FIRMWARE), checks)
    assert failed_checks(checks) == ["vtpm.ak.unvouched"]
    assert isinstance(outcome, Unverified)


def test_a_real_quote_without_a_nonce_fails_only_freshness(vectors):
    file = vectors / "attest/negative/empty-nonce/milan-v3-attestation.json"
    evidence = json.loads(file.read_text())["evidence"]
    packed = evidence["hcl_report"]
    found = claims.parse(
        blobs.parse(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))).runtime
    )
    quote = quotes.parse(bytes.fromhex(evidence["tpm_quote"]["message"]))
    signature = signatures.parse(bytes.fromhex(evidence["tpm_quote"]["signature"]))
    pcrs = {i: bytes.fromhex(each) for i, each in enumerate(evidence["tpm_quote"]["pcrs"])}
    checks = Checks()
    expected = ExpectedQuote(NONCE, pcrs, FIRMWARE)
    outcome = verify(quote, signature, found.ak, verified_value(found), expected, checks)
    assert failed_checks(checks) == ["vtpm.nonce.absent"]
    assert isinstance(outcome, Unverified)
