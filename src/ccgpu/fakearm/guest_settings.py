"""What goes wrong inside the simulated VMs: the settings below `guest`, and how they are checked.

What happens during a boot (first boot, set-up, kernel) follows the settings of the moment in which
that boot began. Everything else follows the settings of now.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

STEPS = (
    "sources",
    "updates",
    "kernel",
    "lkca",
    "driver",
    "persistence",
    "docker",
    "container-toolkit",
    "openssl",
    "temp-disk",
    "gpu",
    "lockdown",
)
GPU_STATES = ("confidential", "off", "devtools", "missing")
CLOUD_INIT = ("done", "error")
EVIDENCE = ("good", "old-firmware", "old-paravisor", "debug", "gpu-firmware")
COLLECTOR = (
    "",
    "busy",
    "host-key.absent",
    "tpm.absent",
    "tpm.error",
    "claims.absent",
    "claims.malformed",
    "claims.late",
    "event-log.large",
    "imds.error",
    "imds.slow",
    "gpu.count",
    "gpu.hung",
)
WORKLOADS = (
    "good",
    "garbage",
    "slow",
    "unhealthy",
    "pull-fails",
    "exits",
    "no-gpu",
    "disk-full",
    "model-mismatch",
)

OPENER = ("", "crypto.absent", "disk", "swap", "write")

GUEST_DEFAULTS: dict[str, Any] = {
    # How cloud-init ends at the first boot. After "error" there is no set-up.
    "cloud_init": "done",
    # The step of the set-up that fails: {"step", "exit_code", "message"}; empty for none.
    "setup_fails": {},
    # Whether sshd answers once the VM agent is ready.
    "ssh": True,
    # Whether the serial log still has the block with the host key, and whether that key is
    # another one than sshd shows.
    "key_in_log": True,
    "other_key": False,
    "gpu": "confidential",
    # An upgrade changed the driver's userspace but not the loaded module.
    "newer_userspace": False,
    # An upgrade installed a kernel without the driver's modules; the next boot runs it.
    "newer_kernel": False,
    "disk_full": False,
    # Whether somebody has released the packages that the set-up had put on hold.
    "not_held": False,
    # Packages that somebody has put on hold, besides those of the set-up.
    "held": [],
    # What is wrong with the VM's processor, paravisor or GPU in its evidence.
    "evidence": "good",
    # Why there is no evidence: the code of the collector's error; empty for none.
    "collector": "",
    # What goes wrong with the workloads that start from now on, and the exit code of one that
    # "exits".
    "workload": "good",
    "workload_exit_code": 3,
    # Why the VM does not take secrets: the code of the opener's error; empty for none.
    "opener": "",
}

GUEST_SCENARIOS: Mapping[str, Mapping[str, Any]] = {
    "driver-skew": {"newer_userspace": True},
    "cc-off": {"gpu": "off"},
    "cloud-init-error": {"cloud_init": "error"},
    "devtools": {"gpu": "devtools"},
    "no-sshd": {"ssh": False},
    "setup-fails": {
        "setup_fails": {
            "step": "driver",
            "exit_code": 100,
            "message": "E: Unable to locate package nvidia-driver-595-server-open",
        }
    },
    "gpu-missing": {"gpu": "missing"},
    "no-host-key": {"key_in_log": False},
    "other-host-key": {"other_key": True},
    "drift": {"newer_kernel": True},
    "disk-full": {"disk_full": True},
    "not-held": {"not_held": True},
    "old-firmware": {"evidence": "old-firmware"},
    "old-paravisor": {"evidence": "old-paravisor"},
    "debuggable": {"evidence": "debug"},
    "gpu-firmware": {"evidence": "gpu-firmware"},
    "collector-busy": {"collector": "busy"},
    **{name.replace(".", "-"): {"collector": name} for name in COLLECTOR[2:]},
    "garbage-answers": {"workload": "garbage"},
    "slow-answers": {"workload": "slow"},
    "never-healthy": {"workload": "unhealthy"},
    "image-pull-fails": {"workload": "pull-fails"},
    "workload-exits": {"workload": "exits"},
    "workload-without-gpu": {"workload": "no-gpu"},
    "workload-disk-full": {"workload": "disk-full"},
    "model-mismatch": {"workload": "model-mismatch"},
    **{f"opener-{name.replace('.', '-')}": {"opener": name} for name in OPENER[1:]},
    "updates-held": {"held": ["openssh-server", "unattended-upgrades"]},
}

_FAILURE = {"step", "exit_code", "message"}
_LAST_EXIT_CODE = 255
Problems = Iterator[tuple[tuple[str, ...], str]]


def find_guest_problems(values: Mapping[str, Any]) -> Problems:
    """Everything that is wrong with these settings: the path of keys below `guest`, the reason."""
    for key, value in values.items():
        if key not in GUEST_DEFAULTS:
            known = ", ".join(sorted(GUEST_DEFAULTS))
            yield (key,), f"unknown setting; known are {known}"
        elif key in _CHECKS:
            yield from _CHECKS[key](key, value)
        elif not isinstance(value, bool):
            yield (key,), "must be true or false"


def convert_text(text: str) -> Any:
    """The value that a text of a scenario file stands for."""
    if text.isdecimal() and len(text) < 10:  # digits of a plain number
        return int(text)
    return {"true": True, "false": False}.get(text, text)


def _choice_check(*known: str) -> Callable[[str, Any], Problems]:
    def check(key: str, value: Any) -> Problems:
        if value not in known:
            yield (key,), f"must be one of {', '.join(known)}"

    return check


def _check_failure(key: str, value: Any) -> Problems:
    if not isinstance(value, Mapping) or value.keys() not in (set(), _FAILURE):
        yield (key,), "must have a step, an exit_code and a message, or nothing"
    elif value:
        if value["step"] not in STEPS:
            yield (key, "step"), f"must be one of {', '.join(STEPS)}"
        if type(value["exit_code"]) is not int or not 0 < value["exit_code"] <= _LAST_EXIT_CODE:
            yield (key, "exit_code"), f"must be a whole number, 1 to {_LAST_EXIT_CODE}"
        if not isinstance(value["message"], str):
            yield (key, "message"), "must be a text"


def _check_held(key: str, value: Any) -> Problems:
    if not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        yield (key,), "must be a list of texts"


def _check_exit_code(key: str, value: Any) -> Problems:
    if type(value) is not int or not 0 <= value <= _LAST_EXIT_CODE:
        yield (key,), f"must be a whole number, 0 to {_LAST_EXIT_CODE}"


_CHECKS: dict[str, Callable[[str, Any], Problems]] = {
    "cloud_init": _choice_check(*CLOUD_INIT),
    "gpu": _choice_check(*GPU_STATES),
    "evidence": _choice_check(*EVIDENCE),
    "collector": _choice_check(*COLLECTOR),
    "workload": _choice_check(*WORKLOADS),
    "workload_exit_code": _check_exit_code,
    "opener": _choice_check(*OPENER),
    "setup_fails": _check_failure,
    "held": _check_held,
}
