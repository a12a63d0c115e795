"""Reads appraisal policies, shipped or from files.

An invalid file is refused with an error that lists every problem and its place.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccgpu.domain.spec.problems import MISSING
from ccgpu.errors import InvalidFile, UsageProblem
from ccgpu.store import documents, model_files
from ccgpu.store.documents import Document
from ccgpu.store.input_files import input_name, is_stdin
from ccgpu.store.mistaken_files import mistaken_for

if TYPE_CHECKING:
    from ccgpu.domain.policy import Policy
    from ccgpu.domain.policy_comparison import PolicyOrigin

HINT = "`ccgpu schema policy` prints every field"
_DEFAULT = "default"


def load(name_or_file: str | None = None) -> "Policy":
    """The shipped policy with this name, else the policy in this file. None: `default`.

    Raises:
        UsageProblem: There is no such policy and no such file.
        InvalidFile: The file is not a valid policy.
    """
    return load_with_origin(name_or_file)[0]


def load_with_origin(name_or_file: str | None = None) -> "tuple[Policy, PolicyOrigin | None]":
    """As `load`, with the origin of a policy file; None for a shipped policy."""
    wanted = _DEFAULT if name_or_file is None else name_or_file
    if wanted in names():
        return _shipped_policy(wanted), None
    path = Path(wanted)
    if not is_stdin(path) and not path.is_file():
        known = ", ".join(names())
        raise UsageProblem(
            f"there is no policy {wanted!r}", hint=f"give a policy file, or one of {known}"
        )
    raw, document = documents.read_with_bytes(path)
    policy = _parse_policy(document)
    return policy, _origin(path, raw, policy)


def shipped_sha256(name: str) -> str:
    """The SHA-256 (hex) of the file of a shipped policy."""
    return hashlib.sha256(_shipped_bytes(name)).hexdigest()


@cache  # it is part of the program, and frozen
def _shipped_policy(name: str) -> "Policy":
    return _parse_policy(documents.parse(_shipped_bytes(name), f"policy {name}"))


def _shipped_bytes(name: str) -> bytes:
    raw: bytes = (_folder() / f"{name}.yaml").read_bytes()
    return raw


def _origin(path: Path, raw: bytes, policy: "Policy") -> "PolicyOrigin":
    from ccgpu.domain.policy_comparison import PolicyOrigin, loosened_fields

    reserved_name = policy.name in names() and policy != _shipped_policy(policy.name)
    return PolicyOrigin(
        path=input_name(path),
        sha256=hashlib.sha256(raw).hexdigest(),
        reserved_name=reserved_name,
        loosened=loosened_fields(policy, _shipped_policy(_DEFAULT)),
    )


def names() -> list[str]:
    """The names of the shipped policies."""
    return sorted(f.name.removesuffix(".yaml") for f in _folder().iterdir())


def _folder() -> Any:
    return resources.files("ccgpu") / "templates" / "policies"


def _parse_policy(document: Document) -> "Policy":
    from ccgpu.domain.policy import Policy

    try:
        return model_files.validate(document, Policy.model_validate, "policy", HINT)
    except InvalidFile as err:
        missing = [each.path for each in err.problems if each.message == MISSING]
        if not missing or mistaken_for("policy", document.source, document.values):
            raise
        raise InvalidFile(document.source, err.problems, hint=_missing_hint(missing)) from err


def _missing_hint(missing: Sequence[str]) -> str:
    """The hint for a policy with missing fields, such as one for an older release."""
    from ccgpu.domain.policy_comparison import in_words

    defaults = in_words(_shipped_policy(_DEFAULT))
    listed = ", ".join(f"{path}: {defaults[path]}" for path in missing if path in defaults)
    of_default = f"; `{_DEFAULT}` has {listed}" if listed else ""
    return f"add what is missing, also where an older ccgpu did not ask for it{of_default}; {HINT}"
