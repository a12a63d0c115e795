"""A machine's own sources for a release, in both of apt's styles."""

import pytest

from ccgpu.domain.apt_sources import AptSource, of_release, parse_line
from ccgpu.errors import InvalidFile
from ccgpu.imaging.resolve import machine_sources

_STANZAS = """Types: deb deb-src
# a comment between the fields
URIs: http://mirror.example/debian http://second.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/a.gpg

Types: deb
URIs: http://mirror.example/off
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://mirror.example/source
Suites: bookworm
Components: main
"""
_LINES = """# deb http://mirror.example/old bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/sec bookworm-security main # why
deb http://mirror.example/other trixie main
deb [trusted=yes] http://mirror.example/trusted bookworm main
deb http://mirror.example/sdk sdk-bookworm main
"""


def test_of_both_styles_those_of_the_release_and_its_updates_are_taken():
    found = [each.line for each in of_release("bookworm", [_LINES], [_STANZAS])]
    signed = "deb [signed-by=/usr/share/keyrings/a.gpg]"
    assert found == [
        "deb [signed-by=/k.gpg] http://mirror.example/sec bookworm-security main",
        f"{signed} http://mirror.example/debian bookworm main contrib",
        f"{signed} http://mirror.example/debian bookworm-updates main contrib",
        f"{signed} http://second.example/debian bookworm main contrib",
        f"{signed} http://second.example/debian bookworm-updates main contrib",
    ]


def test_a_line_is_read_as_it_is_written():
    source = AptSource("http://x/debian", "bookworm", ("main", "contrib"), "/k.gpg")
    assert parse_line(source.line) == source


def test_a_machine_without_a_source_says_what_to_do(tmp_path):
    (tmp_path / "sources.list").write_text("deb http://x trixie main\n")
    with pytest.raises(InvalidFile, match=r"no source for bookworm: name sources in the recipe"):
        machine_sources("bookworm", tmp_path)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "a.sources").write_text(_STANZAS)
    assert len(machine_sources("bookworm", tmp_path)) == 4
