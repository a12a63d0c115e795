"""The drift check of a guest: what no longer fits together since the set-up.

Real guests run it once a boot, when the set-up's service is through. It looks at the guest as it
was then.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from ccgpu.fakeguest.commands import gpu
from ccgpu.fakeguest.commands.packages import driver_package, released
from ccgpu.fakeguest.guest import SimulatedGuest

_RERUN = "drift-rerun"


class _DriftCheck(NamedTuple):
    """When the check ran, in which boot, and under which settings of guests."""

    at: float
    boot: int
    settings: Mapping[str, Any]


def drift_document(guest: SimulatedGuest) -> dict[str, Any] | None:
    """The drift file; None before the check has run for the first time."""
    checks = [one for one in _checks(guest) if one.at <= guest.now]
    if not checks:
        return None
    last = max(checks)
    boots = guest.machine.boots[: last.boot + 1]
    seen = SimulatedGuest(replace(guest.machine, boots=boots, now=last.at, settings=last.settings))
    if seen.setup is None or not seen.setup.is_done("driver"):
        return None
    problems = [
        {"what": what, "expected": expected, "found": found}
        for what, expected, found in _compared(seen)
        if expected != found
    ]
    return {"schema": "ccgpu.drift/1", "boot_id": seen.boot_id, "problems": problems}


def rerun_drift(guest: SimulatedGuest) -> None:
    """Check again now."""
    boot = len(guest.machine.boots) - 1
    check = _DriftCheck(guest.now, boot, dict(guest.settings))
    guest.machine.rows.record(_RERUN, json.dumps(check._asdict()))


def _checks(guest: SimulatedGuest) -> Iterator[_DriftCheck]:
    ends = guest.setup.ends if guest.setup else ()
    for number, boot in enumerate(guest.machine.boots):
        if at := min((at for at, in_boot in ends if in_boot == number), default=None):
            yield _DriftCheck(at, number, boot.settings)
    if stored := guest.machine.rows.fact(_RERUN):
        yield _DriftCheck(**json.loads(stored))


def _compared(guest: SimulatedGuest) -> Iterator[tuple[str, str, str]]:
    """What is compared, the expected and the found text."""
    version = guest.module_version
    yield "kernel", guest.fitted_kernel, guest.kernel
    yield "kernel-modules", version, version if guest.has_modules else "none"
    yield "loaded-module", version, version if guest.is_module_loaded else "none"
    yield "driver-package", version, driver_package(guest)
    yield "driver-library", version, gpu.query(guest, "driver_version")
    yield "cc-status", "CC status: ON", gpu.last_line(guest, "conf-compute", "-f")
    environment = "CC Environment: PRODUCTION"
    yield "cc-environment", environment, gpu.last_line(guest, "conf-compute", "-e")
    yield "persistence", "Enabled", gpu.query(guest, "persistence_mode")
    free = " ".join(released(guest))
    yield "holds", "all held", f"not held: {free}" if free else "all held"
