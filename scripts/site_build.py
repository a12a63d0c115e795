"""Makes the site of the documentation: `dev.py site`, of the repository's pages as they are.

`dev.py site --tools` only installs what makes it, for the tests, which make one themselves.

Zensical comes from a lock of its own and goes to an environment of its own. It gets a copy of every
page in the place that it has in the repository, so that one link serves both, and of each file that
a page links to. A link or an anchor that leads nowhere is an error.

axe-core, which tests look for barriers with, is installed beside it if there is npm: from
`site/package-lock.json`, whose hash npm compares.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from commands import ROOT, run, say
from environment import SITE_LOCK
from tool_environments import ToolEnvironment, tool_folder

_SOURCE = ROOT / "site"
_PAGES = ("*.md", "docs/*.md", "examples/*/README.md")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LINK = re.compile(r"\]\(([^)#\s]+)")
_MANUAL = """# Manual pages

`man ccgpu` and `man ccgpu-COMMAND` show them; a wheel has them all. They are made by
`scripts/docs.py`, as [the page of all commands](cli.md) is. Here they are as files for
`man -l FILE`:

"""


def zensical_environment(environ: Mapping[str, str]) -> ToolEnvironment:
    """The environment of Zensical, whether or not it was made."""
    return ToolEnvironment(
        SITE_LOCK, tool_folder(environ, "CCGPU_SITE_TOOLS", "site"), "ccgpu-site"
    )


def axe_script(environ: Mapping[str, str]) -> Path:
    """Where the script of axe-core is, whether or not it was installed."""
    folder = tool_folder(environ, "CCGPU_AXE", "axe")
    return folder / "node_modules" / "axe-core" / "axe.min.js"


def site(words: list[str]) -> None:
    """Install the tools if need be, and make the site in `build/site/html` (not with `--tools`)."""
    tool = zensical_environment(os.environ)
    if not tool.is_ready():
        tool.make()
        tool.finish()
    _install_axe(axe_script(os.environ).parents[2])
    if "--tools" in words:
        return
    if problems := build(tool, ROOT / "build" / "site"):
        sys.exit(f"error: the site has problems\n{problems}")
    say("build/site/html/index.html is ready")


def _install_axe(folder: Path) -> None:
    """Install axe-core, unless this very version is there."""
    lock = (_SOURCE / "package-lock.json").read_text()
    mark = folder / "ccgpu-lock.json"
    if mark.is_file() and mark.read_text() == lock:
        return
    if not shutil.which("npm"):
        say("no npm: the tests that need axe-core will be skipped")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_SOURCE / name, folder)
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    run("npm", "ci", *quiet, "--prefix", folder)
    mark.write_text(lock)


def build(tool: ToolEnvironment, folder: Path) -> str:
    """Make the site of what is in the repository in `folder`/html; what is wrong with it then."""
    shutil.rmtree(folder, ignore_errors=True)
    gather(folder / "pages")
    shutil.copytree(_SOURCE / "overrides", folder / "overrides")
    shutil.copy(_SOURCE / "zensical.toml", folder)
    return build_gathered(tool, folder)


def build_gathered(tool: ToolEnvironment, folder: Path) -> str:
    """Make the site of what lies in `folder`; what is wrong with it then."""
    command = [str(tool.program("zensical")), "build", "--strict", "--clean"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return _COLOUR.sub("", f"{done.stdout}{done.stderr}") if done.returncode else ""


def gather(pages: Path) -> None:
    """Copy every page, and every file that a page links to, to the same place below `pages`."""
    for pattern in _PAGES:
        for page in sorted(ROOT.glob(pattern)):
            _copy(page, pages)
            for link in _LINK.findall(page.read_text(encoding="utf-8")):
                target = (page.parent / link).resolve()
                if target.is_file() and target.is_relative_to(ROOT) and target.suffix != ".md":
                    _copy(target, pages)
    manuals = sorted((ROOT / "docs" / "man").glob("*.1"))
    for manual in manuals:
        _copy(manual, pages)
    rows = "".join(f"- [{one.stem}](man/{one.name})\n" for one in manuals)
    (pages / "docs" / "manual.md").write_text(_MANUAL + rows, encoding="utf-8")
    shutil.copy(_SOURCE / "site.css", pages)


def _copy(file: Path, pages: Path) -> None:
    copy = pages / file.relative_to(ROOT)
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, copy)
