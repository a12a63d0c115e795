"""Mutation testing of the verifier: `make mutants` writes docs/mutants.md.

Resumable: each mutant's result is kept until the group's code or its tests change.
`scripts/mutants.py --help`.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from mutant_page import Result, page, reasons
from mutant_session import Judge, mutants_of

_ROOT = Path(__file__).resolve().parent.parent
_SOURCE = _ROOT / "src" / "ccgpu" / "attest"
_TESTS = _ROOT / "tests" / "unit" / "attest"
_GOLDEN = _ROOT / "tests" / "golden" / "attest"
_KEPT = _ROOT / "build" / "mutants"
_PAGE = _ROOT / "docs" / "mutants.md"
_PLAIN = ("-q", "-s", "-p", "no:randomly", "-p", "no:cacheprovider", "--no-header")


@dataclass(frozen=True, slots=True)
class Group:
    """Modules, and the folder with their tests."""

    name: str
    patterns: tuple[str, ...]
    tests: str

    def files(self) -> list[str]:
        """The modules, as paths below `attest`."""
        paths = (path for pattern in self.patterns for path in _SOURCE.glob(pattern))
        return sorted(str(path.relative_to(_SOURCE)) for path in paths if path.stem != "__init__")

    def test_files(self) -> list[Path]:
        """The test files; those of the whole verdict are directly in `attest`."""
        folder = _TESTS / self.tests
        return sorted(folder.glob("*.py"))

    def fingerprint(self) -> str:
        """A hash of all files that can change a result."""
        support = (_ROOT / "tests" / "support").glob("*.py")
        golden = [_GOLDEN / f"{self.tests}.json"]
        if self.tests == ".":
            golden = [_GOLDEN / "appraisal.json", *(_GOLDEN / "verdicts").iterdir()]
        shared = _TESTS / "conftest.py"
        read = [
            shared,
            *(_SOURCE / file for file in self.files()),
            *self.test_files(),
            *support,
            *golden,
        ]
        digest = hashlib.sha256()
        for path in sorted(set(read)):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    @property
    def answers(self) -> Path:
        """The file of the results."""
        return _KEPT / f"{self.name.replace(' ', '-')}-{self.fingerprint()}.jsonl"


_REPORT = ("spdm", "opaque", "vbios", "verify", "mode", "usage", "layout", "signatures")
GROUPS = (
    Group("snp", ("snp/*.py",), "snp"),
    Group("hcl", ("hcl/*.py",), "hcl"),
    Group("vtpm", ("vtpm/*.py",), "vtpm"),
    Group("policy", ("*.py",), "."),
    Group("gpu report", tuple(f"gpu/{name}.py" for name in _REPORT), "gpu"),
    Group("gpu chain", ("gpu/chain.py", "gpu/roots.py"), "gpu"),
    Group("gpu rim", ("gpu/rim*.py", "gpu/xmldsig.py", "gpu/measurements.py"), "gpu"),
    Group("gpu ocsp", ("gpu/ocsp*.py",), "gpu"),
    Group("signature", ("signature/*.py",), "signature"),
    Group("tokens", ("tokens/*.py",), "tokens"),
)


def judge(group: Group, seconds: float, modules: Sequence[str] = ()) -> None:
    """Run the tests for the mutants of a group, or of some of it, that have no result yet."""
    _KEPT.mkdir(parents=True, exist_ok=True)
    for old in _KEPT.glob(f"{group.name.replace(' ', '-')}-????????????????.jsonl"):
        if old != group.answers:
            old.unlink()
    started = time.monotonic()
    files = [file for file in group.files() if not modules or file in modules]
    plugin = Judge(_SOURCE, files, group.answers, seconds)
    tests = [str(path) for path in group.test_files() if path.name.startswith("test_")]
    os.environ.setdefault("CCGPU_VECTORS", str(_ROOT.parent / "shared" / "vectors"))
    os.environ["CCGPU_TEXTS"] = "1"
    code = pytest.main([*_PLAIN, *tests], plugins=[plugin])
    if code:
        sys.exit(f"error: the tests of {group.name} ended with {code}")
    took = time.monotonic() - started
    print(f"{group.name}: {took:.0f} s", file=sys.stderr)


def results() -> Iterator[Result]:
    """The stored results of each group."""
    for group in GROUPS:
        lines = group.answers.read_text("utf-8").splitlines() if group.answers.is_file() else []
        made = [each.name for file in group.files() for each in mutants_of(_SOURCE, file)]
        answers = [json.loads(line) for line in lines]
        names = set(made)
        known = [answer for answer in answers if answer["mutant"] in names]
        yield Result(group.name, len(made), known)


def main(arguments: list[str]) -> None:
    """Judge each group in a process of its own (a session loads the tests once), then the page."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--only", choices=[group.name for group in GROUPS], help="no page")
    parser.add_argument("--module", action="append", default=[], help="of it, as tokens/jws.py")
    parser.add_argument("--page", action="store_true", help="the page, of what is kept")
    parser.add_argument("--seconds", type=float, default=3600, help="for each group, at most")
    parsed = parser.parse_args(arguments)
    if parsed.only:
        group = next(group for group in GROUPS if group.name == parsed.only)
        if unknown := set(parsed.module) - set(group.files()):
            parser.error(f"not in {group.name}: {', '.join(sorted(unknown))}")
        judge(group, parsed.seconds, parsed.module)
        return
    if parsed.module:
        parser.error("--module needs --only")
    for group in () if parsed.page else GROUPS:
        again = [sys.executable, __file__, "--only", group.name, "--seconds", str(parsed.seconds)]
        if code := subprocess.run(again, check=False).returncode:
            sys.exit(code)
    _PAGE.write_text(page(list(results()), reasons()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
