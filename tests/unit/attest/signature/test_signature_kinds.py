"""Each kind of key verifies its own signatures alone; each refusal says what was expected."""

import base64
import hashlib
import re
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as to
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ccgpu.attest.check import Checks, Malformed
from ccgpu.attest.signature import ssh_keys, sshsig
from ccgpu.attest.signature.verify import verify
from ccgpu.attest.signature.wire import SshReader, ssh_string
from ccgpu.domain import hostkey
from ccgpu.domain.signers import NAMESPACE, PublicKeySigner, SignedFile, SshSigner
from support.signing import SK_ECDSA, SK_ED25519, SecurityKey, armored

AT = datetime(2026, 11, 29, tzinfo=UTC)
DATA, OTHER = b"the data", b"other data"
OVER_THESE = "a signature over these bytes"
ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())


def _blob(*parts):
    return b"".join(map(ssh_string, parts))


def _number(value):
    return value.to_bytes(value.bit_length() // 8 + 1)


def _of_ed25519(data):
    key = _blob(b"ssh-ed25519", ED25519.public_key().public_bytes_raw())
    return key, _blob(b"ssh-ed25519", ED25519.sign(data))


def _of_rsa(name, hash_):
    def sign(data):
        numbers = RSA.public_key().public_numbers()
        key = _blob(b"ssh-rsa", _number(numbers.e), _number(numbers.n))
        return key, _blob(name, RSA.sign(data, padding.PKCS1v15(), hash_))

    return sign


def _of_ecdsa(name, curve, hash_):
    private = ec.generate_private_key(curve)
    uncompressed = (to.Encoding.X962, to.PublicFormat.UncompressedPoint)
    key = _blob(name, name[-8:], private.public_key().public_bytes(*uncompressed))

    def sign(data):
        numbers = decode_dss_signature(private.sign(data, ec.ECDSA(hash_)))
        return key, _blob(name, _blob(*map(_number, numbers)))

    return sign


KINDS = {
    "ed25519": _of_ed25519,
    "rsa-sha2-256": _of_rsa(b"rsa-sha2-256", hashes.SHA256()),
    "rsa-sha2-512": _of_rsa(b"rsa-sha2-512", hashes.SHA512()),
    "nistp256": _of_ecdsa(b"ecdsa-sha2-nistp256", ec.SECP256R1(), hashes.SHA256()),
    "nistp384": _of_ecdsa(b"ecdsa-sha2-nistp384", ec.SECP384R1(), hashes.SHA384()),
    "nistp521": _of_ecdsa(b"ecdsa-sha2-nistp521", ec.SECP521R1(), hashes.SHA512()),
}


@pytest.mark.parametrize("sign", KINDS.values(), ids=KINDS)
def test_a_key_verifies_its_signature_over_the_same_bytes_alone(sign):
    key, signature = sign(DATA)
    assert ssh_keys.verifies(key, signature, DATA) is True
    assert ssh_keys.verifies(key, signature, OTHER) is False


@pytest.mark.parametrize("sign", KINDS.values(), ids=KINDS)
def test_nothing_may_follow_a_signature(sign):
    key, signature = sign(DATA)
    with pytest.raises(ValueError, match=r"^it goes on after its end$"):
        ssh_keys.verifies(key, signature + b"\0", DATA)


def test_nothing_may_follow_the_two_numbers_of_ecdsa():
    key, signature = KINDS["nistp256"](DATA)
    name = b"ecdsa-sha2-nistp256"
    numbers = signature[4 + len(name) + 4 :]
    assert ssh_keys.verifies(key, _blob(name, numbers), DATA) is True
    with pytest.raises(ValueError, match=r"^it goes on after its end$"):
        ssh_keys.verifies(key, _blob(name, numbers + b"\0"), DATA)


@pytest.mark.parametrize("kind", [SK_ED25519, SK_ECDSA])
def test_nothing_may_follow_the_parts_of_a_security_key(kind):
    key = SecurityKey(kind)
    lines = key.sign(DATA).splitlines()
    reader = SshReader(base64.b64decode(b"".join(lines[1:-1]))[10:])
    blob, _, _, _, signature = (reader.string() for _ in range(5))
    assert blob == key.blob
    for changed in ((blob + b"\0", signature), (blob, signature + b"\0")):
        with pytest.raises(ValueError, match=r"^it goes on after its end$"):
            ssh_keys.verifies(*changed, DATA)
    other = SK_ECDSA if kind == SK_ED25519 else SK_ED25519
    named = ssh_string(other.encode()) + signature[4 + len(kind) :]
    with pytest.raises(ValueError, match=re.escape(f"'{other}' where {kind} belongs")):
        ssh_keys.verifies(blob, named, DATA)


LONG = b"x" * 59


@pytest.mark.parametrize(
    ("key", "signature", "message"),
    [
        (_blob(LONG + b"yz"), _blob(b"a"), f"keys of the type '{LONG.decode()}y'"),
        (
            _of_rsa(b"rsa-sha2-256", hashes.SHA256())(DATA)[0],
            _blob(LONG + b"yz", b""),
            f"RSA signatures of the kind '{LONG.decode()}y'",
        ),
        (
            _of_ed25519(DATA)[0],
            _blob(LONG + b"yz", b""),
            f"'{LONG.decode()}y' where ssh-ed25519 belongs",
        ),
    ],
    ids=["key", "rsa", "required"],
)
def test_a_long_name_is_cut_in_the_message(key, signature, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        ssh_keys.verifies(key, signature, DATA)


@pytest.mark.parametrize(
    ("data", "number"),
    [(b"", 0), (b"\x01", 1), (b"\x7f", 127), (b"\0\x80", 128), (b"\0\xff\xff", 65535)],
)
def test_a_number_is_read_in_its_shortest_form(data, number):
    reader = SshReader(ssh_string(data) + b"!")
    assert reader.number() == number
    assert reader.take(1) == b"!"


@pytest.mark.parametrize(
    "data", [b"\0", b"\0\x01", b"\0\x7f", b"\0\x7f\xff", b"\x80", b"\xff", b"\x80\0", b"\0\0\x80"]
)
def test_a_number_that_is_negative_or_too_long_is_refused(data):
    with pytest.raises(ValueError, match=r"^a number is negative, or not in its shortest form$"):
        SshReader(ssh_string(data)).number()


def _made(signature, *signers, data=DATA):
    checks = Checks()
    facts = verify(SignedFile(data, signature, signers), AT, checks)
    shown = {
        check.id.removeprefix("bundle.signature."): (check.ok, check.expected, check.actual)
        for check in checks.made
    }
    return facts, shown


def _head(data):
    digest = hashlib.sha512(data).digest()
    return b"SSHSIG" + _blob(b"ccgpu-bundle", b"", b"sha512", digest)


def _ssh_signature():
    key, signature = _of_ed25519(_head(DATA))
    return hashlib.sha256(key).digest(), armored(key, signature)


def _fingerprint(digest):
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def test_a_good_signature_says_who_signed():
    digest, signature = _ssh_signature()
    shown = _fingerprint(digest)
    good = {
        "absent": (True, "a signature", "a signature"),
        "format": (True, "a signature of ssh-keygen", "a signature of ssh-keygen"),
        "signer": (True, shown, shown),
        "namespace": (True, "ccgpu-bundle", "ccgpu-bundle"),
        "validity": (True, "any time", "2026-11-29T00:00:00Z"),
        "invalid": (True, OVER_THESE, OVER_THESE),
    }
    for name, fact in (("alice", f"alice {shown}"), ("", shown)):
        facts, made = _made(signature, SshSigner(digest, name))
        assert (facts, made) == ({"bundle signed by": fact}, good)
    facts, made = _made(signature, SshSigner(digest, "alice"), data=OTHER)
    assert made == good | {"invalid": (False, OVER_THESE, "one over other bytes")}


def test_without_a_signature_or_a_readable_one_nobody_has_signed():
    assert _made(None) == ({}, {"absent": (False, "a signature", "absent")})
    for raw, expected, actual in (
        (b"", "base64, as cosign writes it", "nothing"),
        (b"-----BEGIN SSH SIGNATURE-----", "a signature of ssh-keygen", None),
    ):
        facts, made = _made(raw)
        assert facts == {}
        ok, wanted, found = made["format"]
        assert (ok, wanted) == (False, expected)
        assert actual in (None, found)
    assert _made(b"AA*A")[1]["format"][0] is False


def test_an_armored_signature_is_between_its_two_lines():
    _, signature = _ssh_signature()
    assert sshsig.parse(b" \n" + signature).namespace == "ccgpu-bundle"
    for changed in (b"x" + signature, signature + b"x", signature.replace(b"BEGIN", b"BEGUN")):
        with pytest.raises(Malformed) as caught:
            sshsig.parse(changed)
        assert caught.value.actual == "no text between the lines of an SSH SIGNATURE"


def test_the_validity_of_a_signer_is_shown():
    digest, signature = _ssh_signature()
    after, before = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    signer = SshSigner(digest, "a", ("git", "file"), valid_after=after, valid_before=before)
    facts, made = _made(signature, signer)
    words = "for git, file after 2027-01-01T00:00:00Z before 2028-01-01T00:00:00Z"
    assert made["validity"] == (False, words, "2026-11-29T00:00:00Z")
    assert facts == {"bundle signed by": _fingerprint(digest)}
    for patterns, counts in (
        (("ccgpu-*",), True),
        (("git", "*"), True),
        (("CCGPU-BUNDLE",), False),
    ):
        assert _made(signature, SshSigner(digest, "a", patterns))[1]["validity"][0] is counts


def test_five_signers_are_named_and_the_rest_counted():
    digest, signature = _ssh_signature()
    others = [SshSigner(bytes([number]) * 32) for number in range(7)]
    names = [_fingerprint(each.fingerprint) for each in others]
    _, made = _made(signature, *others)
    assert made["signer"] == (False, ", ".join([*names[:5], "2 more"]), _fingerprint(digest))
    assert "validity" not in made
    _, made = _made(signature, *others[:5])
    assert made["signer"][1] == ", ".join(names[:5])


def _spki(key):
    return key.public_key().public_bytes(to.Encoding.DER, to.PublicFormat.SubjectPublicKeyInfo)


BARE = {
    "ecdsa": (P256, lambda data: P256.sign(data, ec.ECDSA(hashes.SHA256()))),
    "rsa": (RSA, lambda data: RSA.sign(data, padding.PKCS1v15(), hashes.SHA256())),
    "ed25519": (ED25519, ED25519.sign),
}


@pytest.mark.parametrize(("key", "sign"), BARE.values(), ids=BARE)
def test_a_bare_signature_is_over_these_bytes_by_one_of_the_given_keys(key, sign):
    signer = PublicKeySigner(_spki(key))
    name = f"the public key with SHA-256 {hashlib.sha256(signer.spki).hexdigest()}"
    raw = base64.b64encode(sign(DATA)) + b"\n"
    facts, made = _made(raw, signer)
    assert facts == {"bundle signed by": name}
    assert made["signer"] == (True, name, name)
    assert made["invalid"] == (True, OVER_THESE, OVER_THESE)
    facts, made = _made(raw, signer, data=OTHER)
    assert (facts, made["invalid"]) == ({}, (False, OVER_THESE, "one over other bytes"))


def test_a_bare_signature_needs_a_key_that_can_sign():
    of_exchange = PublicKeySigner(_spki(x25519.X25519PrivateKey.generate()))
    raw = base64.b64encode(ED25519.sign(DATA))
    facts, made = _made(raw, of_exchange)
    assert (facts, made["invalid"][0]) == ({}, False)
    facts, made = _made(raw, SshSigner(bytes(32)))
    assert facts == {}
    assert made["signer"] == (False, _fingerprint(bytes(32)), "a signature that names no key")


def _signed_by(*signers):
    key, signature = _of_ed25519(_to_be_signed(DATA))
    checks = Checks()
    facts = verify(SignedFile(DATA, armored(key, signature), signers), AT, checks)
    return facts, {made.id.rpartition(".")[2]: made for made in checks.made}


def _to_be_signed(data):
    head = (NAMESPACE.encode(), b"", b"sha512", hashlib.sha512(data).digest())
    return b"SSHSIG" + _blob(*head)


_OWN = hashlib.sha256(_of_ed25519(b"")[0]).digest()


def test_the_first_line_of_a_key_that_counts_names_it():
    facts, made = _signed_by(SshSigner(_OWN, "alice"), SshSigner(_OWN, "bob"))
    assert all(check.ok for check in made.values())
    assert [value.partition(" ")[0] for value in facts.values()] == ["alice"]


def test_a_key_of_another_kind_beside_it_is_none_of_ssh():
    facts, made = _signed_by(PublicKeySigner(b"a key"), SshSigner(_OWN, "alice"))
    assert all(check.ok for check in made.values())
    assert len(facts) == 1


@pytest.mark.parametrize(("count", "rest"), [(5, ""), (6, ", 1 more"), (8, ", 3 more")])
def test_a_check_names_the_first_signers_that_are_given(count, rest):
    others = [SshSigner(bytes([number]) * 32) for number in range(count)]
    _, made = _signed_by(*others)
    shown = ", ".join(hostkey.fingerprint(each.fingerprint) for each in others[:5])
    assert (made["signer"].ok, made["signer"].expected) == (False, shown + rest)
