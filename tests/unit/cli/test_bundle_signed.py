"""`--sign` and `--signer`: a bundle with a signature, against the machine's own ssh-keygen."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives import serialization as to
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from ccgpu.domain.signers import NAMESPACE
from support.attesting import Attester
from support.saved_bundles import saved_bundle
from support.signing import (
    KINDS,
    SK_ECDSA,
    SK_ED25519,
    SecurityKey,
    cosign_key,
    keygen,
    new_key,
    public_pem,
    ssh_sign,
)
from support.slow import mostly_slow

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no OpenSSH")


@pytest.fixture
def user(shell):
    """A user with a bundle, whose verdict without a signature is good."""
    Path("b.json").write_text(saved_bundle().text)
    return shell


def _verify(user, words, file="b.json"):
    return user(f"verify {file} --backend fake {saved_bundle().words} {words} -o json")


def _reasons(done):
    assert done.code == 9, done.err
    return done.document["reasons"]


def _sign(user, words, file="b.json", out="s.json"):
    return user(
        f"verify {file} --backend fake {saved_bundle().words} --save {out} --sign {words} -o json"
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", mostly_slow(KINDS, 5))
def test_openssh_verifies_what_ccgpu_signs(user, kind):
    key = new_key(user.folder, kind)
    done = _sign(user, key)
    assert done.code == 0, done.err
    assert user.guarded == [done.line]  # the process has held the key
    data = Path("s.json").read_bytes()
    line = f'alice@example.org namespaces="{NAMESPACE}" {key.with_suffix(".pub").read_text()}'
    (user.folder / "allowed").write_text(line)
    who = ("-f", f"{user.folder}/allowed", "-I", "alice@example.org")
    keygen("-Y", "verify", *who, "-n", NAMESPACE, "-s", "s.json.sig", stdin=data)
    signer = _verify(user, f"--signer {user.folder}/allowed", "s.json")
    assert signer.code == 0, signer.err
    assert signer.document["facts"]["bundle signed by"].startswith("alice@example.org SHA256:")


@pytest.mark.slow
@pytest.mark.parametrize("kind", mostly_slow(KINDS, 5))
def test_ccgpu_verifies_what_openssh_signs(user, kind):
    key = new_key(user.folder, kind)
    Path("b.json.sig").write_bytes(ssh_sign(key, Path("b.json").read_bytes()))
    assert _verify(user, f"--signer {key}.pub").code == 0
    shown = keygen("-lf", f"{key}.pub").split()[1].decode()
    assert _verify(user, f"--signer {shown}").code == 0
    Path("b.json").write_text(f"{saved_bundle().text} ")
    assert _reasons(_verify(user, f"--signer {key}.pub")) == ["bundle.signature.invalid"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SK_ED25519, SK_ECDSA])
def test_a_security_key_has_to_be_touched(user, kind):
    key, data = SecurityKey(kind), Path("b.json").read_bytes()
    Path("sk.pub").write_text(f"{key.line}\n")
    Path("b.json.sig").write_bytes(key.sign(data))
    keygen("-Y", "check-novalidate", "-n", NAMESPACE, "-s", "b.json.sig", stdin=data)
    assert _verify(user, "--signer sk.pub").code == 0
    Path("b.json.sig").write_bytes(key.sign(data, flags=0))
    assert _reasons(_verify(user, "--signer sk.pub")) == ["bundle.signature.invalid"]
    Path("b.json.sig").write_bytes(key.sign(data + b" "))
    assert _reasons(_verify(user, "--signer sk.pub")) == ["bundle.signature.invalid"]


@pytest.mark.slow
def test_a_signature_that_is_missing_or_of_another_is_refused(user):
    key, other = new_key(user.folder), new_key(user.folder, name="other")
    data = Path("b.json").read_bytes()
    assert _reasons(_verify(user, f"--signer {key}.pub")) == ["bundle.signature.absent"]
    Path("b.json.sig").write_bytes(ssh_sign(other, data))
    assert _reasons(_verify(user, f"--signer {key}.pub")) == ["bundle.signature.signer"]
    Path("mine.sig").write_bytes(ssh_sign(key, data))
    assert _verify(user, f"--signer {key}.pub --signature mine.sig").code == 0
    Path("b.json.sig").write_bytes(ssh_sign(key, data, "file"))
    assert _reasons(_verify(user, f"--signer {key}.pub")) == ["bundle.signature.namespace"]


@pytest.mark.parametrize(
    "text", ["", "c2lnbmF0dXJl*", "-----BEGIN SSH SIGNATURE-----", "{}", "AAAA\x00"]
)
def test_a_file_that_is_no_signature_is_refused(user, text):
    key = new_key(user.folder)
    Path("b.json.sig").write_text(text)
    assert _reasons(_verify(user, f"--signer {key}.pub")) == ["bundle.signature.format"]


def test_a_good_signature_does_not_make_evidence_good(user):
    key = new_key(user.folder)
    document = saved_bundle().document
    document["cpu"]["quote"] = document["cpu"]["signature"]
    Path("b.json").write_text(json.dumps(document))
    Path("b.json.sig").write_bytes(ssh_sign(key, Path("b.json").read_bytes()))
    reasons = _reasons(_verify(user, f"--signer {key}.pub"))
    assert not any(one.startswith("bundle.") for one in reasons)


def test_a_signature_that_nobody_asks_about_is_not_checked_and_named_so(user):
    Path("b.json.sig").write_text("anything")
    done = _verify(user, "")
    assert done.code == 0
    assert done.document["ignored"] == ["b.json.sig"]


def _allowed(options):
    return f"alice {options} "


@pytest.mark.parametrize(
    ("options", "reasons"),
    [
        ('namespaces="ccgpu-*,git"', []),
        ('namespaces="git"', ["bundle.signature.validity"]),
        ('valid-after="20200101Z"', []),
        ('valid-after="209901010000Z"', ["bundle.signature.validity"]),
        ('valid-before="20200101000000Z"', ["bundle.signature.validity"]),
        ('valid-after="20200101Z",valid-before="20990101Z"', []),
    ],
)
def test_a_line_of_allowed_signers_says_for_what_and_when(user, options, reasons):
    key = new_key(user.folder)
    Path("b.json.sig").write_bytes(ssh_sign(key, Path("b.json").read_bytes()))
    Path("allowed").write_text(f"# mine\n\nalice {options} {Path(f'{key}.pub').read_text()}")
    done = _verify(user, "--signer allowed")
    assert done.document["reasons"] == reasons


@pytest.mark.parametrize(
    "line",
    [
        "alice cert-authority KEY",
        'alice namespaces="a b" KEY',
        'alice namespaces="[a]" KEY',
        'alice valid-after="20200101" KEY',
        'alice valid-after="20201301Z" KEY',
        "alice namespaces KEY",
        "alice bob carol KEY",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 *",
        "nothing",
        "",
    ],
)
def test_signers_that_could_be_misread_are_refused(user, line):
    key = Path(f"{new_key(user.folder)}.pub").read_text().strip()
    Path("allowed").write_text(line.replace("KEY", key))
    assert _verify(user, "--signer allowed").code == 3


@pytest.mark.parametrize("words", ["--signer no-such-file", "--signer ."])
def test_a_signer_that_cannot_be_read_is_refused(user, words):
    assert _verify(user, words).code == 3


def test_usage(user):
    key = new_key(user.folder)
    assert _verify(user, "--signer SHA256:short").code == 2
    assert _verify(user, f"--signer {key}").code == 3  # the private key
    assert _verify(user, "--signature b.json.sig").code == 2
    assert _verify(user, f"--signer {key}.pub --signature no-such-file").code == 3
    assert _verify(user, f"--signer {key}.pub --signature x --each").code == 2
    assert _verify(user, f"--signer {key}.pub", ".").code == 2
    assert user(f"verify b.json --sign {key}").code == 2  # nothing is saved
    for name in ("s.json", "s.json.sig"):
        Path(name).touch()
        assert _sign(user, key).code == 2
        Path(name).unlink()


_PKCS8 = to.Encoding.PEM, to.PrivateFormat.PKCS8


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.generate,
        pytest.param(lambda: rsa.generate_private_key(65537, 2048), marks=pytest.mark.slow),
    ],
    ids=["ecdsa", "ed25519", "rsa"],
)
def test_a_key_in_pkcs8_signs_as_cosign_does(user, make):
    key = make()
    Path("k.pem").write_bytes(key.private_bytes(*_PKCS8, to.NoEncryption()))
    Path("k.pub").write_bytes(public_pem(key))
    assert _sign(user, "k.pem").code == 0
    done = _verify(user, "--signer k.pub", "s.json")
    assert done.code == 0, done.err
    assert "bundle signed by" in done.document["facts"]
    Path("s.json").write_bytes(Path("s.json").read_bytes() + b"\n")
    assert _reasons(_verify(user, "--signer k.pub", "s.json")) == ["bundle.signature.invalid"]
    ssh = new_key(user.folder)
    Path("b.json.sig").write_bytes(Path("s.json.sig").read_bytes())
    assert "bundle.signature.signer" in _reasons(_verify(user, f"--signer {ssh}.pub"))


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl")
def test_openssl_verifies_what_a_key_of_cosign_signs(user, monkeypatch):
    key = ec.generate_private_key(ec.SECP256R1())
    Path("cosign.key").write_bytes(cosign_key(key, b"secret"))
    Path("cosign.pub").write_bytes(public_pem(key))
    monkeypatch.setenv("COSIGN_PASSWORD", "secret")
    assert _sign(user, "cosign.key").code == 0
    assert _verify(user, "--signer cosign.pub", "s.json").code == 0
    Path("raw").write_bytes(base64.b64decode(Path("s.json.sig").read_bytes()))
    line = ["openssl", "dgst", "-sha256", "-verify", "cosign.pub", "-signature", "raw", "s.json"]
    assert subprocess.run(line, capture_output=True, check=True).stdout == b"Verified OK\n"


def test_a_password_is_asked_for_or_the_key_stays_shut(user, monkeypatch):
    monkeypatch.delenv("COSIGN_PASSWORD", raising=False)
    key = ec.generate_private_key(ec.SECP256R1())
    Path("cosign.key").write_bytes(cosign_key(key, b"secret", "COSIGN"))
    done = _sign(user, "cosign.key")
    assert done.code == 2
    assert "COSIGN_PASSWORD" in done.error["hint"]
    monkeypatch.setenv("COSIGN_PASSWORD", "other")
    assert "does not open" in _sign(user, "cosign.key").error["message"]
    Path("k.pem").write_bytes(key.private_bytes(*_PKCS8, to.BestAvailableEncryption(b"secret")))
    assert "does not open" in _sign(user, "k.pem").error["message"]
    assert not Path("s.json").exists()
    monkeypatch.setenv("COSIGN_PASSWORD", "secret")
    assert _sign(user, "k.pem").code == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"N": 1024', '"N": 1048577'),
        ('"r": 8', '"r": 9'),
        ("scrypt", "bcrypt"),
        ("nacl/secretbox", "nacl/box"),
        ('"salt"', '"pepper"'),
        ('"N": 1024', '"N": "x"'),
    ],
)
def test_a_key_file_of_cosign_that_is_another_is_refused(user, old, new):
    lines = cosign_key(ec.generate_private_key(ec.SECP256R1()), b"").splitlines(keepends=True)
    document = base64.b64decode(b"".join(lines[1:-1])).decode()
    assert old in document
    body = base64.encodebytes(document.replace(old, new).encode())
    Path("cosign.key").write_bytes(lines[0] + body + lines[-1])
    assert _sign(user, "cosign.key").code == 3


@pytest.mark.parametrize(
    "text",
    ["", "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
)
def test_a_file_that_holds_no_key_is_refused(user, text):
    Path("k").write_text(text)
    assert _sign(user, "k").code == 3
    assert not Path("s.json").exists()


def test_keys_of_other_curves_are_refused(user):
    key = ec.generate_private_key(ec.SECP384R1())
    Path("k.pem").write_bytes(key.private_bytes(*_PKCS8, to.NoEncryption()))
    assert _sign(user, "k.pem").code == 3


@pytest.mark.slow
def test_a_bundle_that_cannot_be_signed_is_kept_and_says_how(user):
    """The key has a passphrase, no agent has it, and nobody can be asked."""
    key = new_key(user.folder, passphrase="secret")
    done = _sign(user, key)
    assert done.code == 2
    assert done.document["verdict"] == "accepted"
    assert f"ssh-keygen -Y sign -n {NAMESPACE}" in done.error["hint"]
    assert Path("s.json").exists()
    assert not Path("s.json.sig").exists()


@pytest.mark.slow
def test_attest_signs_what_it_saves(shell):
    demo, key = Attester(shell).make(), new_key(shell.folder)
    assert demo(f"--sign {key}").code == 2
    assert demo.challenges == []
    done = demo(f"--save b.json --sign {key}")
    assert done.code == 0, done.err
    made_at = json.loads(Path("b.json").read_text())["made_at"]
    line = f"verify b.json --backend fake --at {made_at} --signer {key}.pub"
    assert shell(line).code == 0
    demo.scenario("devtools")
    assert demo(f"--save c.json --sign {shell.folder}/key.pub").code == 9  # outranks: no agent
    assert Path("c.json").exists()


def test_a_report_asks_for_the_signature_again(user):
    key = new_key(user.folder, "ed25519")
    Path("b.json.sig").write_bytes(ssh_sign(key, Path("b.json").read_bytes()))
    done = _verify(user, f"--signer {key}.pub --signature b.json.sig --report page.html")

    assert done.code == 0, done.err
    page = Path("page.html").read_text()
    assert f"--signer {key}.pub" in page
    assert "--signature b.json.sig" in page


def test_a_report_has_the_hash_of_the_bytes_that_were_judged(user):
    """Of a pipe they can be read once only; a file may be another one by then."""
    os.mkfifo("pipe")
    data = Path("b.json").read_bytes()
    writer = Thread(target=Path("pipe").write_bytes, args=(data,))
    writer.start()
    done = _verify(user, "--report page.html", "pipe")
    writer.join()

    assert done.code == 0, done.err
    assert hashlib.sha256(data).hexdigest() in Path("page.html").read_text()
