"""Signatures of manifests: one form, one place, one reference; anything else is refused for it."""

import base64
import hashlib
import re

import pytest

from ccgpu.fakeguest.evidence import nvidia_pki, rim
from support.evidence_rim import driver_rim, golden_value, pinned_root, verify_rim
from support.other_spelling import respelled
from support.tampering import new_rim_chain

CHAIN = new_rim_chain()
ANCHOR = pinned_root(CHAIN)
DERS = CHAIN.ders
BODY = driver_rim().body
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
C14N = "http://www.w3.org/2006/12/xml-c14n11"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"


def refused(xml: bytes) -> set[str]:
    """The reasons why a manifest is refused."""
    return verify_rim(xml, ANCHOR).refusals


def having(old: str, new: str) -> bytes:
    """A manifest whose SignedInfo says something else, and is signed like that."""

    def changed(info: str) -> str:
        assert old in info
        return info.replace(old, new)

    return rim.sign_document(BODY, CHAIN.key, DERS, info=changed)


def around(old: str, new: str) -> bytes:
    """A manifest whose signature was changed after it was made."""

    def changed(signature: str) -> str:
        assert old in signature
        return signature.replace(old, new)

    return rim.sign_document(BODY, CHAIN.key, DERS, signature=changed)


def test_the_signature_is_good_as_it_is():
    assert refused(rim.sign_document(BODY, CHAIN.key, DERS)) == set()


# Where it stands


def _split(xml: bytes) -> tuple[bytes, bytes, bytes]:
    """What is before the signature, the signature, and what is behind it."""
    start, end = xml.index(b"<ds:Signature "), xml.index(b"</ds:Signature>") + 15
    return xml[:start], xml[start:end], xml[end:]


GOOD = rim.sign_document(BODY, CHAIN.key, DERS)
BEFORE, SIGNATURE, BEHIND = _split(GOOD)


def test_a_second_signature_is_refused():
    assert refused(BEFORE + SIGNATURE + SIGNATURE + BEHIND) == {"rim.signature.place"}
    within = BEFORE.replace(b"<ns0:Payload>", b"<ns0:Payload>" + SIGNATURE)
    assert refused(within + SIGNATURE + BEHIND) == {"rim.signature.place"}


def test_a_signature_in_another_place_is_refused():
    first = BEFORE.replace(b"<ns0:Entity", SIGNATURE + b"<ns0:Entity")
    within = BEFORE.replace(b"<ns0:Payload>", b"<ns0:Payload>" + SIGNATURE)
    for before in (first, within):
        assert refused(before + BEHIND) == {"rim.signature.place"}


def test_a_signed_manifest_within_another_is_refused():
    forged = BODY.replace(golden_value(7).hex(), "00" * 48).encode()
    for behind in (b"", SIGNATURE):
        end = forged.rindex(b"</")
        wrapped = forged[:end] + GOOD + behind + forged[end:]
        assert refused(wrapped) == {"rim.signature.place"}


def test_a_signed_manifest_within_the_signature_is_refused():
    forged = BODY.replace(golden_value(7).hex(), "00" * 48).encode()
    holding = SIGNATURE.replace(
        b"</ds:Signature>", b'<ds:Object Id="a">' + BODY.encode() + b"</ds:Object></ds:Signature>"
    )
    end = forged.rindex(b"</")
    assert refused(forged[:end] + holding + forged[end:]) == {"rim.signature.form"}


def test_a_root_that_is_a_signature_is_refused():
    assert refused(SIGNATURE) == {"rim.signature.place"}


# Its parts


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<ds:Signature ", '<ds:Signature Id="a" '),
        ("<ds:KeyInfo>", "<ds:Object/><ds:KeyInfo>"),
        ("</ds:Signature>", "<ds:Object/></ds:Signature>"),
        ("SignatureValue", "SignatureValues"),
        ("ds:KeyInfo", "KeyInfo"),
    ],
)
def test_a_signature_of_other_parts_is_refused(old, new):
    assert refused(around(old, new)) == {"rim.signature.form"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<ds:KeyInfo>", '<ds:KeyInfo Id="a">'),
        ("<ds:X509Data>", "<ds:KeyName>a</ds:KeyName><ds:X509Data>"),
        ("<ds:X509Data>", "<ds:X509Data><ds:X509SubjectName>a</ds:X509SubjectName>"),
        ("<ds:X509Data>", '<ds:X509Data Id="a">'),
        ("X509Certificate>", "X509CRL>"),
        ("</ds:X509Data>", "<ds:X509Certificate>%</ds:X509Certificate></ds:X509Data>"),
        ("</ds:X509Data>", "<ds:X509Certificate><a/></ds:X509Certificate></ds:X509Data>"),
    ],
)
def test_keys_that_are_not_certificates_are_refused(old, new):
    assert refused(around(old, new)) == {"rim.signature.certificates"}


def test_a_certificate_in_another_spelling_is_refused():
    """Nothing signs what the signature names its key by, so it must not have two spellings."""
    good, padded = b"", list[str]()
    while not padded:  # only padded base64 has unused bits
        chain = new_rim_chain()
        good = rim.sign_document(BODY, chain.key, chain.ders)
        padded = re.findall(r"(\S+=)\s*</ds:X509Certificate>", good.decode())
    for last in padded:
        xml = good.replace(last.encode(), respelled(last).encode())
        assert refused(xml) == {"rim.signature.certificates"}


@pytest.mark.parametrize("count", [0, 9])
def test_no_certificates_and_too_many_are_refused(count):
    xml = rim.sign_document(BODY, CHAIN.key, DERS[:1] * count)
    assert refused(xml) == {"rim.signature.certificates"}


