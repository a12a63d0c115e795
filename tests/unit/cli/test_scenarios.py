"""`ccgpu fake scenario`: a mood by its name, or out of a file."""

import contextlib

import pytest

from ccgpu.cli.simulated_state import Simulation

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"


@pytest.mark.slow
def test_a_scenario_applies_to_the_next_command(shell, golden):
    steps = [shell(line) for line in ("fake scenario read-only", _CREATE)]
    golden("cli/fake-scenario.txt", "\n".join(map(str, steps)))
    assert shell.kinds() == []
    assert shell("fake scenario usual").code == 0
    assert shell(f"{_CREATE} --no-wait").code == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mine.yaml", "principal:\n  - '*/read'\nbuckets: true\nlag:\n  reads: 2\n"),
        ("mine.json", '{"principal": ["*/read"], "buckets": true, "lag": {"reads": 2}}'),
    ],
)
def test_a_scenario_file_contains_settings(shell, tmp_path, name, text):
    (tmp_path / "work" / name).write_text(text)
    assert shell(f"fake scenario {name}").code == 0
    assert shell.arm.settings.get("principal") == ["*/read"]
    assert shell.arm.settings.get("buckets") is True
    assert shell.arm.settings.get("lag", "reads") == 2


def test_problems_of_a_scenario_file_have_places_and_change_nothing(shell, golden, tmp_path):
    text = "buckets: true\nquotas: {}\nlag:\n  reeds: 1\ndenied:\n  - kind: x\n"
    (tmp_path / "work" / "mine.yaml").write_text(text)
    golden("cli/fake-scenario-flaws.txt", str(shell("fake scenario mine.yaml")))
    assert shell.arm.settings.get("buckets") is False


def test_an_unknown_scenario_is_refused(shell, golden):
    golden("cli/fake-scenario-unknown.txt", str(shell("fake scenario sold-out")))


def test_a_scenario_is_saved_with_the_simulated_subscription(tmp_path):
    for values, reads in (({"lag": {"reads": 2}}, 2), ({}, None)):
        with contextlib.closing(Simulation(tmp_path / "fake.sqlite")) as world:
            world.configure(values)
        with contextlib.closing(Simulation(tmp_path / "fake.sqlite")) as world:
            assert world.arm.settings.get("lag", "reads") == reads
