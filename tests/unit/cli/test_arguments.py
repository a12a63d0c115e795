"""What stderr is to be is read from the words as the parser would read them, even if it fails."""

import shlex

import pytest
import typer

from ccgpu.cli.arguments import stderr_wanted
from ccgpu.cli.main import app


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("", "text"),
        ("list", "text"),
        ("list -o text", "text"),
        ("list -o json", "json"),
        ("list -ojson", "json"),
        ("list --output=json", "json"),
        ("list --query x", "json"),
        ("list --query=x -o text", "json"),
        ("list -o json -o text", "text"),
        ("list -o tsv", "text"),
        ("list --query x -o tsv", "text"),
        ("list -o", "text"),
        ("list -o yaml", "text"),
        ("list -- -o json", "text"),
        ("delete demo -yo json", "json"),
        ("delete demo -yojson", "json"),
        ("delete demo --events ndjson", "events"),
        ("delete demo --events=ndjson -o json", "events"),
        ("delete demo --events", "events"),
        # The value of another option is none of its own.
        ("create demo --tag -ojson", "text"),
        ("create demo --ssh-key --events", "text"),
        ("create demo --tag --query -o json", "json"),
        ("create demo -g -o -f json", "text"),
        # Wrong usage: what was meant is still told.
        ("frobnicate -o json", "json"),
        ("-o json list", "json"),
        ("list --frobnicate -o json", "json"),
        ("fake -o json", "json"),
        ("fake show -o json", "json"),
        ("fake frobnicate -o json", "json"),
        ("collateral fetch x --out json -o text", "text"),
        ("collateral fetch x --out -o json", "text"),
        ("create demo -", "text"),
        ("list -q", "quiet"),
        ("list --quiet -o tsv", "quiet"),
        ("delete demo -yq", "quiet"),
        ("delete demo -qyo json", "json"),
        ("delete demo -q --events ndjson", "events"),
        ("create demo --tag -q", "text"),
        ("exec demo -- -q", "text"),
    ],
)
def test_the_arguments_decide_the_format_of_stderr(line, wanted):
    assert stderr_wanted(typer.main.get_command(app), shlex.split(line)) == wanted
