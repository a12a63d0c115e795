"""The run lines that ccgpu refuses, whoever wrote them: a template, a spec or a future of ours.

A container of a confidential VM may not undo what the VM proves: it gets no rights of the host of
the containers, no network but ports on 127.0.0.1, and no folders but its own. The list names what
is allowed; all else is refused.
"""

import re
from collections.abc import Iterator, Sequence

from ccgpu.domain.workload.values import (
    FILES,
    INPUTS,
    MODELS,
    OPENSSL,
    OUTPUTS,
    SECRETS,
    SECRETS_INSIDE,
    Variable,
    WorkloadMount,
)
from ccgpu.domain.workload.words import container_path, variable_name

GPU_DEVICE = "nvidia.com/gpu=all"  # the name by CDI, which NVIDIA's container toolkit generates
# What a template may add to the run line: sizes and limits, and nothing that opens anything.
_ALLOWED_OPTIONS = (
    re.compile(r"--ipc=(host|private|shareable)"),
    re.compile(r"--ulimit=(memlock|stack|nofile)=-?[0-9]{1,12}(:-?[0-9]{1,12})?"),
    re.compile(r"--shm-size=[0-9]{1,4}[mg]"),
    re.compile(r"--tmpfs=/[a-z0-9/_-]{1,64}"),
    re.compile(r"--workdir=/[A-Za-z0-9/_-]{0,128}"),
    re.compile(r"--read-only"),
    re.compile(r"--user=[0-9]{1,6}(:[0-9]{1,6})?"),
    re.compile(r"--cap-drop=(ALL|all)"),
    re.compile(r"--security-opt=no-new-privileges"),
    re.compile(r"--network=none"),
    re.compile(r"--pids-limit=[0-9]{1,6}"),
    re.compile(r"--memory=[0-9]{1,4}g"),
)
_ALLOWED_SOURCES = (MODELS, INPUTS, OUTPUTS, SECRETS, FILES)
_LOOPBACK = re.compile(r"127\.0\.0\.1:([0-9]{1,5}):([0-9]{1,5})", re.ASCII)


def option_problems(options: Sequence[str]) -> Iterator[str]:
    """What is unsafe in a template's further options, each as a sentence without full stop."""
    for option in options:
        if not any(pattern.fullmatch(option) for pattern in _ALLOWED_OPTIONS):
            yield f"the option {option} is not one that a workload may have"


def mount_problems(mounts: Sequence[WorkloadMount]) -> Iterator[str]:
    """What is unsafe in the mounts."""
    seen: set[str] = set()
    for mount in mounts:
        if not _is_own(mount.source) or "," in mount.source or ":" in mount.source:
            yield f"the folder {mount.source} of the VM may not be mounted"
        if not mount.read_only and not mount.source.startswith(f"{OUTPUTS}/"):
            yield f"{mount.source} may only be mounted read-only"
        if not _is_secret(mount) and (why := _bad_target(mount.target)):
            yield f"{mount.target} {why}"
        if mount.target in seen:
            yield f"{mount.target} is the place of two mounts"
        seen.add(mount.target)


def port_problems(words: Sequence[str]) -> Iterator[str]:
    """What is unsafe in the values of `-p`."""
    for word in words:
        match = _LOOPBACK.fullmatch(word)
        if match is None or not all(1024 <= int(port) <= 65535 for port in match.groups()):
            yield f"the port {word} is not one on 127.0.0.1"


def environment_problems(environment: Sequence[Variable]) -> Iterator[str]:
    """What is unsafe in the environment."""
    for variable in environment:
        try:
            variable_name(variable.name)
        except ValueError as err:
            yield f"the variable {variable.name} {err}"
        if variable.name in ("LD_PRELOAD", "LD_AUDIT"):
            yield f"the variable {variable.name} may not be set"


def _is_own(source: str) -> bool:
    if ".." in source.split("/"):
        return False
    return source == OPENSSL or any(source.startswith(f"{own}/") for own in _ALLOWED_SOURCES)


def _is_secret(mount: WorkloadMount) -> bool:
    name = mount.source.removeprefix(f"{SECRETS}/")
    return mount.source.startswith(f"{SECRETS}/") and mount.target == f"{SECRETS_INSIDE}/{name}"


def _bad_target(target: str) -> str:
    if target == OPENSSL:
        return ""
    try:
        container_path(target)
    except ValueError as err:
        return str(err)
    return ""
