"""What this machine remembers of a workload that it has started."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class WorkloadRecord:
    """A workload that was started. boot_id: in which boot of the VM. started_at: RFC 3339.

    section: the section `workload` of a spec that it was made from, without defaults. ended:
    whether it has ended by itself, as this machine has seen.
    """

    name: str
    kind: str
    ports: tuple[int, ...]
    boot_id: str
    started_at: str
    section: Mapping[str, Any]
    ended: bool = False

    def command(self, deployment: str) -> str | None:
        """The command that starts it again; None if options alone do not say it."""
        section = dict(self.section)
        words = ["ccgpu", "run", deployment, "--workload", str(section.pop("use", "image"))]
        for key, flag in (("name", "--as"), ("model", "--model"), ("image", "--image")):
            if key in section:
                words += [flag, str(section.pop(key))]
        for name, value in dict(section.pop("parameters", {})).items():
            words += ["--parameter", f"{name}={value}"]
        for one in section.pop("inputs", ()):
            words += ["--input", f"{one['from']}:{one['to']}"]
        for name in section.pop("secrets", ()):
            words += ["--secret", str(name)]
        command = section.pop("command", ())
        if command:
            words += ["--", *command]
        return None if section else shlex.join(words)
