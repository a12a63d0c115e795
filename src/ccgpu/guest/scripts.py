"""Scripts that are sent to a VM as one text: their modules, and what loads them in order."""

from collections.abc import Sequence
from importlib import resources

_PACKAGE = "ccgpu.templates.guest"
_LOADER = """import sys
import types

for name, source in {sources!r}.items():
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
raise SystemExit(sys.modules[{main!r}].main({arguments}))
"""


def assemble_script(modules: Sequence[str], *arguments: str) -> bytes:
    """A script for `python3 - NAME REQUEST`, which calls `main` of the last module.

    modules: files below `templates/guest`, as in `collector.main`; each imports only those before
    it, by `from MODULE import NAME`. `main` is given the words of the command line after NAME, then
    `arguments`.
    """
    sources = {f"{_PACKAGE}.{module}": _read_module(module) for module in modules}
    words = ", ".join(("sys.argv[2:]", *map(repr, arguments)))
    main = f"{_PACKAGE}.{modules[-1]}"
    return _LOADER.format(sources=sources, main=main, arguments=words).encode()


def _read_module(module: str) -> str:
    *folders, name = module.split(".")
    place = resources.files("ccgpu").joinpath("templates", "guest", *folders, f"{name}.py")
    return place.read_text(encoding="utf-8")
