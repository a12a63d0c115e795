"""`.` and `/` have no name of their own: they are evidence, or refused, never a traceback."""

from pathlib import Path

import pytest

from ccgpu.cli.simulated_state import Simulation
from ccgpu.errors import StateUnusable


def test_the_working_folder_is_evidence(shell):
    assert shell("verify --example --save bundle.json -q").code == 0
    done = shell("verify . --backend fake --at bundle -o json")
    assert (done.code, done.document["verdict"]) == (9, "rejected")  # whose it is nobody said


@pytest.mark.parametrize("path", [".", "/"])
def test_a_draft_is_not_written_over_a_folder(shell, path):
    assert "already exists" in shell(f"init demo --file {path}").err
    assert "Is a directory" in shell(f"init demo --file {path} --force").err


@pytest.mark.parametrize("path", [".", "/"])
def test_a_folder_is_no_simulated_subscription(path):
    with pytest.raises(StateUnusable):
        Simulation(Path(path))
