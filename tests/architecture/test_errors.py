"""The tree in the docstring of `ccgpu.errors` matches its classes."""

import re
from collections.abc import Iterator

from ccgpu import errors


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith(f"{errors.__name__}.")


def _documented_errors() -> Iterator[tuple[str, str, int]]:
    """(name, name of the parent, exit code) of each line of the docstring's tree."""
    above: list[str] = ["Exception"]
    for line in (errors.__doc__ or "").splitlines():
        if row := re.fullmatch(r"    ([│├└─ ]*)(\w+) +(\d+)( .*)?", line):
            depth = len(row[1]) // 4 + 1
            yield row[2], above[depth - 1], int(row[3])
            above[depth:] = [row[2]]


def _defined_errors(base: type[errors.CcgpuError]) -> Iterator[tuple[str, str, int]]:
    yield base.__name__, base.__bases__[0].__name__, base.exit_code
    for sub in base.__subclasses__():
        if _is_ours(sub):
            yield from _defined_errors(sub)


def test_the_docstring_lists_every_error_below_its_parent_with_its_exit_code():
    assert sorted(_documented_errors()) == sorted(_defined_errors(errors.CcgpuError))


def test_every_error_has_a_docstring():
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    assert len([one for one in classes if _is_ours(one)]) > 30
    assert [one.__name__ for one in classes if _is_ours(one) and not one.__doc__] == []


def test_every_error_is_imported_from_the_package():
    assert {name for name, _, _ in _defined_errors(errors.CcgpuError)} <= {*errors.__all__}
