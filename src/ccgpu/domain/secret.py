"""Secrets that are released into a proven VM: their names, their limits. Pure.

A value is held as bytes, is in no `repr`, and is written nowhere on this machine.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ccgpu.errors import UsageProblem

NAME_PATTERN = r"[a-z0-9][a-z0-9-]{0,62}"
NAME_RULE = "lower-case letters, digits and hyphens, 1 to 63, not a hyphen first"
MOST_BYTES = 64 * 1024  # of one value
MOST_SECRETS = 16  # in one release
LAST_OWNER = 2**32 - 2  # Linux: 2^32 - 1 is "no user" (chown(2), -1)
_NAME = re.compile(NAME_PATTERN, re.ASCII)


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret, as it is released.

    name: Of its file in the VM, `/run/ccgpu/secrets/NAME`. value: 1 byte to 64 KiB. owner: The
    numeric user id in the VM that may read the file.
    """

    name: str
    value: bytes = field(repr=False)
    owner: int = 0


def is_secret_name(text: str) -> bool:
    """Whether a secret may be called so."""
    return _NAME.fullmatch(text) is not None


def find_problem(secret: Secret) -> str | None:
    """What is wrong with a secret, in words that begin with its name; None if nothing is."""
    if not is_secret_name(secret.name):
        return f"secret {secret.name!r}: a name is {NAME_RULE}"
    if not secret.value:
        return f"secret {secret.name}: its value is empty"
    if len(secret.value) > MOST_BYTES:
        return (
            f"secret {secret.name}: its value has {len(secret.value):,} bytes; "
            f"at most {MOST_BYTES:,} are released"
        )
    if not 0 <= secret.owner <= LAST_OWNER:
        return f"secret {secret.name}: owner {secret.owner} is no user id, 0 to {LAST_OWNER}"
    return None


def require_releasable(secrets: Sequence[Secret]) -> None:
    """Refuse what cannot be released together.

    Raises:
        UsageProblem: There are none or too many, two have one name, or one is wrong by itself.
    """
    if not secrets:
        raise UsageProblem("there is no secret to release")
    if len(secrets) > MOST_SECRETS:
        raise UsageProblem(
            f"{len(secrets)} secrets are too many: at most {MOST_SECRETS} are released together",
            hint="release them in several runs; each attests the VM anew",
        )
    for secret in secrets:
        if problem := find_problem(secret):
            raise UsageProblem(problem)
    names = [secret.name for secret in secrets]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageProblem(f"secret {twice[0]} is given twice", hint="a name is of one secret")
