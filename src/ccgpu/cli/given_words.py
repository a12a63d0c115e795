"""What the parser refuses in words before they become values: empty ones, and `-` given twice.

A variable of a script that is not set leaves an empty word. It must not select a default, nor the
current folder, which is what an empty path becomes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from ccgpu.store.input_files import STDIN

_REMOTE = "-- CMD"  # words of a command in the VM, any of which may be empty
# Parts of a metavar that stand for files that are read.
_FILES = ("FILE", "EVIDENCE", "POLICY", "KEY", "IMAGE.yaml", "DISK")


def check_words(parameters: Sequence[Any], given: Mapping[str, Any]) -> None:
    """Raise `typer.BadParameter` for words that no command can mean.

    given: by parameter, the words as they were typed.
    """
    files = []
    for parameter in parameters:
        words = [*_words(given.get(parameter.name))]
        if "" in words and parameter.metavar != _REMOTE:
            raise typer.BadParameter(
                "it is empty: leave it out, or set the variable that it is taken from",
                param=parameter,
            )
        if parameter.metavar == "DIR" and STDIN in words and not _has_parser(parameter):
            raise typer.BadParameter("a folder cannot be read from standard input: name it")
        if parameter.opts == ["--stdin"] and given.get(parameter.name):
            files.append(parameter)
        if any(part in (parameter.metavar or "") for part in _FILES):
            files += [parameter] * words.count(STDIN)
    if len(files) > 1:
        names = " and ".join(dict.fromkeys(_name(one) for one in files))
        raise typer.BadParameter(
            f"only one file can be standard input, and `-` stands for {len(files)} ({names})",
            param=files[-1],
        )


def _has_parser(parameter: Any) -> bool:
    """Whether it is parsed by a function of its own, as what a command writes."""
    return parameter.type_descriptor.parameter_info.parser is not None


def _words(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list | tuple) else [value]:
        if isinstance(one, str):
            yield one


def _name(parameter: Any) -> str:
    name: str = parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar
    return name
