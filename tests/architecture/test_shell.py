"""Shell scripts pass shellcheck."""

import shutil
import subprocess

import pytest

from support.repository import ROOT, tracked_files


def test_every_shell_script_passes_shellcheck():
    if not shutil.which("shellcheck"):
        pytest.skip("needs shellcheck")
    scripts = [
        name
        for name, raw in tracked_files().items()
        if raw.startswith((b"#!/bin/sh", b"#!/usr/bin/env bash"))
    ]
    command = ["shellcheck", *scripts]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert ".ci/run" in scripts
