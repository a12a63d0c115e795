"""Sources of packages, as apt reads them: of one release, out of a machine's files.

Source: sources.list(5): one-line style (`deb [option=value] URI suite component...`) and deb822.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_OPTIONS = re.compile(r"\[([^\]]*)\]\s*")
_SCHEMES = ("http://", "https://", "file:/", "copy:/", "mirror+http://", "mirror+https://")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_+-]*")
_ENABLED = ("", "yes", "true", "1")


@dataclass(frozen=True, slots=True)
class AptSource:
    """Packages of some components of a release. signed_by: the files of the keys that sign it."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str | None = None

    @property
    def line(self) -> str:
        """The source in one line."""
        option = f"[signed-by={self.signed_by}] " if self.signed_by else ""
        return f"deb {option}{self.uri} {self.suite} {' '.join(self.components)}"


def parse_line(line: str) -> AptSource:
    """One source of packages.

    Raises:
        ValueError: it is none, or has an option other than `signed-by` and `arch=amd64`.
    """
    kind, _, rest = line.strip().partition(" ")
    if kind != "deb":
        raise ValueError("is not a source of packages")
    found = _OPTIONS.match(rest := rest.strip())
    words = rest[found.end() :].split() if found else rest.split()
    if len(words) < 3:
        raise ValueError("lacks the URL, the release or a component")
    uri, suite, *components = words
    return _source(uri, suite, components, _signed_by(found[1].split() if found else ()))


def _signed_by(options: Iterable[str]) -> str | None:
    signed_by = None
    for option in options:
        name, _, value = option.partition("=")
        if name.lower() == "signed-by":
            signed_by = value
        elif option.lower() != "arch=amd64":
            raise ValueError(f"has the option {name}, which is not taken")
    return signed_by


def _source(uri: str, suite: str, components: Iterable[str], signed_by: str | None) -> AptSource:
    if not uri.startswith(_SCHEMES) or not uri.isprintable():
        raise ValueError("has a URL that is neither http(s) nor a folder")
    if any(not _PART.fullmatch(each) for each in (suite, *components)):
        raise ValueError("has a release or a component that is no name")
    if signed_by is not None and not signed_by.startswith("/"):
        raise ValueError("has a signed-by that is no absolute path of a keyring")
    return AptSource(uri.rstrip("/"), suite, tuple(components), signed_by)


def of_release(suite: str, lists: Iterable[str], stanzas: Iterable[str]) -> tuple[AptSource, ...]:
    """A machine's sources for a release and its updates (`SUITE-…`).

    lists: texts of files in one-line style. stanzas: texts in deb822 style. What is disabled, for
    another release or not understood is left out.
    """
    found = [*_of_lists(lists), *_of_stanzas(stanzas)]
    wanted = [each for each in found if each.suite == suite or each.suite.startswith(f"{suite}-")]
    return tuple(dict.fromkeys(wanted))


def _of_lists(texts: Iterable[str]) -> Iterator[AptSource]:
    for text in texts:
        for line in text.splitlines():
            try:
                yield parse_line(line.partition("#")[0])
            except ValueError:
                continue


def _of_stanzas(texts: Iterable[str]) -> Iterator[AptSource]:
    for text in texts:
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        for stanza in re.split(r"\n[ \t]*\n", "\n".join(lines)):
            yield from _of_stanza(control_fields(stanza))


def _of_stanza(fields: dict[str, str]) -> Iterator[AptSource]:
    enabled = fields.get("enabled", "").lower() in _ENABLED
    if not enabled or "deb" not in fields.get("types", "").split():
        return
    components = fields.get("components", "").split()
    for uri in fields.get("uris", "").split():
        for suite in fields.get("suites", "").split():
            try:
                if components:
                    yield _source(uri, suite, components, fields.get("signed-by") or None)
            except ValueError:
                continue


def control_fields(stanza: str) -> dict[str, str]:
    """The fields of a stanza (deb822), by their names in lower case; continued lines are joined."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line[:1] in (" ", "\t"):
            fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields
