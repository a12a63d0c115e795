"""Shell scripts pass shellcheck."""

import shutil
import subprocess

import pytest

from support.repository import ROOT, tracked_files


@pytest.mark.slow
def test_every_shell_script_passes_shellcheck():
    if not shutil.which("shellcheck"):
        pytest.skip("needs shellcheck")
    scripts = [
        name
        for name, raw in tracked_files().items()
        if raw.startswith(
            (b"#!/bin/sh", b"#!/usr/bin/env bash", b"#!/bin/busybox sh", b"# shellcheck")
        )
    ]
    command = ["shellcheck", "-x", *scripts]  # with what they source
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    guest = "templates/guest/files/usr/local/lib/ccgpu"
    image = {"templates/image/init", "templates/image/root/usr/lib/ccgpu/scratch"}
    assert image <= set(scripts)
    assert {".ci/run", f"{guest}/setup", f"{guest}/lib.sh", f"{guest}/steps/11-gpu"} <= set(scripts)
