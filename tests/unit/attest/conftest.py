"""What a user reads of a check: each text that a test brings about is one of the golden ones.

`tests/golden/attest/<folder>.json` lists, for each reason code, how it was answered, what was
expected and what was found. `--update-golden` adds what is new; delete a file first to drop what
is gone. Numbers and keys that are drawn anew for each run are written as their kind and length.

Looked at only with `--update-golden` and where CCGPU_TEXTS is set, as `make mutants` does: what is
drawn anew has another length now and then, which must not fail a build.
"""

import fcntl
import json
import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from ccgpu.attest.check import Checks, Malformed, format_value
from support.masking import mask_random_text

_HERE = Path(__file__).resolve().parent
_GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "attest"
_RECORD, _MALFORMED = Checks.record.__code__, Malformed.__init__.__code__
# Tests that try every bit or spelling of keys that are drawn anew.
_EXHAUSTIVE = re.compile(
    "flip|_no_bit_|changed_bit|changed_byte|one_spelling|damaged|other_bytes|another_byte"
)

_LOOKED_AT = "CCGPU_TEXTS" in os.environ

Text = tuple[str, str, str, str]


@pytest.fixture(autouse=True)
def texts(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that brings about a text which is not golden. Drawn evidence has drawn texts."""
    wanted = _LOOKED_AT or request.config.getoption("--update-golden")
    if not wanted or _is_drawn(request):
        yield
        return
    made: set[Text] = set()

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and (frame.f_code is _RECORD or frame.f_code is _MALFORMED):
            made.add(_text(frame.f_locals))

    before = sys.getprofile()
    sys.setprofile(look)
    yield
    sys.setprofile(before)
    subject = request.path.relative_to(_HERE).parts[0]
    name = subject if (_HERE / subject).is_dir() else "appraisal"
    file = _GOLDEN / f"{name}.json"
    new = made - _golden(file)
    if new and request.config.getoption("--update-golden"):
        _add(file, new)
    else:
        assert not new, f"not in {file.name}, `--update-golden` adds it: {sorted(new)}"


def _is_drawn(request: pytest.FixtureRequest) -> bool:
    hypothesis = getattr(request.function, "is_hypothesis_test", False)
    return hypothesis or bool(_EXHAUSTIVE.search(request.node.name))


def _text(said: dict[str, Any]) -> Text:
    answer = {True: "holds", False: "fails"}[said.get("ok") is True]
    return (
        said["rule"].id,
        answer,
        mask_random_text(format_value(said["expected"])),
        mask_random_text(format_value(said["actual"])),
    )


@cache
def _golden(file: Path) -> frozenset[Text]:
    return frozenset(_read(file)) if file.is_file() else frozenset()


def _read(file: Path) -> Iterator[Text]:
    for id_, answers in json.loads(file.read_text(encoding="utf-8") or "{}").items():
        for answer, expected, actual in answers:
            yield id_, answer, expected, actual


def _add(file: Path, new: set[Text]) -> None:
    """Other workers add theirs at the same time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = sorted({*_read(file), *new})
        held.truncate(0)
        held.write(_as_json(found))


def _as_json(texts: list[Text]) -> str:
    """One answer a line, so that a change of one reads as one."""
    ids = dict.fromkeys(id_ for id_, *_ in texts)
    blocks = [
        f"{_quoted(wanted)}: [\n"
        + ",\n".join(f"  {_quoted(answer)}" for id_, *answer in texts if id_ == wanted)
        + "\n]"
        for wanted in ids
    ]
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
