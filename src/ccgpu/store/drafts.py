"""Writes a new spec file: a template with its name filled in, and the JSON Schema it refers to.

Existing files are overwritten only with `force`. All files are checked before one is written.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from ccgpu.errors import UsageProblem
from ccgpu.store import atomic, spec_templates
from ccgpu.store.documents import reason

_NAME_LINE = re.compile(r"^# name: .*$", re.MULTILINE)


def draft_spec(template: str, name: str | None, schema: str | None) -> str:
    """The text of a spec file; `schema` is the path of its JSON Schema for editors."""
    text = spec_templates.named(template).text
    if name is not None:
        line = f"name: {name}"
        head, _, rest = text.partition("\n\n")
        filled, count = _NAME_LINE.subn(line, text, count=1)
        text = filled if count else f"{head}\n\n{line}\n\n{rest}"
    about = f"# yaml-language-server: $schema={schema}\n" if schema else ""
    return about + text


def write_draft(files: Mapping[Path, str], *, force: bool) -> None:
    """Write the files.

    Raises:
        UsageProblem: a file exists with other content and `force` is off, or cannot be written.
    """
    for path, text in files.items():
        if not force and path.exists() and not _has_content(path, text):
            raise UsageProblem(
                f"{path} already exists",
                hint="overwrite it: `--force`; or write another file: `--file FILE`",
            )
    for path, text in files.items():
        try:
            atomic.replace(path, text.encode(), mode=atomic.OUTPUT)
        except OSError as err:
            raise UsageProblem(f"{path} cannot be written: {reason(err)}") from err


def _has_content(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False
