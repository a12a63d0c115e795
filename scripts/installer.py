"""Install a lock and the package with pip, the same on every machine. Standard library only.

The lock says what is installed, the virtual environment says where. The user's pip settings say
only how an index is reached: a constraint, a target folder or `require-hashes`, meant for other
projects, would break the installation or put it elsewhere.
"""

import ast
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from commands import fail, run

_PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input")
# A lock is complete: resolving could only pick what it does not pin. pip 23 does so for a package
# that another one asks for with an extra, as soon as a newer version of it is published.
_FROM_LOCK = ("-qq", "install", "--no-deps", "--require-hashes", "--only-binary", ":all:", "-r")
_BY_HAND = ("-qq", "install", "--no-index", "--no-deps", "--no-build-isolation")

_REACH_AN_INDEX = frozenset(
    (
        *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "proxy"),
        *("cert", "client-cert", "keyring-provider", "use-feature", "timeout", "default-timeout"),
        *("retries", "resume-retries", "cache-dir", "no-cache-dir"),
    )
)
_SECTIONS = ("global", "install", ":env:")  # a later one wins, as pip has it
_SETTING = re.compile(rf"({'|'.join(_SECTIONS)})\.([\w-]+)=(.+)")


def install(python: Path, lock: Path, *package: str | Path) -> list[str]:
    """Install `lock` and then `package` (a wheel, or `-e FOLDER`; or none) for `python`.

    Returns:
        What does not fit together then, a line each. Normally that is nothing.
    """
    environ = _environ(python)
    run(python, *_PIP, *_FROM_LOCK, lock, environ=environ)
    if package:
        run(python, *_PIP, *_BY_HAND, *package, environ=environ)
    done = _captured(python, "check", environ=environ)
    return (done.stdout + done.stderr).splitlines() if done.returncode else []


def require_consistent(lock: Path, problems: Iterable[str]) -> None:
    """End if there are `problems`: no machine can make up for a lock whose pins do not fit."""
    if lines := "".join(f"\n  {problem}" for problem in problems):
        fail(
            f"what {lock.name} pins does not fit together:{lines}",
            "after a change of pyproject.toml run `python3 scripts/dev.py lock`;"
            " if nothing was changed, please report it",
        )


def pip(python: Path, *arguments: str | Path) -> None:
    """Run pip with those settings of the user that say how an index is reached, and no others."""
    run(python, *_PIP, "-qq", *arguments, environ=_environ(python))


def _environ(python: Path) -> dict[str, str]:
    """The environment for pip: few settings, and no packages from outside of `python`."""
    return _own("PIP_") | index_settings(python)


def index_settings(python: Path) -> dict[str, str]:
    """As variables: the settings of the user's pip that say how an index is reached, no others."""
    kept = {f"PIP_{name.upper().replace('-', '_')}": v for name, v in _settings(python).items()}
    return kept | {"PIP_CONFIG_FILE": os.devnull}


def _settings(python: Path) -> dict[str, str]:
    """How the user's configuration, files and variables, lets pip reach an index."""
    environ = _own("PIP_QUIET", "PIP_VERBOSE")
    done = _captured(python, "-vvv", "config", "list", environ=environ)  # against `quiet` in a file
    if done.returncode:
        fail("pip cannot read its configuration", done.stderr.strip() or "see `pip config debug`")
    found = [match.groups() for line in done.stdout.splitlines() if (match := _SETTING.match(line))]
    found.sort(key=lambda setting: _SECTIONS.index(setting[0]))
    return {name: ast.literal_eval(v) for _, name, v in found if name in _REACH_AN_INDEX}


def _own(*left_out: str) -> dict[str, str]:
    """Our environment without what begins so, and without folders that add packages to it."""
    prefixes = (*left_out, "PYTHONPATH", "PYTHONHOME")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def _captured(
    python: Path, *arguments: str, environ: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    command = [str(python), *_PIP, *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
