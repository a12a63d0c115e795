"""Takes the config of this boot from Azure's metadata service, measures it, and then uses it.

The config is public: the host reads it. PCR 8 is extended by its digest before anything of it is
looked at, so the quote says which config a VM was given. It says who may log in, and which policy
the owner judges by.

Run once, at boot. What fails is fatal: without it nobody logs in.
"""

import base64
import binascii
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ccgpu.templates.guest.collector.tpm import RawTpm
from ccgpu.templates.guest.image.metadata import ask_patiently

IMDS = "169.254.169.254"
# Azure, "Instance metadata service": userData is in base64, and empty if a VM has none.
USER_DATA = "/metadata/instance/compute/userData?api-version=2021-01-01&format=text"
NONE = b"none"
PCR = 8
TPM, TPM_SECONDS = "/dev/tpmrm0", 30.0
SCHEMA = "ccgpu.guest-config/1"
FIELDS = {"schema", "user", "ssh_keys", "ssh_ca", "policy_sha256"}
MEASURED = Path("/run/ccgpu-config.measured")  # once a boot
COPY, LOGIN = Path("/run/ccgpu-config.json"), Path("/run/ccgpu-login")
USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
# sshd(8): no options, which could name commands.
KEY = re.compile(
    r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]{16,16384}={0,2}"
)
DIGEST = re.compile(r"[0-9a-f]{64}")


class ConfigRefused(Exception):
    """The config cannot be used."""


def fetch_config() -> bytes:
    """The config that this VM was given; empty if there is none."""
    text = ask_patiently(IMDS, "GET", USER_DATA, {"Metadata": "true"}).strip()
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as err:
        raise ConfigRefused("userData is not in base64") from err


def measure_config(config: bytes) -> None:
    """Extend PCR 8 by the digest of the config, or of the word `none`."""
    descriptor = os.open(MEASURED, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    try:
        digest = hashlib.sha256(config or NONE).digest()
        tpm = os.open(TPM, os.O_RDWR | os.O_CLOEXEC)
        try:
            RawTpm(tpm, TPM_SECONDS).pcr_extend(PCR, digest)
        finally:
            os.close(tpm)
        os.write(descriptor, digest.hex().encode() + b"\n")
    finally:
        os.close(descriptor)


def parse_config(config: bytes) -> dict[str, Any]:
    """The fields of a config, if it is one that can be used as a whole."""
    try:
        document = json.loads(config)
    except (ValueError, RecursionError) as err:
        raise ConfigRefused("the config is not JSON") from err
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise ConfigRefused(f"the config is not {SCHEMA}")
    if unknown := document.keys() - FIELDS:
        raise ConfigRefused(f"the config has unknown fields: {sorted(unknown)}")
    user, policy = document.get("user"), document.get("policy_sha256")
    if not isinstance(user, str) or not USER.fullmatch(user):
        raise ConfigRefused("the config's user is no name of a user")
    if policy is not None and not (isinstance(policy, str) and DIGEST.fullmatch(policy)):
        raise ConfigRefused("the config's policy_sha256 is no SHA-256")
    for name in ("ssh_keys", "ssh_ca"):
        keys = document.get(name, [])
        if not isinstance(keys, list) or len(keys) > 64 or not all(map(is_key, keys)):
            raise ConfigRefused(f"the config's {name} are not a list of public keys")
    return document


def is_key(line: object) -> bool:
    """Whether a line is a public key alone, without options; a comment of one word may follow."""
    if not isinstance(line, str) or not line.isascii() or not line.isprintable():
        return False
    return KEY.fullmatch(" ".join(line.split(" ")[:2])) is not None


def use_config(config: dict[str, Any]) -> None:
    """Make the user, and let the keys in."""
    words = ["--create-home", "--groups", "sudo", "--shell", "/bin/bash", "--password", "*"]
    subprocess.run(["/usr/sbin/useradd", *words, config["user"]], check=True)  # noqa: S603
    write(LOGIN / "authorized_keys", lines(config.get("ssh_keys", [])))
    write(LOGIN / "ca.pub", lines(config.get("ssh_ca", [])))


def lines(keys: Sequence[str]) -> bytes:
    """Keys, one a line."""
    return "".join(f"{key}\n" for key in keys).encode()


def write(file: Path, data: bytes) -> None:
    """Write a file that everybody may read."""
    file.write_bytes(data)
    file.chmod(0o644)


def main(_: Sequence[str]) -> int:
    """Measure the config of this boot, then use it."""
    LOGIN.mkdir(mode=0o755, exist_ok=True)
    for name in ("authorized_keys", "ca.pub"):
        write(LOGIN / name, b"")
    config = fetch_config()
    measure_config(config)
    if not config:
        sys.stdout.write("no config: nobody can log in\n")
        return 0
    try:
        use_config(parse_config(config))
    except ConfigRefused as err:
        sys.stderr.write(f"{err}: nobody can log in\n")
        return 1
    write(COPY, config)
    sys.stdout.write(f"the config is measured: {hashlib.sha256(config).hexdigest()}\n")
    return 0
