"""The file of the user's defaults, `config.yaml` in the user's configuration folder.

It is read each time it is needed. Without a file nothing is set.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ccgpu.errors import InvalidFile, Problem, StateUnusable
from ccgpu.store import atomic, documents, folders, model_files
from ccgpu.store.documents import Document, FieldPath
from ccgpu.store.layers import Layer, Place

HINT = "`ccgpu schema config` prints every setting"


@dataclass(frozen=True, slots=True)
class UserConfig:
    """The settings of the file, and the line of each."""

    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    path: Path | None = None

    def layer(self) -> Layer:
        """The settings that are fields of a spec: the lowest layer of one."""
        from ccgpu.domain.user_config import SPEC_FIELDS

        values = {name: self.values[name] for name in SPEC_FIELDS if name in self.values}
        places: dict[FieldPath, Place] = {
            (name,): Place(str(self.path), self.lines.get(name), 1) for name in values
        }
        return Layer(values, places)

    def policy(self) -> str | None:
        """The policy; a file is relative to this one's folder, unless a policy has that name."""
        from ccgpu.store import policies

        wanted = self.values.get("policy")
        if wanted is None or self.path is None or wanted in policies.names():
            return wanted
        return str(self.path.parent / Path(wanted).expanduser())


def read(path: Path | None) -> UserConfig:
    """The settings of the file; `InvalidFile` with every problem."""
    if path is None or not path.exists():
        return UserConfig()
    return _validated(path, documents.read(path))


def _validated(path: Path, document: Document) -> UserConfig:
    from ccgpu.domain.user_config import UserSettings

    found = model_files.validate(document, UserSettings.model_validate, "config", HINT)
    values = found.model_dump(mode="json", exclude_none=True)
    lines = {name: mark.line for name in values if (mark := document.marks.get((name,)))}
    return UserConfig(values, lines, path)


def write(path: Path, name: str, value: Any) -> UserConfig:
    """Set `name`, or remove it (None), and keep the other lines of the file as they are.

    Raises:
        InvalidFile: the value, or another one that is in the file, is not valid.
        StateUnusable: the file cannot be written.
    """
    old = path.read_bytes() if path.exists() else b""
    text = _edited(path, old, name, value)
    if not text.strip():
        _on_disk(path, None)
        return UserConfig()
    try:
        made = _validated(path, documents.parse(text.encode(), str(path)))
    except InvalidFile as err:
        raise _of_value(err, name, value) from err
    _on_disk(path, text.encode())
    return made


def _of_value(err: InvalidFile, name: str, value: Any) -> InvalidFile:
    """The error of a file that was not written: what is wrong with the value stands in no line."""
    if all(one.path.split(".")[0] != name for one in err.problems):
        return err
    words = [name, *(value if isinstance(value, list) else [str(value)])]
    problems = [
        Problem(one.path, one.message) if one.path.split(".")[0] == name else one
        for one in err.problems
    ]
    return InvalidFile(f"config set {shlex.join(words)}", problems, hint=err.hint)


def _edited(path: Path, old: bytes, name: str, value: Any) -> str:
    """The file's text with another value of `name`, whose other lines stay where that works."""
    before = _values(path, old)
    wanted = {key: known for key, known in before.items() if key != name}
    wanted |= {} if value is None else {name: value}
    if not wanted:
        return ""
    text = _with_lines(path, old, name, _dump({name: value}) if value is not None else "")
    try:
        if _values(path, text.encode()) == wanted:
            return text
    except InvalidFile:
        pass
    return _dump(wanted)


def _values(path: Path, raw: bytes) -> dict[str, Any]:
    return dict(documents.parse(raw, str(path)).values) if raw.strip() else {}


def _with_lines(path: Path, old: bytes, name: str, new: str) -> str:
    """The text with `new` in place of the lines of `name`, else at its end."""
    text = documents.decode_text(old, str(path))
    lines = text.splitlines(keepends=True)
    marks = documents.parse(old, str(path)).marks if text.strip() else {}
    starts = sorted(mark.line for key, mark in marks.items() if len(key) == 1)
    mark = marks.get((name,))
    if mark is None:
        end = "" if not text or text.endswith("\n") else "\n"
        return text + end + new
    following = [line for line in starts if line > mark.line]
    last = following[0] - 1 if following else len(lines)
    while last > mark.line and (not lines[last - 1].strip() or lines[last - 1].startswith("#")):
        last -= 1  # what stands before the next setting belongs to that
    return "".join([*lines[: mark.line - 1], new, *lines[last:]])


def _dump(values: Mapping[str, Any]) -> str:
    import yaml

    def line(name: str, value: Any) -> str:
        flow = None if isinstance(value, list) else False  # a list stands on its name's line
        text: str = yaml.safe_dump({name: value}, default_flow_style=flow)
        return text

    return "".join(line(name, value) for name, value in values.items())


def _on_disk(path: Path, data: bytes | None) -> None:
    try:
        if data is None:
            if path.exists():
                atomic.remove(path)
            return
        folders.make_private(path.parent)
        atomic.replace(path, data)
    except OSError as err:
        raise StateUnusable(f"{path}: {err.strerror}") from err
