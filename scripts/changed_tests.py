"""The tests that a change can touch, found in the source: what imports what, and who names a file.

A change is all that differs from the last commit shared with `main`, and what git does not track
yet. Nothing is traced and nothing is kept between runs, so the answer is the same on every machine.
It errs on the side of too many tests: a lazy import and a module's name in a string count too.
"""

import ast
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath

from commands import fail, say

_FOLDERS = ("src", "tests", "scripts")  # as `pythonpath` in pyproject.toml
_EVERYTHING = {"pyproject.toml", "requirements-dev.lock", "tests/conftest.py"}
_ALWAYS = "tests/architecture"
_MAINS = ("main", "origin/main")


def pick(root: Path) -> list[str]:
    """The test files to run, each said with its reason, and the folder that always runs."""
    changes = changed_files(root)
    if not changes:
        say("nothing has changed")
        return []
    found = affected_tests(changes, sources(root, changes))
    others = [test for test in found if not test.startswith(_ALWAYS)]
    for test in others:
        say(f"{test}: {' <- '.join(found[test]) or 'changed itself'}")
    say(f"{_ALWAYS}: always, it reads the whole repository")
    say(f"{len(changes)} files changed; {len(others)} files of tests, and {_ALWAYS}")
    return [*others, _ALWAYS]


def changed_files(root: Path) -> list[str]:
    """Each file, by its path from the root, that is not as it was where the branch began."""
    found = [_git(root, "merge-base", "HEAD", main) for main in _MAINS]
    base = next(filter(None, found), None)
    if base is None:
        fail("no branch `main` to compare with", "run all tests: `python3 scripts/dev.py test`")
    differ = _git(root, "diff", "--name-only", "--no-renames", "-z", base.strip())
    new = _git(root, "ls-files", "--others", "--exclude-standard", "-z")
    return sorted({*differ.split("\0"), *new.split("\0")} - {""})


def sources(root: Path, changes: Iterable[str] = ()) -> dict[str, str]:
    """The text of each Python file by its path; a deleted one of `changes` has none."""
    files = (file for folder in _FOLDERS for file in (root / folder).rglob("*.py"))
    there = {file.relative_to(root).as_posix(): file.read_text("utf-8") for file in files}
    return dict.fromkeys(filter(_is_source, changes), "") | there


def affected_tests(changes: Iterable[str], texts: Mapping[str, str]) -> dict[str, list[str]]:
    """The test files that `changes` can touch, each with the way from it to the change."""
    trees = {path: ast.parse(text) for path, text in texts.items()}
    ways: dict[str, list[str]] = {}
    for change in changes:
        for path in _touched(change, trees):
            ways.setdefault(path, [path] if path == change else [path, change])
    users = _users(trees)
    waiting = deque(ways)
    while waiting:
        path = waiting.popleft()
        for user in sorted(users[path] - set(ways)):
            ways[user] = [user, *ways[path]]
            waiting.append(user)
    return {path: way for path, (_, *way) in sorted(ways.items()) if _is_test(path)}


def _touched(change: str, trees: Mapping[str, ast.Module]) -> Iterable[str]:
    """The source files that `change` touches at first hand."""
    if change in _EVERYTHING:
        return trees
    return [change] if change in trees else _naming(change, trees)


def _users(trees: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    """For each file, the files that cannot do without it: the import graph, turned round."""
    modules = {_module(path): path for path in trees}
    users: dict[str, set[str]] = {path: set() for path in trees}
    for path, tree in trees.items():
        for name in _names(tree, modules):
            for needed in _with_packages(name, modules):
                users[needed].add(path)
        for folder in PurePosixPath(path).parents:
            if (conftest := str(folder / "conftest.py")) in users:
                users[conftest].add(path)
    return users


def _names(tree: ast.Module, modules: Mapping[str, str]) -> Iterator[str]:
    """What may be a module's name: imports anywhere, and strings that name one or a package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
    texts = list(_texts(tree))
    yield from (text for text in texts if "." in text and text in modules)
    # `import_module(f"ccgpu.cli.{name}")`, `walk_packages(path, "ccgpu.attest.")`
    prefixes = tuple(text for text in texts if text.endswith(".") and text[:-1] in modules)
    yield from (name for name in modules if prefixes and name.startswith(prefixes))
    # `[sys.executable, "-m", "ccgpu"]`
    yield from (f"{text}.__main__" for option, text in pairwise(texts) if option == "-m")


def _texts(tree: ast.Module) -> Iterator[str]:
    """The strings of a module, those of one list or call one after the other."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _with_packages(name: str, modules: Mapping[str, str]) -> Iterator[str]:
    """The file of a module, or of the one a name is imported from, and those of its packages."""
    while name:
        if name in modules:
            yield modules[name]
        name = name.rpartition(".")[0]


def _naming(change: str, trees: Mapping[str, ast.Module]) -> Iterator[str]:
    """The files that name `change` in a string, and those that name its nearest named folder."""
    parts = {
        path: {part for text in _texts(tree) for part in text.split("/")}
        for path, tree in trees.items()
    }
    name, *folders = reversed(PurePosixPath(change).parts)
    yield from (path for path, named in parts.items() if name in named)
    for folder in folders:
        if found := [path for path, named in parts.items() if folder in named]:
            yield from found
            return


def _module(path: str) -> str:
    """The name that a file is imported by."""
    return ".".join(PurePosixPath(path).with_suffix("").parts[1:]).removesuffix(".__init__")


def _is_source(path: str) -> bool:
    return path.endswith(".py") and path.startswith(tuple(f"{folder}/" for folder in _FOLDERS))


def _is_test(path: str) -> bool:
    return path.startswith("tests/") and PurePosixPath(path).name.startswith("test_")


def _git(root: Path, *words: str) -> str:
    """What git answers; nothing if it refuses."""
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout
