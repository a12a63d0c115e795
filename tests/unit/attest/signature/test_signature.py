"""Signatures of bundles: what is malformed, unsupported or changed is refused, each with a code."""

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as to
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Checks, Malformed
from ccgpu.attest.signature import sshsig
from ccgpu.attest.signature.verify import verify
from ccgpu.attest.signature.wire import SshReader, ssh_string
from ccgpu.domain.signers import PublicKeySigner, SignedFile, SshSigner
from support.other_spelling import respelled
from support.signing import SK_ECDSA, SK_ED25519, SecurityKey, armored

AT = datetime(2026, 11, 29, tzinfo=UTC)
DATA = b'{"schema": "ccgpu.bundle/1"}'
KEY = ed25519.Ed25519PrivateKey.generate()


def _blob(*parts):
    return b"".join(map(ssh_string, parts))


BLOB = _blob(b"ssh-ed25519", KEY.public_key().public_bytes_raw())


def _head(data=DATA, namespace=b"ccgpu-bundle", hash_name="sha512"):
    return b"SSHSIG" + _blob(
        namespace, b"", hash_name.encode(), hashlib.new(hash_name, data).digest()
    )


def _signature(kind=b"ssh-ed25519", **changes):
    return _blob(kind, KEY.sign(_head(**changes)))


GOOD = armored(BLOB, _signature())


def _refusals(signature, *signers, data=DATA, blob=BLOB):
    checks = Checks()
    known = signers or (SshSigner(hashlib.sha256(blob).digest(), "alice"),)
    facts = verify(SignedFile(data, signature, known), AT, checks)
    failed = [check.id.removeprefix("bundle.signature.") for check in checks.made if not check.ok]
    assert failed or facts
    return failed


def test_a_good_signature_is_accepted_with_either_hash():
    assert _refusals(GOOD) == []
    assert _refusals(armored(BLOB, _signature(hash_name="sha256"), hash_name="sha256")) == []


def test_without_a_signature_there_is_none():
    assert _refusals(None) == ["absent"]


@pytest.mark.parametrize(
    "signature",
    [
        b"-----BEGIN SSH SIGNATURE-----",
        GOOD.replace(b"END", b"ENDE"),
        GOOD.replace(b"-----\n", b"-----\n*", 1),
        armored(BLOB, _signature(), head=b"SSHSIH\0\0\0\1"),
        armored(BLOB, _signature(), head=b"SSHSIG\0\0\0\2"),
        armored(BLOB, _signature(), tail=b"\0"),
        armored(BLOB, _signature(), hash_name="md5"),
        armored(BLOB, _signature(), namespace="\u00e9"),
        GOOD[:60] + b"\n-----END SSH SIGNATURE-----\n",
        b"",
        b"***",
    ],
)
def test_what_is_no_signature_is_refused(signature):
    assert _refusals(signature) == ["format"]


def test_a_signature_in_another_spelling_is_refused():
    *lines, last, end = GOOD.decode().splitlines()
    if not last.endswith("="):  # of this key's signature: as long each time
        pytest.fail("without padding there are no unused bits")
    assert _refusals("\n".join([*lines, respelled(last), end]).encode()) == ["format"]
    key = ec.generate_private_key(ec.SECP256R1())
    bare = ""
    while not bare.endswith("="):
        bare = base64.b64encode(key.sign(DATA, ec.ECDSA(hashes.SHA256()))).decode()
    signer = PublicKeySigner(_spki(key))
    assert _refusals(bare.encode(), signer) == []
    assert _refusals(respelled(bare).encode(), signer) == ["format"]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_signature_or_malformed(data):
    for raw in (data, b"-----BEGIN SSH SIGNATURE-----\n" + base64.encodebytes(data)):
        with pytest.raises(Malformed):
            sshsig.parse(raw + b"-----END SSH SIGNATURE-----")
        checks = Checks()
        verify(SignedFile(DATA, raw, [SshSigner(bytes(32))]), AT, checks)
        assert not all(check.ok for check in checks.made)


def test_a_changed_byte_of_signature_or_data_is_never_accepted():
    lines = GOOD.splitlines()
    raw = base64.b64decode(b"".join(lines[1:-1]))
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1 + position % 255
        text = lines[0] + b"\n" + base64.encodebytes(changed) + lines[-1]
        assert _refusals(text)
    assert _refusals(GOOD, data=DATA + b" ") == ["invalid"]


def _rsa_blob(key):
    numbers = key.public_key().public_numbers()
    exponent, modulus = (n.to_bytes(n.bit_length() // 8 + 1) for n in (numbers.e, numbers.n))
    return _blob(b"ssh-rsa", exponent, modulus)


def _rsa(algorithm, hash_, bits=2048):
    key = rsa.generate_private_key(65537, bits)
    value = key.sign(_head(), padding.PKCS1v15(), hash_)
    return _rsa_blob(key), _blob(algorithm, value)


def _ecdsa(kind=b"ecdsa-sha2-nistp256", curve=None, hash_=None):
    key = ec.generate_private_key(curve or ec.SECP256R1())
    point = key.public_key().public_bytes(to.Encoding.X962, to.PublicFormat.UncompressedPoint)
    r, s = decode_dss_signature(key.sign(_head(), ec.ECDSA(hash_ or hashes.SHA256())))
    pair = _blob(*(n.to_bytes(n.bit_length() // 8 + 1) for n in (r, s)))
    return _blob(kind, kind[-8:], point), _blob(kind, pair), r


def test_rsa_and_ecdsa_verify():
    for name, of_rsa in ((b"rsa-sha2-256", hashes.SHA256()), (b"rsa-sha2-512", hashes.SHA512())):
        blob, signature = _rsa(name, of_rsa)
        assert _refusals(armored(blob, signature), blob=blob) == []
    for kind, curve, hash_ in (
        (b"ecdsa-sha2-nistp256", ec.SECP256R1(), hashes.SHA256()),
        (b"ecdsa-sha2-nistp384", ec.SECP384R1(), hashes.SHA384()),
        (b"ecdsa-sha2-nistp521", ec.SECP521R1(), hashes.SHA512()),
    ):
        blob, signature, _ = _ecdsa(kind, curve, hash_)
        assert _refusals(armored(blob, signature), blob=blob) == []


def _unsupported():
    yield "SHA-1", *_rsa(b"ssh-rsa", hashes.SHA256())
    yield "short RSA", *_rsa(b"rsa-sha2-512", hashes.SHA512(), bits=1024)
    yield "certificate", _blob(b"ssh-ed25519-cert-v01@openssh.com", b""), _signature()
    yield "no type", b"", _signature()
    yield "no signature", BLOB, b""
    yield "another algorithm", BLOB, _signature(b"rsa-sha2-512")
    yield "longer", BLOB, _signature() + b"\0"
    yield "no key", _blob(b"ssh-ed25519", b"short"), _signature()
    blob, signature, r = _ecdsa()
    yield "another curve", blob, signature.replace(b"nistp256", b"nistp384")
    negative = _blob(b"ecdsa-sha2-nistp256", _blob(b"\x80", b"\1"))
    yield "a negative number", blob, negative
    yield "a long number", blob, _blob(b"ecdsa-sha2-nistp256", _blob(b"\0\1", b"\1"))
    yield "three numbers", blob, _blob(b"ecdsa-sha2-nistp256", _blob(b"\1", b"\1", b"\1"))
    sk = SecurityKey(SK_ECDSA).blob
    yield "security key of another curve", sk.replace(b"nistp256", b"nistp384", 1), signature
    tail = _blob(SK_ECDSA.encode(), _blob(b"\1", b"\1"))
    yield "security key without flags", sk, tail
    yield "security key, bad curve", _blob(SK_ECDSA.encode(), b"nistp384", b"", b""), tail
    assert r


@pytest.mark.parametrize(
    ("blob", "signature"), [pytest.param(*rest, id=name) for name, *rest in _unsupported()]
)
def test_keys_and_signatures_that_are_not_supported_are_refused(blob, signature):
    assert _refusals(armored(blob, signature), blob=blob) == ["invalid"]


@pytest.mark.parametrize("kind", [SK_ED25519, SK_ECDSA])
def test_a_security_key_signs_for_one_purpose_after_a_touch(kind):
    key = SecurityKey(kind)
    assert _refusals(key.sign(DATA), blob=key.blob) == []
    assert _refusals(key.sign(DATA, flags=4), blob=key.blob) == ["invalid"]
    assert _refusals(key.sign(DATA, namespace="file"), blob=key.blob) == ["invalid"]


def test_the_signer_is_the_callers_choice():
    other = SshSigner(bytes(32))
    assert _refusals(GOOD, other) == ["signer"]
    assert _refusals(GOOD, *([other] * 9), SshSigner(hashlib.sha256(BLOB).digest())) == []
    assert _refusals(armored(BLOB, _signature(namespace=b"file"), namespace="file")) == [
        "namespace"
    ]


def test_one_of_several_lines_of_the_same_key_is_enough():
    digest = hashlib.sha256(BLOB).digest()
    old = SshSigner(digest, "old", valid_before=datetime(2020, 1, 1, tzinfo=UTC))
    git = SshSigner(digest, "git", namespaces=("git",))
    later = SshSigner(digest, "later", valid_after=datetime(2099, 1, 1, tzinfo=UTC))
    assert _refusals(GOOD, old, git, later) == ["validity"]
    assert _refusals(GOOD, old, git, later, SshSigner(digest, valid_before=AT.replace(2027))) == []
    assert _refusals(GOOD, SshSigner(digest, valid_before=AT)) == ["validity"]
    assert _refusals(GOOD, SshSigner(digest, valid_after=AT)) == []


def _spki(key):
    return key.public_key().public_bytes(to.Encoding.DER, to.PublicFormat.SubjectPublicKeyInfo)


def test_a_bare_signature_is_by_one_of_the_given_keys():
    key, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    signature = base64.b64encode(key.sign(DATA, ec.ECDSA(hashes.SHA256())))
    signers = [PublicKeySigner(_spki(other)), PublicKeySigner(_spki(key))]
    assert _refusals(signature, *signers) == []
    assert _refusals(signature, signers[0]) == ["invalid"]
    assert _refusals(signature, *signers, data=b"") == ["invalid"]
    assert _refusals(signature) == ["signer", "invalid"]
    assert _refusals(base64.b64encode(KEY.sign(DATA)), PublicKeySigner(_spki(KEY))) == []
    no_signer = PublicKeySigner(_spki(x25519.X25519PrivateKey.generate()))
    assert _refusals(signature, no_signer) == ["invalid"]
    big = rsa.generate_private_key(65537, 2048)
    by_rsa = base64.b64encode(big.sign(DATA, padding.PKCS1v15(), hashes.SHA256()))
    assert _refusals(by_rsa, PublicKeySigner(_spki(big))) == []


def test_a_reader_takes_no_more_than_there_is():
    reader = SshReader(b"\0\0\0\1")
    with pytest.raises(ValueError, match="too early"):
        reader.string()
