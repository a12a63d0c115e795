"""A signature is RSASSA with SHA-256, bare or wrapped, and nothing else."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Malformed
from ccgpu.attest.vtpm import layout, signature
from ccgpu.fakeguest.evidence.quote import tpmt_signature

RAW = bytes(range(256))


@pytest.mark.parametrize("size", [256, 384, 512])
def test_bare_and_wrapped_signatures_are_read(size):
    raw = bytes(size)
    assert signature.parse(raw) == signature.parse(tpmt_signature(raw)) == raw


def test_a_bare_signature_that_begins_like_a_wrapped_one_is_bare():
    raw = tpmt_signature(RAW)[:256]
    assert signature.parse(raw) == raw


REFUSED = [
    (b"", "vtpm.signature.size"),
    (b"\0", "vtpm.signature.size"),
    (b"\x10", "vtpm.signature.size"),
    (tpmt_signature(b"", scheme=0x0016), "vtpm.signature.scheme"),
    (b"\0\x14\0\x0b\1", "vtpm.signature.size"),
    (RAW[:-1], "vtpm.signature.scheme"),
    (tpmt_signature(RAW[:-1]), "vtpm.signature.size"),
    (tpmt_signature(RAW) + b"\0", "vtpm.signature.size"),
    (tpmt_signature(RAW)[:-1], "vtpm.signature.size"),
    (tpmt_signature(b""), "vtpm.signature.size"),
    (b"\0\x10", "vtpm.signature.null"),
    (tpmt_signature(RAW, scheme=layout.ALG_NULL), "vtpm.signature.null"),
    (tpmt_signature(RAW, scheme=0x0016), "vtpm.signature.scheme"),  # RSAPSS
    (tpmt_signature(RAW, scheme=0x0018), "vtpm.signature.scheme"),  # ECDSA
    (tpmt_signature(RAW, scheme=0x0005), "vtpm.signature.scheme"),  # HMAC
    (tpmt_signature(RAW, digest=layout.ALG_SHA1), "vtpm.signature.sha1"),
    (tpmt_signature(RAW, digest=layout.ALG_SHA384), "vtpm.signature.hash"),
    (tpmt_signature(RAW, digest=layout.ALG_NULL), "vtpm.signature.hash"),
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
