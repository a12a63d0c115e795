"""Guest and verifier compute `ccgpu-bind-v1` by code of their own, and agree."""

import itertools

import pytest

from ccgpu.attest import binding as verifier
from ccgpu.fakeguest.evidence import binding as guest
from support.vms import HOST_KEY, NONCE

_IDS = ("390CBCF5-6C67-4D9B-98EF-C3F1699CC8FC", "390cbcf5-6c67-4d9b-98ef-c3f1699cc8fc")
_MODULI = (2**2047 + 1, 2**2040 - 1, 1)


@pytest.mark.parametrize(
    ("nonce", "key", "recipient", "vm_id"),
    [*itertools.product((NONCE, bytes(32)), (HOST_KEY, b"", b"k" * 300), (b"", b"r" * 32), _IDS)],
)
def test_both_sides_compute_the_same_binding(nonce, key, recipient, vm_id):
    bound = guest.bind(nonce, key, recipient, vm_id)
    assert bound == verifier.binding(nonce, key, recipient, vm_id)
    assert len(bound) == 64


@pytest.mark.parametrize("modulus", _MODULI)
def test_both_sides_derive_the_same_nonce_for_the_gpu(modulus):
    raw = modulus.to_bytes((modulus.bit_length() + 7) // 8)
    assert guest.derive_gpu_nonce(b"b" * 64, modulus) == verifier.gpu_nonce(b"b" * 64, raw)


@pytest.mark.parametrize("absent", [None, *range(6)])
def test_both_sides_qualify_a_quote_with_the_same_bytes(absent):
    pieces = [b"" if at == absent else bytes([at]) * (at + 1) for at in range(6)]
    expected = verifier.qualifying_data(b"b" * 64, verifier.encode_collected(*pieces))
    assert guest.qualify(b"b" * 64, pieces) == expected


def test_the_parts_of_a_binding_cannot_be_shifted_into_each_other():
    assert guest.bind(NONCE, HOST_KEY, b"ab", "c") != guest.bind(NONCE, HOST_KEY, b"a", "bc")
    assert guest.qualify(b"", [b"a", b"b"]) != guest.qualify(b"", [b"ab", b""])
