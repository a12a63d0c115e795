"""Reads appraisal policies, from files and by shipped name, and files of reference values.

A file with any problem is refused, and the error names every problem with its place.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ccgpu.domain.spec.problems import MISSING
from ccgpu.errors import InvalidFile, Problem, UsageProblem
from ccgpu.store import atomic, documents
from ccgpu.store.documents import Document, dotted, reason

if TYPE_CHECKING:
    from ccgpu.domain.policy import Policy, ReferenceValues
    from ccgpu.domain.policy_comparison import PolicyOrigin

T = TypeVar("T")

HINT = "`ccgpu schema policy` prints every field"
_DEFAULT = "default"


def load(name_or_file: str | None = None) -> "Policy":
    """The policy of a shipped name, else of a file; `default` if None.

    Raises:
        UsageProblem: There is neither.
        InvalidFile: The file is no policy.
    """
    return load_with_origin(name_or_file)[0]


def load_with_origin(name_or_file: str | None = None) -> "tuple[Policy, PolicyOrigin | None]":
    """The same, with the origin of a policy file; None for a shipped policy."""
    wanted = name_or_file or _DEFAULT
    if wanted in names():
        return _shipped(wanted), None
    path = Path(wanted)
    if not path.is_file():
        known = ", ".join(names())
        raise UsageProblem(
            f"there is no policy {wanted!r}", hint=f"give a policy file, or one of {known}"
        )
    raw, document = documents.read_with_bytes(path)
    policy = _policy(document)
    return policy, _origin(path, raw, policy)


def _shipped(name: str) -> "Policy":
    raw = (_folder() / f"{name}.yaml").read_bytes()
    return _policy(documents.parse(raw, f"policy {name}"))


def _origin(path: Path, raw: bytes, policy: "Policy") -> "PolicyOrigin":
    from ccgpu.domain.policy_comparison import PolicyOrigin, loosened_fields

    reserved_name = policy.name in names() and policy != _shipped(policy.name)
    return PolicyOrigin(
        path=str(path),
        sha256=hashlib.sha256(raw).hexdigest(),
        reserved_name=reserved_name,
        loosened=loosened_fields(policy, _shipped(_DEFAULT)),
    )


def names() -> list[str]:
    """The names of the policies that ship."""
    return sorted(f.name.removesuffix(".yaml") for f in _folder().iterdir())


def _folder() -> Any:
    return resources.files("ccgpu") / "templates" / "policies"


def _policy(document: Document) -> "Policy":
    from ccgpu.domain.policy import Policy

    try:
        return _validate(document, Policy.model_validate)
    except InvalidFile as err:
        missing = [each.path for each in err.problems if each.message == MISSING]
        if not missing:
            raise
        raise InvalidFile(document.source, err.problems, hint=_to_add(missing)) from err


def _to_add(missing: Sequence[str]) -> str:
    """What to do about a policy that lacks fields, as one for an older release does."""
    from ccgpu.domain.policy_comparison import in_words

    there = in_words(_shipped(_DEFAULT))
    said = ", ".join(f"{path}: {there[path]}" for path in missing if path in there)
    of_default = f"; `{_DEFAULT}` has {said}" if said else ""
    return f"add what is missing, also where an older ccgpu did not ask for it{of_default}; {HINT}"


def _validate(document: Document, model: Callable[[Mapping[str, Any]], T]) -> T:
    from pydantic import ValidationError

    from ccgpu.domain.policy import policy_problems

    values = {key: value for key, value in document.values.items() if key != "$schema"}
    try:
        return model(values)
    except ValidationError as err:
        found = [_locate(document, each.path, each.message) for each in policy_problems(err)]
        raise InvalidFile(document.source, found, hint=HINT) from err


def _locate(document: Document, path: tuple[str | int, ...], message: str) -> Problem:
    """The problem with the place of its field, or of the nearest parent."""
    for end in range(len(path), -1, -1):
        if (mark := document.marks.get(path[:end])) is not None:
            return Problem(dotted(path), message, mark.line, mark.column, document.source)
    return Problem(dotted(path), message, source=document.source)


def load_reference_values(path: Path) -> "ReferenceValues":
    """The reference values in a file (YAML or JSON). `InvalidFile` if it is not valid."""
    from ccgpu.domain.policy import ReferenceValues

    return _validate(documents.read(path), ReferenceValues.model_validate)


def write_reference_values(path: Path, values: "ReferenceValues") -> None:
    """Write reference values to a new file; `UsageProblem` if it exists, or on an error."""
    text = json.dumps(values.model_dump(), indent=2) + "\n"
    try:
        atomic.create(path, text.encode(), mode=atomic.OUTPUT)
    except FileExistsError as err:
        raise UsageProblem(
            f"{path} already exists",
            hint="record to another file, or compare with this one: `--pins`",
        ) from err
    except OSError as err:
        raise UsageProblem(f"{path} cannot be written: {reason(err)}") from err
