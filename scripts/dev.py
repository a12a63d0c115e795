"""Every chore of this repository, one command each: `python3 scripts/dev.py COMMAND`.

Needs Python 3.11 or newer and nothing else. Each command sets up `.venv` first if it has to, so
they work in any order, on a fresh clone too.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # older ones do read this far
    sys.exit("error: this needs Python 3.11 or newer\n\nhint: `python3.11 scripts/dev.py …`")

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from azure_cli import azure_cli
from bench import bench
from changed_tests import pick
from commands import ROOT, code_of, fail, run, say
from environment import BIN, ready
from fuzz import fuzz
from guest_root import guest_root
from locks import lock
from measured_image import measured_image
from pythons import pythons
from release import release
from site_build import site
from wheel import package

_ROOM = 2 * 1024**3  # bytes that the files of all tests fit into
_DOMAIN = "src/ccgpu/domain/*"


def demo(_: list[str]) -> None:
    """Create a VM in a simulated subscription: no account, no network, no cost."""
    create = "create demo --backend fake --region eastus2 --ssh-from 203.0.113.7/32 --yes"
    run(BIN / "ccgpu", *create.split())
    say("\ngo on with:")
    say("  .venv/bin/ccgpu list --backend fake")
    say("  .venv/bin/ccgpu delete demo --backend fake --yes")


def environment_of_tests(environ: Mapping[str, str], memory: Path) -> dict[str, str]:
    """`environ`, with compiled tests kept and temporary files in `memory`, if that will do.

    Compiling all tests takes each worker several seconds, and files are synced thousands of times.
    The `/dev/shm` of a container may be small, and run no programs: it will not do.
    """
    found = {name: value for name, value in environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if memory.is_dir():
        system = os.statvfs(memory)
        room = system.f_bavail * system.f_frsize
        if room >= _ROOM and not system.f_flag & os.ST_NOEXEC and os.access(memory, os.W_OK):
            found.setdefault("PYTEST_DEBUG_TEMPROOT", str(memory))
    return found


def _cores() -> int:
    """How many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def test(arguments: list[str]) -> None:
    """Run the tests on all cores; further words go to pytest (`CCGPU_SLOW=1` adds the slow).

    Two workers more than there are cores: a third of the time tests wait for processes and disks.
    """
    environ = environment_of_tests(os.environ, Path("/dev/shm"))
    workers = str(_cores() + 2)
    words = ("-m", "pytest", "-n", workers, "--dist", "worksteal", *arguments)
    run(BIN / "python", *words, environ=environ)


def test_changed(arguments: list[str]) -> None:
    """Run the tests that what differs from `main` can touch, and say why each of them."""
    if picked := pick(ROOT):
        test([*arguments, *picked])


def check(_: list[str]) -> None:
    """Lint, format, types, layers, generated docs: all of them, then all that failed."""
    steps: list[list[str]] = [
        [str(BIN / "python"), "scripts/lint_pipelines.py"],
        [str(BIN / "ruff"), "check"],
        [str(BIN / "ruff"), "format", "--check"],
        [str(BIN / "mypy")],
        [str(BIN / "lint-imports")],
    ]
    if (ROOT / "scripts" / "docs.py").exists():
        steps.append([str(BIN / "python"), "scripts/docs.py", "--check"])
    failed = [step for step in steps if code_of(*step)]
    if failed:
        sys.exit(f"error: {len(failed)} of {len(steps)} checks failed")
    say(f"all {len(steps)} checks passed")


def examples(arguments: list[str]) -> None:
    """Run the examples and the pages' console blocks (words: pages or folders, `--update`)."""
    run(BIN / "python", "scripts/examples.py", *arguments)


def sweep(arguments: list[str]) -> None:
    """Meet every request with every fault and judge what is left (further words: --help)."""
    run(BIN / "python", "tests/faults/sweep/run.py", *arguments)


def mutants(arguments: list[str]) -> None:
    """Count the slips in the verifiers that no unit test notices; write docs/mutants.md."""
    run(BIN / "python", "scripts/mutants.py", *arguments)


def coverage(_: list[str]) -> None:
    """Hold the last `test` (run with PYTEST_ADDOPTS=--cov) to the coverage we promise."""
    run(BIN / "coverage", "report")
    run(BIN / "coverage", "report", "--include", _DOMAIN, "--fail-under", "100")


_COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "setup": lambda _: say(".venv is ready"),
    "demo": demo,
    "test": test,
    "test-changed": test_changed,
    "check": check,
    "sweep": sweep,
    "mutants": mutants,
    "coverage": coverage,
    "package": lambda _: package(),
    "release": release,
    "bench": bench,
    "fuzz": fuzz,
    "azure-cli": azure_cli,
    "guest-root": guest_root,
    "examples": examples,
    "site": site,
    "lock": lock,
    "measured-image": measured_image,
    "pythons": pythons,
}
# No use of it; what it reads; its own.
_WITHOUT_SETUP = ("azure-cli", "guest-root", "lock", "pythons", "site")


def main(arguments: list[str]) -> None:
    """Set up if need be, then do what the first word says."""
    if not arguments or arguments[0] not in _COMMANDS:
        fail("no such command" if arguments else "which command?", " | ".join(_COMMANDS))
    command, *rest = arguments
    if command not in _WITHOUT_SETUP:
        ready()
    _COMMANDS[command](rest)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
