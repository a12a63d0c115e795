"""Only `store/atomic.py` writes files: other code could leave half a file."""

import ast
from collections.abc import Iterator

import pytest

from support.repository import ROOT, SRC, syntax_tree

# Each with the reason why it may.
_MAY = {
    "src/ccgpu/store/atomic.py": "it is the one place",
    "src/ccgpu/store/journals.py": "lock files, which stay empty",
    "src/ccgpu/store/line_log.py": "a log is appended to, line by line",
    "src/ccgpu/imaging/tree.py": "files of an image, in a folder of the build's own",
    "src/ccgpu/imaging/container_cache.py": "a folder that skopeo reads, in the build's own",
    "src/ccgpu/imaging/container_store.py": "the store of an image, in the build's own folder",
    "src/ccgpu/imaging/root_reading.py": "a copy of a disk's root, in a folder that goes again",
    "src/ccgpu/imaging/disk_parts.py": "a disk, of the size of one, in the build's own folder",
    "src/ccgpu/fakearm/store.py": "SQLite writes the simulated subscription",
    "src/ccgpu/fakeguest/copying.py": "copies out of a simulated VM, as scp makes them",
    "src/ccgpu/cli/streams.py": "the process's own streams, and the null device in their place",
    "src/ccgpu/guest/ssh_master.py": "messages of ssh, in a folder that goes with the connection",
}
_METHODS = {"write_text", "write_bytes", "mkstemp", "NamedTemporaryFile", "TemporaryFile", "touch"}
_FLAGS = {"O_WRONLY", "O_RDWR", "O_CREAT"}


def writes(tree: ast.Module) -> list[int]:
    """The lines on which a file may be opened for writing."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.expr)]
    return [node.lineno for node in nodes if _writes(node)]


def _writes(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute) and node.attr in _FLAGS:
        return True
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    return name in _METHODS or (name in ("open", "fdopen", "FileIO") and any(_modes(node)))


def _modes(call: ast.Call) -> Iterator[bool]:
    for value in (*call.args, *(keyword.value for keyword in call.keywords)):
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield bool(set(value.value) & set("wxa+")) and set(value.value) <= set("rwxab+t")


@pytest.mark.slow
def test_only_store_atomic_writes_files():
    files = {str(path.relative_to(ROOT)): path for path in sorted(SRC.rglob("*.py"))}
    found = {name: writes(syntax_tree(file)) for name, file in files.items() if name not in _MAY}
    assert {name: lines for name, lines in found.items() if lines} == {}, "use store.atomic"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("path.open('x', encoding='utf-8')", [1]),
        ("open(name, mode='w')", [1]),
        ("os.fdopen(3, 'wb')", [1]),
        ("os.open(path, os.O_RDWR)", [1]),
        ("path.write_text('x')", [1]),
        ("tempfile.mkstemp()", [1]),
        ("path.open('rb')", []),
        ("open(name)", []),
        ("os.open(path, os.O_RDONLY | os.O_DIRECTORY)", []),
    ],
)
def test_calls_that_write_files_are_recognised(source, found):
    assert writes(ast.parse(source)) == found
