"""Selects the tests that a change can affect, by the import graph and by file names in strings.

The change is the difference to the merge base with `main`, with untracked files. The selection uses
only the source, so it is the same on every machine. It may select too many tests: lazy imports and
module names in strings count, too.
"""

import ast
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from commands import fail, say

_FOLDERS = ("src", "tests", "scripts")  # as `pythonpath` in pyproject.toml
_EVERYTHING = {"pyproject.toml", "requirements-dev.lock", "tests/conftest.py"}
_ALWAYS = "tests/architecture"
_MAINS = ("main", "origin/main")


class Mentions(NamedTuple):
    """What a source file names. strings: those of one list or call are adjacent."""

    imports: list[str]
    strings: list[str]


def pick(root: Path) -> list[str]:
    """The test files to run, printed with their reasons, and the folder that always runs."""
    changes = changed_files(root)
    if not changes:
        say("nothing has changed")
        return []
    affected = affected_tests(changes, sources(root, changes))
    others = [test for test in affected if not test.startswith(_ALWAYS)]
    for test in others:
        say(f"{test}: {' <- '.join(affected[test]) or 'changed itself'}")
    say(f"{_ALWAYS}: always, it reads the whole repository")
    say(f"{len(changes)} files changed; {len(others)} files of tests, and {_ALWAYS}")
    return [*others, _ALWAYS]


def changed_files(root: Path) -> list[str]:
    """The paths of all files that differ from the merge base with `main`."""
    bases = [_git(root, "merge-base", "HEAD", main) for main in _MAINS]
    base = next(filter(None, bases), None)
    if base is None:
        fail("no branch `main` to compare with", "run all tests: `python3 scripts/dev.py test`")
    differ = _git(root, "diff", "--name-only", "--no-renames", "-z", base.strip())
    new = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    return sorted({*differ.split("\0"), *new.split("\0")} - {""})


def sources(root: Path, changes: Iterable[str] = ()) -> dict[str, str]:
    """The text of each Python file by its path; empty for a deleted file in `changes`."""
    files = (file for folder in _FOLDERS for file in (root / folder).rglob("*.py"))
    texts = {file.relative_to(root).as_posix(): file.read_text("utf-8") for file in files}
    return dict.fromkeys(filter(_is_source, changes), "") | texts


def affected_tests(changes: Iterable[str], texts: Mapping[str, str]) -> dict[str, list[str]]:
    """The test files that `changes` can affect, each with the imports that lead to the change."""
    mentions = {path: _mentions(text) for path, text in texts.items()}
    ways: dict[str, list[str]] = {}
    for change in changes:
        for path in _directly_affected(change, mentions):
            ways.setdefault(path, [path] if path == change else [path, change])
    users = _users(mentions)
    waiting = deque(ways)
    while waiting:
        path = waiting.popleft()
        for user in sorted(users[path] - set(ways)):
            ways[user] = [user, *ways[path]]
            waiting.append(user)
    return {path: way for path, (_, *way) in sorted(ways.items()) if _is_test(path)}


def _mentions(text: str) -> Mentions:
    """Read one file. Its syntax tree is not kept: thousands would slow the garbage collector."""
    found = Mentions([], [])
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.imports.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.imports.extend(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.strings.append(node.value)
    return found


def _directly_affected(change: str, mentions: Mapping[str, Mentions]) -> Iterable[str]:
    """The source files that `change` affects directly."""
    if change in _EVERYTHING:
        return mentions
    return [change] if change in mentions else _files_naming(change, mentions)


def _users(mentions: Mapping[str, Mentions]) -> dict[str, set[str]]:
    """For each file, the files that import it: the reversed import graph."""
    modules = {_module(path): path for path in mentions}
    users: dict[str, set[str]] = {path: set() for path in mentions}
    for path, mentioned in mentions.items():
        for name in _names(mentioned, modules):
            for needed in _with_packages(name, modules):
                users[needed].add(path)
        for folder in PurePosixPath(path).parents:
            if (conftest := str(folder / "conftest.py")) in users:
                users[conftest].add(path)
    return users


def _names(mentioned: Mentions, modules: Mapping[str, str]) -> Iterator[str]:
    """Possible module names: all imports, and strings that are a module's or package's name."""
    yield from mentioned.imports
    texts = mentioned.strings
    yield from (text for text in texts if "." in text and text in modules)
    # `import_module(f"ccgpu.cli.{name}")`, `walk_packages(path, "ccgpu.attest.")`
    prefixes = tuple(text for text in texts if text.endswith(".") and text[:-1] in modules)
    yield from (name for name in modules if prefixes and name.startswith(prefixes))
    # `[sys.executable, "-m", "ccgpu"]`
    yield from (f"{text}.__main__" for option, text in pairwise(texts) if option == "-m")


def _with_packages(name: str, modules: Mapping[str, str]) -> Iterator[str]:
    """The files of the module that `name` is, or is imported from, and of its packages."""
    while name:
        if name in modules:
            yield modules[name]
        name = name.rpartition(".")[0]


def _files_naming(change: str, mentions: Mapping[str, Mentions]) -> Iterator[str]:
    """The files with the name of `change` in a string, or of its nearest folder named anywhere."""
    parts = {
        path: {part for text in mentioned.strings for part in text.split("/")}
        for path, mentioned in mentions.items()
    }
    name, *folders = reversed(PurePosixPath(change).parts)
    yield from (path for path, named in parts.items() if name in named)
    for folder in folders:
        if users := [path for path, named in parts.items() if folder in named]:
            yield from users
            return


def _module(path: str) -> str:
    """The module name of a file."""
    return ".".join(PurePosixPath(path).with_suffix("").parts[1:]).removesuffix(".__init__")


def _is_source(path: str) -> bool:
    return path.endswith(".py") and path.startswith(tuple(f"{folder}/" for folder in _FOLDERS))


def _is_test(path: str) -> bool:
    return path.startswith("tests/") and PurePosixPath(path).name.startswith("test_")


def _git(root: Path, *words: str) -> str:
    """The stdout of a git command; usually empty if it fails."""
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout
