"""The templates of workloads: those that ship with ccgpu, and files of the user."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccgpu.errors import InvalidFile, Problem, UsageProblem
from ccgpu.store import documents, model_files
from ccgpu.store.documents import Document

if TYPE_CHECKING:
    from ccgpu.domain.workload.template import WorkloadTemplate

HINT = "`ccgpu schema workload` prints every field"
_MAX_FILE = 64 * 1024  # of a file that a container runs


def names() -> list[str]:
    """The names of the shipped workloads."""
    files = (entry.name for entry in _folder().iterdir())
    return sorted(name.removesuffix(".yaml") for name in files if name.endswith(".yaml"))


def load(use: str) -> "WorkloadTemplate":
    """The shipped template of this name, else the template in this file.

    Raises:
        UsageProblem: there is no such workload and no such file.
        InvalidFile: the file is not a valid template.
    """
    if use in names():
        return _shipped(use)
    path = Path(use)
    if not path.is_file():
        raise UsageProblem(
            f"there is no workload {use!r}",
            hint=f"choose one of {', '.join(names())}, or give a file ({HINT})",
        )
    return _parse(documents.read(path))


def texts(use: str, template: "WorkloadTemplate") -> Mapping[str, str]:
    """The texts of the files that a template names, by name: they lie beside it.

    Raises:
        InvalidFile: one is missing, is not UTF-8, or is larger than 64 KiB.
    """
    folder = _folder() if use in names() else Path(use).parent
    return {each.file: _text(folder / each.file, each.file) for each in template.files}


@cache  # it is part of the program, and frozen
def _shipped(name: str) -> "WorkloadTemplate":
    raw: bytes = (_folder() / f"{name}.yaml").read_bytes()
    return _parse(documents.parse(raw, f"workload {name}"))


def _parse(document: Document) -> "WorkloadTemplate":
    from ccgpu.domain.workload.template import WorkloadTemplate

    return model_files.validate(document, WorkloadTemplate.model_validate, "workload", HINT)


def _text(file: Any, name: str) -> str:
    try:
        raw: bytes = file.read_bytes()
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise InvalidFile(name, [Problem("", "cannot be read as UTF-8 text")]) from err
    if len(raw) > _MAX_FILE:
        raise InvalidFile(name, [Problem("", f"is larger than {_MAX_FILE // 1024} KiB")])
    return text


def _folder() -> Any:
    return resources.files("ccgpu") / "templates" / "workloads"
