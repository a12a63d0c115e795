"""HPKE in the guest: the known answers, and that nothing that was changed opens."""

from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ccgpu.domain.secret import Secret
from ccgpu.guest import release
from ccgpu.templates.guest.release import hpke
from support.hpke_vectors import ASSOCIATED, CONTENT, INFO, VECTORS

_EACH = pytest.mark.parametrize("vector", VECTORS.values(), ids=list(VECTORS))


@_EACH
def test_the_shared_secret_is_that_of_the_rfc(vector):
    shared = hpke.decapsulate(vector.private_key, bytes.fromhex(vector.encapsulated))
    assert shared.hex() == vector.shared


@_EACH
def test_the_key_schedule_is_that_of_the_rfc(vector):
    key, nonce = hpke.key_schedule(bytes.fromhex(vector.shared), INFO, vector.key_size)
    assert (key.hex(), nonce.hex()) == (vector.key, vector.nonce)


@_EACH
def test_the_message_of_the_rfc_opens(vector):
    message, size = vector.message, vector.key_size
    opened = hpke.open_message(vector.private_key, message, INFO, ASSOCIATED, size)
    assert opened == CONTENT


@_EACH
def test_nothing_that_was_changed_opens(vector):
    key, message, size = vector.private_key, vector.message, vector.key_size
    for at in range(len(message)):
        other = bytearray(message)
        other[at] ^= 1
        with pytest.raises(hpke.CannotBeOpened):
            hpke.open_message(key, bytes(other), INFO, ASSOCIATED, size)
    for cut in range(len(message)):
        with pytest.raises(hpke.CannotBeOpened):
            hpke.open_message(key, message[:cut], INFO, ASSOCIATED, size)
    for other_info, other_aad in ((INFO + b"\0", ASSOCIATED), (INFO, b""), (b"", ASSOCIATED)):
        with pytest.raises(hpke.CannotBeOpened):
            hpke.open_message(key, message, other_info, other_aad, size)
    with pytest.raises(hpke.CannotBeOpened):
        hpke.open_message(X25519PrivateKey.generate(), message, INFO, ASSOCIATED, size)


# RFC 7748, §6.1: with a point of low order the agreed secret is zero. These two are 0 and 1.
@pytest.mark.parametrize("point", [bytes(32), b"\x01" + bytes(31)])
def test_a_point_of_low_order_opens_nothing(point):
    with pytest.raises(hpke.CannotBeOpened):
        hpke.decapsulate(X25519PrivateKey.generate(), point)


def test_a_key_of_the_agreement_that_is_zero_is_refused_whatever_the_package_does():
    class Careless:
        """An X25519 that does not look at its result."""

        def exchange(self, _):
            return bytes(32)

    with pytest.raises(hpke.CannotBeOpened):
        hpke.decapsulate(cast(X25519PrivateKey, Careless()), b"\x09" + bytes(31))


def test_what_the_client_seals_the_guest_opens():
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    info = release.release_info(b"B" * 64, b"v" * 32)
    assert info == b"\0\0\0\x40" + b"B" * 64 + b"\0\0\0\x20" + b"v" * 32
    message = release.seal([Secret("name", b"value")], public, info)
    assert b'"dmFsdWU="' in hpke.open_message(private, message, info)


def test_two_messages_of_one_secret_differ():
    public = X25519PrivateKey.generate().public_key().public_bytes_raw()
    secrets = [Secret("name", b"value")]
    assert release.seal(secrets, public, b"") != release.seal(secrets, public, b"")


def test_only_an_x25519_key_is_taken():
    private = X25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    loaded = hpke.load_private_key(pem)
    assert loaded.private_bytes_raw() == private.private_bytes_raw()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    other = Ed25519PrivateKey.generate()
    for wrong in (
        b"",
        pem[:60],
        other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ):
        with pytest.raises(hpke.CannotBeOpened):
            hpke.load_private_key(wrong)
    assert hpke.ABSENT == ""


def test_more_than_one_block_is_not_made_up():
    with pytest.raises(ValueError, match="one block"):
        hpke.labeled_expand(b"", b"", b"", b"", 33)
