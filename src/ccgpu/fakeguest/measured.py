"""The guest of a measured image: its config, which it measures before it uses it.

It follows `templates/guest/image/config.py`: the user and the keys are those of the config, and
without a config that can be used nobody logs in. Its SSH host key is made at each boot.
"""

import base64
import hashlib
import json
from typing import Any

from ccgpu.fakearm import Machine

_NONE = b"none"  # what is measured if there is no config
_SCHEMA = "ccgpu.guest-config/1"


def config_of(machine: Machine) -> bytes:
    """The config of the present boot; empty if there was none when it began."""
    return base64.b64decode(machine.boots[-1].user_data or "")


def measured_config(machine: Machine) -> bytes:
    """What the guest has extended PCR 8 with (32 bytes)."""
    return hashlib.sha256(config_of(machine) or _NONE).digest()


def login_user(machine: Machine) -> str | None:
    """Who may log in; None for nobody."""
    try:
        document: Any = json.loads(config_of(machine))
        usable = document["schema"] == _SCHEMA and document.get("ssh_keys")
        return str(document["user"]) if usable else None
    except (ValueError, KeyError, TypeError):
        return None
