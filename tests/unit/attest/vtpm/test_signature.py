"""A signature is RSASSA with SHA-256, bare or wrapped, and nothing else."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Malformed
from ccgpu.attest.vtpm import layout, signature
from ccgpu.fakeguest.evidence.quote import tpmt

RAW = bytes(range(256))


@pytest.mark.parametrize("size", [256, 384, 512])
def test_bare_and_wrapped_signatures_are_read(size):
    raw = bytes(size)
    assert signature.parse(raw) == signature.parse(tpmt(raw)) == raw


def test_a_bare_signature_that_begins_like_a_wrapped_one_is_bare():
    raw = tpmt(RAW)[:256]
    assert signature.parse(raw) == raw


REFUSED = [
    (b"", "vtpm.signature.size"),
    (b"\0", "vtpm.signature.size"),
    (b"\x10", "vtpm.signature.size"),
    (tpmt(b"", scheme=0x0016), "vtpm.signature.scheme"),
    (b"\0\x14\0\x0b\1", "vtpm.signature.size"),
    (RAW[:-1], "vtpm.signature.scheme"),
    (tpmt(RAW[:-1]), "vtpm.signature.size"),
    (tpmt(RAW) + b"\0", "vtpm.signature.size"),
    (tpmt(RAW)[:-1], "vtpm.signature.size"),
    (tpmt(b""), "vtpm.signature.size"),
    (b"\0\x10", "vtpm.signature.null"),
    (tpmt(RAW, scheme=layout.ALG_NULL), "vtpm.signature.null"),
    (tpmt(RAW, scheme=0x0016), "vtpm.signature.scheme"),  # RSAPSS
    (tpmt(RAW, scheme=0x0018), "vtpm.signature.scheme"),  # ECDSA
    (tpmt(RAW, scheme=0x0005), "vtpm.signature.scheme"),  # HMAC
    (tpmt(RAW, digest=layout.ALG_SHA1), "vtpm.signature.sha1"),
    (tpmt(RAW, digest=layout.ALG_SHA384), "vtpm.signature.hash"),
    (tpmt(RAW, digest=layout.ALG_NULL), "vtpm.signature.hash"),
]


@pytest.mark.parametrize(("data", "id_"), REFUSED, ids=range(len(REFUSED)))
def test_other_signatures_are_refused(data, id_):
    with pytest.raises(Malformed) as caught:
        signature.parse(data)
    assert caught.value.rule.id == id_


@given(st.binary(max_size=600) | st.binary(max_size=8).map(lambda head: head + RAW))
def test_any_bytes_are_a_signature_or_malformed(data):
    with contextlib.suppress(Malformed):
        assert len(signature.parse(data)) in (256, 384, 512)
