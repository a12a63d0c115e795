"""The manifest builder: its output has the form of NVIDIA's published manifests."""

from itertools import pairwise

import pytest
from cryptography import x509
from lxml import etree

from ccgpu.fakeguest.evidence import rim, rim_pki
from support.tampering import new_rim_chain

CHAIN = new_rim_chain()


HASH = "{http://www.w3.org/2001/04/xmlenc#sha384}"


def shape(xml: bytes) -> dict[str, set[str]]:
    """Each kind of element with its attributes, without hashes after the first."""
    more = {f"{HASH}Hash{at}" for at in range(1, 9)}
    root = etree.fromstring(xml)
    return {str(each.tag): {str(name) for name, _ in each.items()} - more for each in root.iter()}


ACTIVE = {"driver": rim.DRIVER_INDICES, "vbios": rim.VBIOS_INDICES}


@pytest.fixture
def published(vectors):
    folder = vectors / "gpu" / "h100-550.90.07"
    return {
        "driver": (folder / "NV_GPU_DRIVER_GH100_550.90.07.xml").read_bytes(),
        "vbios": (folder / "NV_GPU_VBIOS_1010_0200_882_96009F0001.xml").read_bytes(),
    }


@pytest.mark.parametrize("kind", ["driver", "vbios"])
def test_a_manifest_has_the_elements_of_a_published_one(published, kind):
    made = rim.rim_template("1.2", {7: (bytes(48),)}).signed_by(CHAIN)
    ours, theirs = shape(made), shape(published[kind])
    assert ours.keys() == theirs.keys()
    for tag, attributes in ours.items():
        assert attributes <= theirs[tag], tag


@pytest.mark.parametrize("kind", ["driver", "vbios"])
def test_the_same_indices_are_active_as_in_a_published_one(published, kind):
    root = etree.fromstring(published[kind])
    active = [
        int(each.get("index", ""))
        for each in root.iter("{*}Resource")
        if each.get("active") == "True"
    ]
    assert active == list(ACTIVE[kind])


def test_the_chain_is_signed_from_the_root_down():
    found = [x509.load_der_x509_certificate(der) for der in CHAIN.ders]
    for one, issuer in pairwise([*found, found[-1]]):
        one.verify_directly_issued_by(issuer)


def test_a_root_that_is_not_changed_stays_the_same_certificate():
    assert CHAIN.ders[-1] == CHAIN.ders[-1]
    assert CHAIN.with_certificate(rim_pki.SIGNER, serial=1).root == CHAIN.root
    assert CHAIN.with_certificate(rim_pki.ROOT, serial=1).root != CHAIN.root


def test_changed_signature_needs_signed_info():
    with pytest.raises(ValueError, match="SignedInfo"):
        rim.sign_document(
            rim.rim_template("1.2", {}).body, CHAIN.key, CHAIN.ders, info=lambda _: ""
        )
