"""Doubles of programs for the scripts of pipelines."""

from pathlib import Path

import pytest

from support.actions_runner import StubProgram
from support.pipelines import Agent


@pytest.fixture
def tools(tmp_path: Path) -> StubProgram:
    """A folder for PATH with a double of `ccgpu`, and a `sleep` that does not wait."""
    stub = StubProgram(tmp_path / "tools")
    stub.path.rename(stub.path.with_name("ccgpu"))
    sleep = stub.path.with_name("sleep")
    sleep.write_text("#!/bin/sh\n")
    sleep.chmod(0o755)
    return stub


@pytest.fixture
def machine(tmp_path: Path, tools: StubProgram) -> Agent:
    """A machine whose `ccgpu` is the double."""
    return Agent(tmp_path / "agent", tools.path.parent)
