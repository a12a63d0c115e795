"""Tiny wheels, a folder of them as an index, and a build back end for an empty project.

It uses the standard library only: copied into a clone as `backend.py`, it builds that package.
"""

import hashlib
import zipfile
from pathlib import Path
from typing import Any

_WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build(folder: Path, name: str, version: str, *metadata: str) -> str:
    """Put a wheel with one empty module and further lines of metadata into `folder`.

    Returns:
        Its line in a lock.
    """
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    head = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata]
    files = {f"{module}.py": "", f"{info}/METADATA": "\n".join(head), f"{info}/WHEEL": _WHEEL}
    listed = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in {**files, f"{info}/RECORD": listed}.items():
            archive.writestr(file, text)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def build_editable(wheel_directory: str, *_: Any, **__: Any) -> str:
    """The PEP 660 hook: build the wheel and return its name."""
    build(Path(wheel_directory), "ccgpu", "0.1", "Requires-Dist: needs-extra")
    return "ccgpu-0.1-py3-none-any.whl"
