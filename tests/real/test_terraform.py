"""The real Terraform reads what `render` writes; it is no part of CI, which cannot install it."""

import base64
import json
import os
import shutil
import subprocess

import pytest

from ccgpu.render import hcl, terraform
from support.rendered import HOSTILE, new_plan
from support.specs import VARIANTS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("terraform"), reason="only where terraform is installed"),
]


def run(folder, *words, given=""):
    """What `terraform WORDS` prints; it has to succeed. It asks nobody for newer versions."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(
        ["terraform", *words],
        cwd=folder,
        env=environment | {"CHECKPOINT_DISABLE": "1"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_value_is_read_as_it_is(tmp_path):
    value = {"list": HOSTILE, "keys": dict.fromkeys(HOSTILE), "n": [-1.0, 3.5, True, {}]}
    block = hcl.block("locals", {"x": value})
    (tmp_path / "main.tf").write_text(f"{block}\n")
    run(tmp_path, "fmt", "-check")
    printed = run(tmp_path, "console", given="base64encode(jsonencode(local.x))\n")
    assert json.loads(base64.b64decode(printed.strip().strip('"'))) == value


def test_configurations_are_formatted(tmp_path):
    for name, changes in VARIANTS.items():
        plan = new_plan(**({"ttl": "8h"} | changes), knows_key=False)
        (tmp_path / f"{name}.tf").write_text(terraform.configuration(plan))
    run(tmp_path, "fmt", "-check")
