"""Run the examples on the simulated subscription, and compare with what their pages show.

An example is a folder with a README, a spec and `expected.txt`: a transcript whose lines that
begin with `$ ` are the commands. Each example has a home and a subscription of its own.

    examples.py [--ccgpu PATH] [--update] [NAME ...]
"""

import argparse
import difflib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Return 0 if every transcript is as expected, else 1; 2 for an unknown example."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--ccgpu", type=Path, default=ROOT / ".venv" / "bin" / "ccgpu")
    options.add_argument("--update", action="store_true", help="rewrite what is expected")
    options.add_argument("names", nargs="*")
    given = options.parse_args()
    examples = [path.parent for path in sorted(ROOT.glob("examples/*/expected.txt"))]
    chosen = [example for example in examples if not given.names or example.name in given.names]
    if not chosen:
        print("no such example", file=sys.stderr)
        return 2
    return max(_check(example, given.ccgpu.resolve(), given.update) for example in chosen)


def _check(example: Path, ccgpu: Path, update: bool) -> int:
    file = example / "expected.txt"
    expected = file.read_text(encoding="utf-8")
    got = _transcript(example, ccgpu, expected)
    if update:
        file.write_text(got, encoding="utf-8")
    elif got != expected:
        lines = difflib.unified_diff(
            expected.splitlines(), got.splitlines(), "expected.txt", "now", lineterm=""
        )
        print(f"examples/{example.name} is not what it says:", *lines, sep="\n")
        return 1
    print(f"examples/{example.name}: as expected")
    return 0


def _transcript(example: Path, ccgpu: Path, expected: str) -> str:
    commands = [line[2:] for line in expected.splitlines() if line.startswith("$ ")]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        shutil.copytree(example, home, ignore=shutil.ignore_patterns("expected.txt"))
        return "".join(_run_command(command, ccgpu, home) for command in commands)


def _run_command(command: str, ccgpu: Path, home: Path) -> str:
    """Run one command; return it with its output, and with its exit code unless that is 0."""
    words = shlex.split(command)
    if words[0] != "ccgpu":
        sys.exit(f"error: only ccgpu is run: {command}")
    environ = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "CCGPU_BACKEND": "fake",
        "COLUMNS": "100",
    }
    done = subprocess.run(
        [ccgpu, *words[1:]],
        cwd=home,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    output = done.stdout.replace(str(home), "~")
    exited = f"[exit {done.returncode}]\n" if done.returncode else ""
    return f"$ {command}\n{output}{exited}\n"


if __name__ == "__main__":
    sys.exit(main())
