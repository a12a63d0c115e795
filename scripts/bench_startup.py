"""How long commands take to start, in CPU time, as ratios to what they have to import.

`list` asks a simulated subscription: it loads the parser, the SDK's core and the simulation.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench_rows import Row, by_turns, cpu_of, environ
from commands import ROOT
from environment import BIN
from startups import COMPLETION, importing, third_party_modules

_PYTHON, _CCGPU = str(BIN / "python"), str(BIN / "ccgpu")
_BARE = (_PYTHON, "-c", "import typer, rich.console")
_ROUNDS = 11
_DEPLOYMENTS = 10
_LIMIT_OF_LIST = 4.0
_LIMIT_OF_JUDGING = 2.0  # ÷ what the command imports of other people's packages
_LIMIT_OF_HELP = 1.3
_LIMIT_OF_COMPLETION = 1.5


def rows(home: Path) -> Iterator[Row]:
    """The rows. home: an empty folder."""
    one, many = (_world(home, count) for count in (1, _DEPLOYMENTS))
    listing = [_CCGPU, "list", "--backend", "fake"]
    bare, help_, completion, few, ten = by_turns(
        [
            partial(cpu_of, _BARE, home),
            partial(cpu_of, [_CCGPU, "--help"], home),
            partial(cpu_of, [_CCGPU, *COMPLETION], home),
            partial(cpu_of, listing, home, one),
            partial(cpu_of, listing, home, many),
        ],
        _ROUNDS,
    )
    of = "÷ python -c 'import typer, rich.console'"
    yield Row(f"ccgpu --help {of}", help_ / bare, _LIMIT_OF_HELP)
    yield Row(f"what a shell asks ccgpu at a Tab {of}", completion / bare, _LIMIT_OF_COMPLETION)
    yield Row(f"ccgpu list, fake with 1 deployment, {of}", few / bare, _LIMIT_OF_LIST)
    yield Row(f"ccgpu list, fake with {_DEPLOYMENTS} deployments, {of}", ten / bare, _LIMIT_OF_LIST)
    spec = str(home / "vm.yaml")
    cpu_of([_CCGPU, "init", "demo", "-f", spec, "--no-schema"], home)
    yield _beside_imports(["validate", spec], home)
    yield _beside_imports(judging(home), home)


def judging(home: Path) -> list[str]:
    """A command line that accepts the evidence of a VM's CPU, which is written to `home`."""
    bundle = home / "bundle.json"
    if not bundle.exists():
        maker = [_PYTHON, str(ROOT / "scripts" / "bench_verify.py"), "--bundle", str(bundle)]
        subprocess.run(maker, check=True, stdout=subprocess.DEVNULL)
    simulated = "simulated_roots" in json.loads(bundle.read_text())
    backend = ["--backend", "fake"] if simulated else []
    return ["verify", str(bundle), "--policy", "cpu-only", "--at", "bundle", *backend]


def _beside_imports(words: Sequence[str], home: Path) -> Row:
    """A command beside a Python that imports the same modules of other people's packages."""
    modules = third_party_modules(words, environ(home), _PYTHON)
    whole, imports = by_turns(
        [
            partial(cpu_of, [_CCGPU, *words], home),
            partial(cpu_of, importing(modules, _PYTHON), home),
        ],
        _ROUNDS,
    )
    return Row(f"ccgpu {words[0]} ÷ its third-party imports", whole / imports, _LIMIT_OF_JUDGING)


def _world(home: Path, count: int) -> Mapping[str, str]:
    """The variable that names a simulated subscription with so many deployments."""
    state = home / f"{count}.sqlite"
    maker = [_PYTHON, str(ROOT / "scripts" / "bench_requests.py"), str(state), str(count)]
    subprocess.run(maker, check=True)
    return {"CCGPU_FAKE_STATE": str(state)}
