"""A field that a file cannot have: the error names the command that prints those of its format."""

import re

import pytest


@pytest.mark.parametrize(
    ("command", "field"),
    [
        ("verify --example --policy file.json", "max_age"),
        ("verify --example --pins file.json", "pcrs"),
        ("image show file.json", "uki"),
        ("workloads ./file.json", "summary"),
        ("validate file.json", "regions"),
        ("list", "ssh_from"),
    ],
)
def test_an_unknown_field_leads_to_the_schema_of_its_format(
    shell, tmp_path, monkeypatch, command, field
):
    monkeypatch.chdir(tmp_path)
    file = shell.config if command == "list" else tmp_path / "file.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    schema = '"schema": "ccgpu.image/1", ' if "image" in command else ""
    file.write_text(f'{{{schema}"mistake": 1}}', encoding="utf-8")
    refused = shell(command)
    assert refused.code == 3
    found = re.search(r"mistake: .*`ccgpu (schema [a-z -]+)` prints them all", str(refused))
    assert found, refused
    assert field in shell(found[1]).document["properties"]
