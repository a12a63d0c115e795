"""Installs Azure's own CLI for the tests of `ccgpu fake serve`: `dev.py azure-cli`, once.

It comes from a lock of its own (340 MB when installed) and goes to an environment of its own: what
it pins does not fit to what ccgpu pins.
"""

import os
import subprocess
import sys
from collections.abc import Mapping

from commands import fail, say
from environment import AZ_LOCK
from tool_environments import ToolEnvironment, tool_folder


def az_environment(environ: Mapping[str, str]) -> ToolEnvironment:
    """The environment of `az`, whether or not it was made."""
    folder = tool_folder(environ, "CCGPU_AZURE_CLI", "azure-cli")
    return ToolEnvironment(AZ_LOCK, folder, "ccgpu-azure-cli")


def azure_cli(_: list[str]) -> None:
    """Install it, unless it is there."""
    tool = az_environment(os.environ)
    if not tool.is_ready():
        tool.make()
        az = str(tool.program("az"))
        if subprocess.run([az, "version"], stdout=subprocess.DEVNULL, check=False).returncode:
            fail(f"{az} does not run", f"{sys.executable} may be too new for the pinned azure-cli")
        tool.finish()
    say(f"{tool.folder} is ready")
