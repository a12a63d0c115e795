"""Remove each safeguard from a copy of the code and prove that the sweep then fails.

`python tests/faults/sweep/knockouts.py` exits 0 only if the sweep fails for every one.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Knockout:
    """A safeguard, the code to remove, its replacement, and the cases to run."""

    safeguard: str
    file: str
    text: str
    instead: str
    only: str
    every: int = 1


KNOCKOUTS = (
    Knockout(
        "the journal is written before the PUT",
        "workflows/apply.py",
        r"writer\.begin\(step\.resource\)",
        "pass",
        only="create:2",
        every=7,
    ),
    Knockout(
        "after a delete, GET until 404",
        "azure/long_running.py",
        r"if body is None or not still\(body\):",
        "if True:",
        only="op-missing",
    ),
    Knockout(
        "the live tag is checked before the DELETE",
        "domain/removal.py",
        r"return ours and [^\n]*",
        "return True",
        only="delete-among-guests",
        every=9,
    ),
    Knockout(
        "a VM is put with If-None-Match",
        "workflows/apply.py",
        r"new=resource\.kind is Kind\.VM",
        "new=False",
        only="other-machine",
    ),
    Knockout(
        "the token goes to hosts on the list alone",
        "net/pipeline.py",
        r"OnlyTo\(hosts\),",
        "",
        only="next-foreign",
    ),
    Knockout(
        "a missing right has its own exit code",
        "workflows/discovery/leftovers.py",
        r"if missing is None:",
        "if True:",
        only="403-authorization",
        every=5,
    ),
    Knockout(
        "a token is asked for again when ARM wants another",
        "net/sign_in.py",
        r"if challenged and self\.on_challenge\(request, response\):",
        "if False:",
        only="401-c",
        every=5,
    ),
    Knockout(
        "ids are read without regard to case",
        "domain/resource.py",
        r'part\.casefold\(\) == "resourcegroups"',
        'part in ("resourceGroups", "resourcegroups")',
        only="ids-in-capitals",
        every=3,
    ),
    Knockout(
        "nothing is sent while the journal cannot be written",
        "store/journals.py",
        r"raise StateUnusable\(\n\s+f\"cannot write[^)]*\) from err",
        "return",
        only="disk-full",
        every=3,
    ),
    Knockout(
        "a resource that is still being created is asked for again",
        "azure/long_running.py",
        r'in \("Succeeded", "Failed", "Canceled"\):',
        "is not None:",
        only="stale-creating",
    ),
    Knockout(
        "an operation that has ended is not believed: the VM is looked at",
        "workflows/lifecycle.py",
        r"run_task\(run, wait_for\(run, names\.vm, wanted, grace=GRACE, since=since\)\)",
        "None",
        only="start:",
        every=5,
    ),
    Knockout(
        "what has another's tag by now is not ours",
        "domain/removal.py",
        r"return ours and [^\n]*",
        "return True",
        only="name-taken",
    ),
    Knockout(
        "an update carries other people's subnets and rules along",
        "domain/in_place.py",
        r"return \[\*ours, \*[^\n]*",
        "return ours",
        only="update:",
        every=40,
    ),
    Knockout(
        "an update is refused where somebody has written in between",
        "workflows/apply.py",
        r"etag = None if step\.recovery else step\.etag",
        "etag = None",
        only="added",
    ),
    Knockout(
        "whether others use a network is looked at in the same breath as its DELETE",
        "workflows/removal.py",
        r"if kind is Kind\.VNET and foreign_in_network\(body\):",
        "if False:",
        only="delete:2",
    ),
    Knockout(
        "an extend also writes what outlives the VM",
        "workflows/extend.py",
        r"read = writer\.write_each\(\[group\]\)",
        "read = {key(group.id): None}",
        only="extend:",
        every=10,
    ),
    Knockout(
        "where no journal can be opened, what exists is reported all the same",
        "workflows/create/stages.py",
        r"with reporting_leftovers\(run, possible, spec\.name\), locked as file:",
        "with locked as file:",
        only="create-stopped:",
        every=3,
    ),
)


def main() -> int:
    """The exit code: the number of safeguards whose removal the sweep does not notice."""
    missed = 0
    for knockout in KNOCKOUTS:
        with tempfile.TemporaryDirectory() as folder:
            failure = _run_without(knockout, Path(folder))
        noticed = failure is not None
        missed += not noticed
        print(f"without {knockout.safeguard}: {failure or 'the sweep passes: it does not notice'}")
    return missed


def _run_without(knockout: Knockout, folder: Path) -> str | None:
    """The sweep's closing lines on a copy without the safeguard; None if the sweep passes."""
    shutil.copytree(_ROOT / "src", folder / "src", symlinks=False)
    file = folder / "src" / "ccgpu" / knockout.file
    text, count = re.subn(knockout.text, knockout.instead, file.read_text(encoding="utf-8"))
    if count != 1:
        sys.exit(f"error: {knockout.file} has {count} times {knockout.text}")
    compile(text, str(file), "exec")
    file.write_text(text, encoding="utf-8")
    sweep = [sys.executable, str(_ROOT / "tests" / "faults" / "sweep" / "run.py")]
    chosen = ["--only", knockout.only, "--every", str(knockout.every), "--show", "0"]
    environ = os.environ | {"PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*sweep, *chosen], env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        sys.exit(f"error: the sweep ended with {done.returncode}:\n{done.stderr}")
    return ", ".join(done.stdout.splitlines()[:3]) if done.returncode else None


if __name__ == "__main__":
    sys.exit(main())
