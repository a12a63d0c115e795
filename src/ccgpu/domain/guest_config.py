"""The config of a measured image's guest, `ccgpu.guest-config/1`: who may log in.

The VM measures these bytes into PCR 8 before it uses them, so they are a function of the spec
alone, the same for every create. They are public: Azure and the host read them. The reader is
`templates/guest/image/config.py`; docs/measured-image-build.md has the fields.
"""

import hashlib
import json
from collections.abc import Iterable

SCHEMA = "ccgpu.guest-config/1"
MOST_KEYS = 64  # that the guest takes
CONFIG_LIMIT = 48 * 1024  # bytes: IMDS userData holds 64 KiB of base64, Microsoft's "User Data"


def config_bytes(user: str, ssh_keys: Iterable[str]) -> bytes:
    """The config that lets `user` in with these public keys.

    Comments of keys are left out: they say nothing about who may log in.
    """
    keys = [" ".join(line.split()[:2]) for line in ssh_keys]
    document = {"schema": SCHEMA, "user": user, "ssh_keys": keys}
    return (json.dumps(document, indent=2) + "\n").encode()


def config_sha256(config: bytes) -> str:
    """What the VM extends PCR 8 with, in hex."""
    return hashlib.sha256(config).hexdigest()
