"""The seam to the inside of a VM: what Azure hands to a guest, and what it asks of one.

The simulated Azure knows nothing of what runs in a VM. Who does (`VmInside`) is given a `Machine`:
the VM as its own operating system sees it, with room in the simulated subscription's state.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from ccgpu.fakearm import kinds, skus
from ccgpu.fakearm.store import Store
from ccgpu.fakearm.vm import reach
from ccgpu.fakearm.vm.measured import manifest_of
from ccgpu.fakearm.vm.rules import value_at
from ccgpu.fakearm.world import StoredResource, World


class MachineBoot(NamedTuple):
    """One run of the operating system; times in Unix seconds.

    ready: when its agent reports and sshd answers. ended: when it was shut down; None while it
    runs. settings: the settings of guests when it began. user_data: what its metadata service had
    then, in base64; None for nothing.
    """

    began: float
    ready: float
    ended: float | None
    settings: Mapping[str, Any]
    user_data: str | None = None


class StoredFile(NamedTuple):
    """A stored file: its permissions (such as 0o644) and content."""

    mode: int
    data: bytes


class GuestRows:
    """What the guest of one VM has stored: files by absolute path, and facts by name."""

    def __init__(self, store: Store, vm_id: str) -> None:
        self._store, self._vm = store, vm_id

    def read(self, path: str) -> StoredFile | None:
        """The stored file at `path`."""
        row = self._store.row(
            "SELECT mode, data FROM guest_files WHERE vm = ? AND path = ?", self._vm, path
        )
        return StoredFile(*row) if row else None

    def write(self, path: str, file: StoredFile) -> None:
        """Store a file; replaces the one at `path`."""
        self._store.run(
            "INSERT OR REPLACE INTO guest_files VALUES (?, ?, ?, ?)", self._vm, path, *file
        )

    def remove(self, path: str) -> None:
        """Remove the stored file at `path`, if there is one."""
        self._store.run("DELETE FROM guest_files WHERE vm = ? AND path = ?", self._vm, path)

    def sizes(self) -> dict[str, int]:
        """Bytes of each stored file."""
        rows = self._store.rows(
            "SELECT path, length(data) FROM guest_files WHERE vm = ? ORDER BY path", self._vm
        )
        return dict(rows)

    def fact(self, name: str) -> str | None:
        """The stored fact of that name."""
        row = self._store.row(
            "SELECT value FROM guest_facts WHERE vm = ? AND name = ?", self._vm, name
        )
        return str(row[0]) if row else None

    def record(self, name: str, value: str) -> None:
        """Store a fact."""
        self._store.run(
            "INSERT OR REPLACE INTO guest_facts VALUES (?, ?, ?)", self._vm, name, value
        )


@dataclass(frozen=True, slots=True)
class Machine:
    """A VM as its operating system sees it.

    public_keys: lines of public key files, of the admin user `user`. publisher: the image's in
    lower case, empty for an image of a gallery. custom_data: None if the VM was given none.
    manifest: of the measured image that it boots; None for another image.
    gpus: how many its size has. running: whether Azure runs it now. ssh_open: whether the rules
    of its network let the internet reach port 22. durations: seconds of virtual time.
    """

    vm_id: str
    name: str
    user: str
    public_keys: tuple[str, ...]
    publisher: str
    custom_data: bytes | None
    secure_boot: bool
    gpus: int
    boots: tuple[MachineBoot, ...]
    running: bool
    private_addresses: tuple[str, ...]
    ssh_open: bool
    now: float
    settings: Mapping[str, Any]
    durations: Mapping[str, float]
    rows: GuestRows
    manifest: Mapping[str, Any] | None = None


class ScriptOutput(NamedTuple):
    """What a script printed. Run Command does not tell how it ended."""

    stdout: bytes
    stderr: bytes


class VmInside(Protocol):
    """What runs in the VMs."""

    def serial_log(self, machine: Machine, /) -> str:
        """Everything that the VM has printed on its serial console so far."""
        ...

    def run_script(self, machine: Machine, lines: Sequence[str], /) -> ScriptOutput | None:
        """Run the lines of a shell script as root; None if the VM's agent does not run scripts."""
        ...


def read_machine(world: World, vm: StoredResource) -> Machine:
    """The VM as its guest sees it."""
    profile = vm.properties["osProfile"]
    keys = value_at(profile, "linuxConfiguration", "ssh", "publicKeys") or ()
    size = skus.SIZES[vm.properties["hardwareProfile"]["vmSize"].lower()]
    addresses = reach.addresses(world, vm)
    boots = tuple(MachineBoot(**one) for one in vm.internal_state.get("boots", ()))
    return Machine(
        vm_id=vm.properties["vmId"],
        name=profile["computerName"],
        user=profile["adminUsername"],
        public_keys=tuple(str(one["keyData"]) for one in keys),
        publisher=str(
            value_at(vm.properties, "storageProfile", "imageReference", "publisher") or ""
        ).lower(),
        custom_data=_decode(vm.internal_state.get("customData")),
        secure_boot=bool(
            value_at(vm.properties, "securityProfile", "uefiSettings", "secureBootEnabled")
        ),
        gpus=size.gpus,
        boots=boots,
        running=vm.internal_state["power"] == "running" and bool(boots) and boots[-1].ended is None,
        private_addresses=addresses.private,
        ssh_open=reach.is_ssh_open(world, vm),
        now=world.now,
        settings=world.settings.value("guest"),
        durations=world.settings.value("durations"),
        rows=GuestRows(world.store, vm.properties["vmId"]),
        manifest=manifest_of(world, vm),
    )


@lru_cache(maxsize=16)
def _decode(text: str | None) -> bytes | None:
    try:
        return None if text is None else base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def find_machine(world: World, address: str) -> Machine | None:
    """The VM that has this public or private address."""
    for vm in reach.owners_of(world, address) or world.list_kind(kinds.VM):
        found = reach.addresses(world, vm)
        if address in found.public or address in found.private:
            return read_machine(world, vm)
    return None


def serial_log(world: World, vm: StoredResource) -> str:
    """What the VM has printed; nothing where nothing runs in VMs."""
    return "" if world.inside is None else world.inside.serial_log(read_machine(world, vm))


def begin_boot(world: World, vm: StoredResource, ready: float) -> None:
    """The VM boots now; its agent reports at `ready`."""
    settings, data = world.settings.value("guest"), vm.internal_state.get("userData")
    boot = MachineBoot(world.now, ready, None, settings, data)
    vm.internal_state.setdefault("boots", []).append(boot._asdict())


def end_boot(world: World, vm: StoredResource) -> None:
    """The VM shuts down now."""
    boots = vm.internal_state.get("boots") or [{"ended": world.now}]
    if boots[-1]["ended"] is None:
        boots[-1]["ended"] = world.now
