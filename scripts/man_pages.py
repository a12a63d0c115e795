"""The manual: a man page for `ccgpu` and one for each command, of the parser's own words.

Pages are in the macros of man(7), in ASCII, and free of warnings of groff and mandoc.
"""

import re
from collections.abc import Iterator

import changelog
from ccgpu import __version__
from error_list import listed_errors
from parser_table import CommandEntry, ParameterEntry, every, root


def pages() -> dict[str, str]:
    """The text of each page by its file name, such as `ccgpu-fake-add.1`."""
    top = root()
    return {f"{_name(one)}.1": "\n".join(_page(one, top)) + "\n" for one in every(top)}


def _name(command: CommandEntry) -> str:
    return command.path.replace(" ", "-")


def _page(command: CommandEntry, top: CommandEntry) -> Iterator[str]:
    name = _name(command)
    day = changelog.released().date  # man(7) asks for a day: that of the version's release
    title = f'.TH {escaped(name.upper())} 1 {day} "ccgpu {__version__}" "ccgpu manual"'
    yield from (title, ".SH NAME", f"{escaped(name)} \\- {escaped(command.short.rstrip('.'))}")
    yield from (".SH SYNOPSIS", ".nf", _bold(command.path) + " " + escaped(_usage(command)), ".fi")
    _, *paragraphs = command.text.split("\n\n")
    examples = [one for one in paragraphs if one.startswith("Example")]
    yield ".SH DESCRIPTION"
    yield escaped(command.text.split("\n\n")[0].replace("\n", " "))
    for one in paragraphs:
        if one not in examples:
            yield from (".PP", _inline(one))
    yield from _parameters(command)
    if command.commands:
        yield ".SH COMMANDS"
        for each in command.commands.values():
            yield from (".TP", f"{_reference(each)}", _inline(each.short))
    if examples:
        yield ".SH EXAMPLES"
        for number, one in enumerate(examples):
            words = one.split(":", 1)[1].strip()
            yield from ([".PP"] if number else [])
            yield _inline(words)
    yield from _ends(command, top)


def _usage(command: CommandEntry) -> str:
    usage = command.usage
    for one in command.arguments:  # the parser shows an enumeration by the name of its variable
        if one.choices:
            usage = usage.replace(f"{{{one.names[0]}}}", f"{{{'|'.join(one.choices)}}}")
    return usage


def _parameters(command: CommandEntry) -> Iterator[str]:
    """The arguments, then the options by the headings of the help."""
    groups: dict[str, list[ParameterEntry]] = {"Arguments": [], "Options": []}
    for one in (*command.arguments, *command.options):
        groups.setdefault(one.panel, []).append(one)
    if groups["Arguments"]:
        yield ".SH ARGUMENTS"
        yield from _rows(groups.pop("Arguments"))
    else:
        del groups["Arguments"]
    yield ".SH OPTIONS"
    yield from _rows(groups.pop("Options"))
    for panel, parameters in groups.items():
        yield f".SS {escaped(panel)}"
        yield from _rows(parameters)


def _rows(parameters: list[ParameterEntry]) -> Iterator[str]:
    for one in parameters:
        shown, help_ = one.record
        if not one.names[0].startswith("-"):
            shown = "|".join(one.choices) or one.metavar or shown
        yield from (".TP", _bold(shown), _inline(help_ or one.help or shown))


def _ends(command: CommandEntry, top: CommandEntry) -> Iterator[str]:
    """What stands at the end of each page: exit status, environment, other pages."""
    yield ".SH EXIT STATUS"
    if command is top:
        codes: dict[int, list[str]] = {0: ["done"]}
        for each in listed_errors():
            codes.setdefault(each.exit_code, []).append(_first_line(each).rstrip("."))
        for code, meanings in sorted(codes.items()):
            yield from (".TP", _bold(str(code)), _inline("; ".join(meanings) + "."))
    else:
        yield f"0 if it is done; {_reference(top)} lists the others."
    variables = _variables(top if command is top else command)
    if variables:
        yield ".SH ENVIRONMENT"
        for name, option in variables.items():
            yield from (".TP", _bold(name), f"The default of {_bold(option)}.")
    others = [one for one in every(top) if one is not command and _is_near(one, command, top)]
    yield ".SH SEE ALSO"
    yield ",\n".join(_reference(one) for one in others)


def _is_near(one: CommandEntry, command: CommandEntry, top: CommandEntry) -> bool:
    if command is top:
        return " " not in one.path.removeprefix("ccgpu ")
    above = command.path.rpartition(" ")[0]
    return one is top or one.path == above or one.path.rpartition(" ")[0] == command.path


def _variables(command: CommandEntry) -> dict[str, str]:
    """The environment variables of the command and those below it, with their options."""
    return {
        option.environment: option.names[0]
        for one in every(command)
        for option in one.options
        if option.environment
    }


def _first_line(each: type) -> str:
    return " ".join((each.__doc__ or "").partition("\n\n")[0].split())


def _reference(command: CommandEntry) -> str:
    return f"\\fB{escaped(_name(command))}\\fR(1)"


def _bold(text: str) -> str:
    return f"\\fB{escaped(text)}\\fR"


def _inline(text: str) -> str:
    """A paragraph, in which `words` are bold."""
    parts = re.split(r"`([^`]+)`", " ".join(text.split()))
    shown = [_bold(part) if at % 2 else escaped(part) for at, part in enumerate(parts)]
    line = "".join(shown)
    return f"\\&{line}" if line[:1] in ".'" else line


def escaped(text: str) -> str:
    """Text as roff reads it: no escapes, no control lines, hyphens that can be copied."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    plain = "".join(one if one.isascii() else f"\\[u{ord(one):04X}]" for one in plain)
    return f"\\&{plain}" if plain[:1] in ("'", ".") else plain
