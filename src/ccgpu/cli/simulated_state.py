"""The file of a simulated subscription, and what belongs to it: journals, vendors' keys, cache."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccgpu.errors import StateUnusable, UsageProblem
from ccgpu.store import atomic
from ccgpu.store.folders import fake_journals, path_beside

if TYPE_CHECKING:
    from ccgpu.cli.runtime import SeedOutcome
    from ccgpu.fakearm import FakeArm, StoredDisk
    from ccgpu.fakeguest.vendors import SimulatedVendors
    from ccgpu.views.served import ServedAzure


def sku_folder(journals: Path) -> Path:
    """The folder that keeps what sizes are offered, beside the journals."""
    return path_beside(journals, ".skus")


def inhabit(arm: "FakeArm") -> None:
    """Let a guest run in each VM of a simulated subscription."""
    from ccgpu.fakeguest import guests

    guests.inhabit(arm, _measure_disk)


def _measure_disk(disk: "StoredDisk") -> Mapping[str, Any] | None:
    """What a boot measures of an uploaded disk; None if it is no sound measured image."""
    from ccgpu.image.malformed import MalformedImage
    from ccgpu.image.measure import measure

    try:
        return measure(disk).model_dump(mode="json")
    except MalformedImage:
        return None


def _refusal(what: Path | str, err: Exception) -> str:
    """`what`, and the reason; without the number and the path that Python adds to a reason."""
    said = str(getattr(err, "strerror", None) or err)
    return said if said.startswith(str(what)) else f"{what}: {said}"


class Simulation:
    """A simulated subscription in a file. Beside it are the journals and the vendors' keys.

    The journals are kept apart from Azure's and from those of other simulated subscriptions.
    """

    def __init__(self, path: Path) -> None:
        from ccgpu.fakearm import FakeArm

        self.journals = fake_journals(path)
        self._path = path
        self._vendors = path_beside(path, ".vendors.json")
        try:
            self.arm = FakeArm(path)
        except (ValueError, OSError, sqlite3.Error) as err:
            hint = "set CCGPU_FAKE_STATE to keep the simulated subscription in another file"
            raise StateUnusable(_refusal(path, err), hint=hint) from err
        inhabit(self.arm)

    def vendors(self) -> "SimulatedVendors":
        """The simulated AMD and NVIDIA of this subscription; the first call makes their keys."""
        from ccgpu.fakeguest.vendors import load_vendors, make_vendors

        try:
            if not self._vendors.exists():
                self._write_vendors(make_vendors().as_text())
            return load_vendors(self._vendors.read_text())
        except (ValueError, OSError) as err:
            hint = f"remove {self._vendors}: new keys are made, and older evidence is not of them"
            raise StateUnusable(_refusal(self._vendors, err), hint=hint) from err

    def _write_vendors(self, text: str) -> None:
        try:
            atomic.create(self._vendors, text.encode())
        except FileExistsError:
            return  # another process has written its keys: use those

    @contextmanager
    def served(self, port: int, speed: float) -> "Iterator[tuple[ServedAzure, Callable[[], None]]]":
        """Serve the subscription over HTTPS on loopback, until the context ends.

        Yields what clients have to know, and the function that lets virtual time catch up.

        Raises:
            StateUnusable: the server's certificate cannot be read or written.
            UsageProblem: the port is taken.
        """
        from ccgpu.fakearm import front
        from ccgpu.scheduling.clock import RealClock
        from ccgpu.views.served import ServedAzure

        identity, authority = self._tls_files()
        time = front.RealTime(self.arm, RealClock().now, speed)
        azure = front.LoopbackAzure(time)
        with ExitStack() as stack:
            try:
                bound = stack.enter_context(front.running(port, azure, identity))
            except OSError as err:
                hint = "leave out --port: a free one is chosen"
                raise UsageProblem(
                    _refusal(f"cannot serve on port {port}", err), hint=hint
                ) from err
            folder = path_beside(self._path, f".az-{bound}")
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            served = ServedAzure(
                url=f"https://localhost:{bound}",
                subscription=self.arm.subscription,
                tenant=front.TENANT_ID,
                authority=str(authority),
                identity_path=front.IDENTITY_PATH,
                identity_secret=azure.secret,
                az_folder=str(folder),
            )
            yield served, time.catch_up

    def _tls_files(self) -> tuple[Path, Path]:
        """The files of the server's key and certificates, and of its authority; made once."""
        from ccgpu.fakearm import front

        identity = path_beside(self._path, ".tls.pem")
        authority = path_beside(self._path, ".ca.pem")
        try:
            with suppress(FileExistsError):
                if not identity.exists():
                    atomic.create(identity, front.make_identity())
            atomic.replace(authority, front.authority_of(identity.read_bytes()))
        except (ValueError, OSError) as err:
            hint = f"remove {identity}: a new certificate is made, which clients must trust anew"
            raise StateUnusable(_refusal(identity, err), hint=hint) from err
        return identity, authority

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
