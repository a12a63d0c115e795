"""The file of a simulated subscription, and what belongs to it: journals, vendors' keys, cache."""

import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccgpu.errors import StateUnusable
from ccgpu.store import atomic
from ccgpu.store.folders import fake_journals

if TYPE_CHECKING:
    from ccgpu.cli.runtime import SeedOutcome
    from ccgpu.fakeguest.vendors import SimulatedVendors


def sku_folder(journals: Path) -> Path:
    """The folder that keeps what sizes are offered, beside the journals."""
    return journals.with_name(f"{journals.name}.skus")


class Simulation:
    """A simulated subscription in a file. Beside it are the journals and the vendors' keys.

    The journals are kept apart from Azure's and from those of other simulated subscriptions.
    """

    def __init__(self, path: Path) -> None:
        from ccgpu.fakearm import FakeArm
        from ccgpu.fakeguest import guests

        self.journals = fake_journals(path)
        self._vendors = path.with_name(f"{path.name}.vendors.json")
        try:
            self.arm = FakeArm(path)
        except (ValueError, OSError, sqlite3.Error) as err:
            hint = "set CCGPU_FAKE_STATE to keep the simulated subscription in another file"
            raise StateUnusable(f"{path}: {err}", hint=hint) from err
        guests.inhabit(self.arm)

    def vendors(self) -> "SimulatedVendors":
        """The simulated AMD and NVIDIA of this subscription; the first call makes their keys."""
        from ccgpu.fakeguest.vendors import load_vendors, make_vendors

        try:
            if not self._vendors.exists():
                self._write_vendors(make_vendors().as_text())
            return load_vendors(self._vendors.read_text())
        except (ValueError, OSError) as err:
            hint = f"remove {self._vendors}: new keys are made, and older evidence is not of them"
            raise StateUnusable(f"{self._vendors}: {err}", hint=hint) from err

    def _write_vendors(self, text: str) -> None:
        try:
            atomic.create(self._vendors, text.encode())
        except FileExistsError:
            return  # another process has written its keys: use those

    def show(self) -> dict[str, Any]:
        """The resources, their cost, and the requests so far."""
        return self.arm.show()

    def reset(self) -> None:
        """Delete all resources and journals. The vendors' keys stay."""
        self.arm.reset()
        shutil.rmtree(self.journals, ignore_errors=True)
        self._forget_sizes()

    def advance(self, seconds: float) -> None:
        """Advance the virtual time."""
        self.arm.advance(seconds)

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Apply these settings, and reset all others to their defaults."""
        self.arm.configure(settings)
        self._forget_sizes()

    def _forget_sizes(self) -> None:
        """What is offered where may have changed; Azure does not change in the blink of an eye."""
        shutil.rmtree(sku_folder(self.journals), ignore_errors=True)

    def add(self, resources: Sequence[Any]) -> "SeedOutcome":
        """Add these resources; if one is invalid, add none."""
        return self.arm.add(resources)

    def close(self) -> None:
        """Close the file."""
        self.arm.close()
