"""What commands load when they start: the commands that are measured, and their packages.

`dev.py bench` measures how long they take; a test compares what they load with `PACKAGES`. A
package that a command does not need must not be among them: it would cost every call.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

_PARSER = frozenset({"annotated_doc", "platformdirs", "rich", "shellingham", "typer"})
_PYDANTIC = frozenset(
    {"annotated_types", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection"}
)
_AZURE_CORE = frozenset(
    {"azure", "certifi", "charset_normalizer", "idna", "requests", "typing_extensions", "urllib3"}
)
COMPLETION = ("__complete", "zsh", "show", "")
# By the command's first word: the packages besides ccgpu and the standard library. Of `azure` it is
# azure-core alone: the clients of Azure's services, with their models, take longer than all else.
PACKAGES: Mapping[str, frozenset[str]] = {
    "--help": _PARSER,
    COMPLETION[0]: frozenset({"platformdirs"}),
    "list": _PARSER | _AZURE_CORE,
    "validate": _PARSER | _PYDANTIC | {"yaml"},
    "verify": _PARSER | _PYDANTIC | {"_cffi_backend", "cryptography", "yaml"},
}

_NOTING = """
import atexit, runpy, sys
before, file = set(sys.modules), sys.argv.pop(1)
def note():
    found = [name for name, one in [*sys.modules.items()] if name not in before
             and "site-packages" in (getattr(one, "__file__", None) or "")]
    with open(file, "w") as out:
        out.write(chr(10).join(found))
atexit.register(note)
runpy.run_module("ccgpu", run_name="__main__", alter_sys=True)
"""


def third_party_modules(
    words: Sequence[str], environ: Mapping[str, str], python: str = sys.executable
) -> list[str]:
    """The modules of other people's packages that `ccgpu` with these words has loaded at its end.

    They are in the order in which they began. Exits if the command fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "modules"
        command = [python, "-c", _NOTING, str(file), *words]
        done = subprocess.run(command, env={**environ}, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"error: ccgpu {' '.join(words)}: exit {done.returncode}\n{done.stderr}")
        return file.read_text().split()


def importing(modules: Sequence[str], python: str = sys.executable) -> list[str]:
    """A command that only imports modules; parts that compiled modules bring along are no files."""
    program = f"""
import importlib
for name in {[*modules]}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        pass
"""
    return [python, "-c", program]


def packages(modules: Iterable[str]) -> set[str]:
    """The top-level names of modules."""
    return {name.split(".", 1)[0] for name in modules}
