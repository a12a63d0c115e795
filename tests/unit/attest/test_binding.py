"""Golden values of the binding, written out byte by byte: another implementation must agree."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest import binding

NONCE = bytes(range(32))
HOST_KEY = b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20" + b"\x55" * 32
VM_ID = "390CBCF5-6C67-4D9B-98EF-C3F1699CC8FC"
MODULUS = b"\xc3" + b"\x01" * 255

# Computed once by a program of its own, with struct and hashlib.
GOLDEN_B = (
    "4f60a3b5884b587f069d8fcdc0cf710da614518bfa442bc1d3e35c9b9fe359df"
    "e2e81aff7c61078b7a97384a8a47d037e338d8f1b6dda3106da45964e9e85ccd"
)
GOLDEN_GPU = "20851f1fdf922f3b77ddad5aeabb55d61eccf1be36848d10a777ac9683cd1e95"
GOLDEN_QUOTE = "b7d6c50b37d07c003052a48fa34085aa9024f2a8a545f7cb7df31f70086188fa"


def by_hand(hash_name, *parts):
    """`hash(u32 ‖ part ‖ u32 ‖ part …)`, one update at a time."""
    digest = hashlib.new(hash_name)
    for part in parts:
        digest.update(bytes([0, 0, len(part) >> 8, len(part) & 0xFF]))
        digest.update(part)
    return digest.digest()


def bound_by_hand(recipient=b""):
    return by_hand(
        "sha512",
        b"ccgpu-bind-v1",
        NONCE,
        hashlib.sha256(HOST_KEY).digest(),
        recipient,
        b"390cbcf5-6c67-4d9b-98ef-c3f1699cc8fc",
    )


@pytest.mark.parametrize("recipient", [b"", b"\x09" * 32])
def test_the_binding_digest_is_as_specified(recipient):
    bound = binding.binding(NONCE, HOST_KEY, recipient, VM_ID)
    assert bound == bound_by_hand(recipient)
    assert len(bound) == 64


def test_golden_values_do_not_change():
    bound = binding.binding(NONCE, HOST_KEY, b"", VM_ID)
    assert bound.hex() == GOLDEN_B
    assert binding.gpu_nonce(bound, MODULUS).hex() == GOLDEN_GPU
    evidence = binding.encode_collected(b"hcl", b"report", b"chain", b"", b"thim", b"state")
    assert binding.qualifying_data(bound, evidence).hex() == GOLDEN_QUOTE


def test_the_gpu_nonce_covers_binding_digest_and_key():
    bound = bound_by_hand()
    expected = by_hand("sha256", b"ccgpu-gpu", bound, hashlib.sha256(MODULUS).digest())
    assert binding.gpu_nonce(bound, MODULUS) == expected


def test_the_quote_covers_binding_digest_and_collected_evidence():
    bound = bound_by_hand()
    evidence = b"\0\0\0\3hcl\0\0\0\6report\0\0\0\5chain\0\0\0\0\0\0\0\4thim\0\0\0\5state"
    collected = binding.encode_collected(b"hcl", b"report", b"chain", b"", b"thim", b"state")
    assert collected == evidence
    expected = by_hand("sha256", b"ccgpu-quote", bound, hashlib.sha256(evidence).digest())
    assert binding.qualifying_data(bound, evidence) == expected


def test_the_case_of_the_vm_id_does_not_matter():
    upper, lower = (binding.binding(NONCE, HOST_KEY, b"", id_) for id_ in (VM_ID, VM_ID.lower()))
    assert upper == lower


pieces = st.tuples(*[st.binary(max_size=6)] * 6)


@given(pieces, pieces)
def test_other_evidence_gives_another_digest(one, other):
    assert (binding.encode_collected(*one) == binding.encode_collected(*other)) == (one == other)


def test_moving_a_byte_between_parts_changes_the_digest():
    cuts = [(b"nonce", b"key", b"recipient", "vmid"), (b"nonce", b"key", b"recipien", "tvmid")]
    assert len({binding.binding(*cut) for cut in cuts}) == len(cuts)


@pytest.mark.parametrize("part", range(4))
def test_every_part_changes_the_digest(part):
    parts = (NONCE, HOST_KEY, b"\x09" * 32, VM_ID)
    others = (NONCE[::-1], HOST_KEY + b"x", b"\x0a" * 32, VM_ID[:-1] + "0")
    one = [others[n] if n == part else each for n, each in enumerate(parts)]
    assert binding.binding(*one) != binding.binding(*parts)  # type: ignore[arg-type]