# Its algorithms, each signed as if it were right


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            f'CanonicalizationMethod Algorithm="{C14N}"',
            'CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"',
            "rim.signature.canonicalization",
        ),
        (
            f'CanonicalizationMethod Algorithm="{C14N}"',
            f'CanonicalizationMethod Algorithm="{C14N}#WithComments"',
            "rim.signature.canonicalization",
        ),
        (f"{MORE}ecdsa-sha384", f"{MORE}ecdsa-sha256", "rim.signature.method"),
        (f"{MORE}ecdsa-sha384", f"{MORE}hmac-sha384", "rim.signature.method"),
        (
            f'"{MORE}ecdsa-sha384"/>',
            f'"{MORE}ecdsa-sha384"><ds:HMACOutputLength>1</ds:HMACOutputLength>'
            "</ds:SignatureMethod>",
            "rim.signature.method",
        ),
        (f'"{MORE}ecdsa-sha384"', f'"{MORE}ecdsa-sha384" Id="a"', "rim.signature.method"),
        (f"{MORE}sha384", "http://www.w3.org/2000/09/xmldsig#sha1", "rim.signature.digest-method"),
        (f"{MORE}sha384", "http://www.w3.org/2001/04/xmlenc#sha256", "rim.signature.digest-method"),
        ('URI=""', 'URI="#a"', "rim.signature.reference"),
        ('URI=""', 'URI="http://127.0.0.1/"', "rim.signature.reference"),
        (' URI=""', "", "rim.signature.reference"),
        ('URI=""', 'URI="" Type="a"', "rim.signature.reference"),
        ("<ds:DigestMethod", "<ds:Other/><ds:DigestMethod", "rim.signature.reference"),
        ("<ds:Transforms>", '<ds:Transforms Id="a">', "rim.signature.transforms"),
        (
            f'<ds:Transform Algorithm="{ENVELOPED}"/>',
            "",
            "rim.signature.transforms",
        ),
        (
            "</ds:Transforms>",
            '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"/>'
            "</ds:Transforms>",
            "rim.signature.transforms",
        ),
        (
            f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{C14N}"/>',
            f'<ds:Transform Algorithm="{C14N}"/><ds:Transform Algorithm="{ENVELOPED}"/>',
            "rim.signature.transforms",
        ),
        (
            f'<ds:Transform Algorithm="{C14N}"/></ds:Transforms>',
            f'<ds:Transform Algorithm="{ENVELOPED}"/></ds:Transforms>',
            "rim.signature.transforms",
        ),
        (
            f'<ds:Transform Algorithm="{ENVELOPED}"/>',
            f'<ds:Transform Algorithm="{C14N}"/>',
            "rim.signature.transforms",
        ),
    ],
)
def test_another_algorithm_or_reference_is_refused(old, new, reason):
    assert refused(having(old, new)) == {reason}


def test_a_second_reference_and_none_are_refused():
    reference = re.compile("<ds:Reference .*</ds:Reference>")
    found = reference.findall(SIGNATURE.decode())[0]
    for xml in (having(found, found + found), having(found, "")):
        assert refused(xml) == {"rim.signature.reference"}


# Its values


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "%%%%",
        base64.b64encode(bytes(47)).decode(),
        base64.b64encode(bytes(49)).decode(),
        base64.b64encode(bytes(32)).decode(),
        f"<a/>{base64.b64encode(bytes(48)).decode()}",
        "\u0661\u0662\u0663\u0664",
    ],
)
def test_a_digest_of_another_form_is_refused(digest):
    true = base64.b64encode(_digest()).decode()
    assert refused(having(true, digest)) == {"rim.signature.digest-form"}


def _digest() -> bytes:
    return base64.b64decode(_text("DigestValue"))


def _text(name: str) -> str:
    """What stands in an element of the signature."""
    return str(re.findall(f"<ds:{name}>(.*)</ds:{name}>", SIGNATURE.decode())[0])


def test_the_digest_is_of_this_manifest():
    other = base64.b64encode(hashlib.sha384(b"other").digest()).decode()
    true = base64.b64encode(_digest()).decode()
    assert refused(having(true, other)) == {"rim.signature.digest"}


def _with_value(value: str) -> bytes:
    return BEFORE + SIGNATURE.replace(_text("SignatureValue").encode(), value.encode()) + BEHIND


@pytest.mark.parametrize(
    "value",
    ["", "=", "%", *(base64.b64encode(bytes(size)).decode() for size in (48, 95, 97, 104)), "<a/>"],
)
def test_a_value_that_is_not_r_and_s_is_refused(value):
    assert refused(_with_value(value)) == {"rim.signature.value-form"}


@pytest.mark.parametrize("value", [bytes(96), b"\xff" * 96, bytes(95) + b"\1"])
def test_numbers_that_no_signature_has_are_refused(value):
    assert refused(_with_value(base64.b64encode(value).decode())) == {"rim.signature"}


def test_whitespace_within_base64_is_none():
    value = _text("SignatureValue")
    assert refused(_with_value(f"\n {value[:64]}\r\n\t{value[64:]} ")) == set()


def test_a_signature_by_another_key_is_refused():
    assert refused(rim.sign_document(BODY, nvidia_pki.new_key(), DERS)) == {"rim.signature"}
    assert refused(rim.sign_document(BODY, CHAIN.keys[1], DERS)) == {"rim.signature"}


def test_a_signature_over_another_info_is_refused():
    assert refused(around("<ds:SignedInfo>", "<ds:SignedInfo> ")) == {"rim.signature"}


def test_a_comment_cannot_hide_in_a_value():
    assert refused(around("<ds:DigestValue>", "<ds:DigestValue><!-- -->")) == {"rim.xml.plain"}
