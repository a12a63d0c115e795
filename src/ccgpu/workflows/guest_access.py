"""From a deployment to its VM: the address, the user, the login key, and the host key that counts.

The host key is the one that this machine has recorded for the VM's id. If it has none, the VM's
serial log is read, and the key in it is recorded. What the network shows is never recorded. A VM of
a measured image makes its key at each boot, and its console is the host's: only a verdict tells it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from ccgpu.azure.boot_diagnostics import SerialLogs
from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import run_task, send_alone
from ccgpu.azure.run import Run
from ccgpu.domain import time_limits
from ccgpu.domain.access import Access
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.known_host import KnownHostKey
from ccgpu.domain.resource import Body, ResourceId, key
from ccgpu.domain.status import State, vm_state
from ccgpu.domain.vm_view import (
    admin_username,
    ip_configurations,
    network_interface_ids,
    power_state,
    properties,
    public_ip_id,
)
from ccgpu.errors import AzureRefused, GuestUnreachable
from ccgpu.guest import serial_log
from ccgpu.guest.channel import Channel, GuestTarget, OpenChannel
from ccgpu.guest.ssh_failures import not_pinned
from ccgpu.net.retry import poll_delay
from ccgpu.scheduling.clock import rfc3339
from ccgpu.store.keys import Keys
from ccgpu.store.known_hosts import KnownHosts
from ccgpu.workflows.access_memory import record_access
from ccgpu.workflows.attestation_note import attestation_note
from ccgpu.workflows.discovery.search import find_names, require_vm
from ccgpu.workflows.guest_task import GuestTask
from ccgpu.workflows.login_identity import login_identity
from ccgpu.workflows.measured_deployment import is_measured
from ccgpu.workflows.record_names import record_name_of

T = TypeVar("T")
TIMEOUT = time_limits.GUEST
_GREETING = 30.0  # seconds in which the first command has to end
_NOT_YET_PROVEN = (
    "the host key of {} is not known: its measured image makes one at each boot, and only a "
    "verdict tells which; nothing was sent"
)
_UNPINNED = "its state is read from whatever answers at its address, and nothing else is sent there"


@dataclass(frozen=True, slots=True)
class GuestOptions:
    """How a command looks into a VM: the channel, the way to it, and the SSH keys.

    require: raises an error if this machine lacks what `channels` needs, or if none of the given
    private keys can be used.
    """

    channels: OpenChannel
    access: Access
    keys: Keys
    require: Callable[[Sequence[Path]], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class WantedGuest:
    """The VM of a deployment that a command wants to reach.

    group: its resource group; None to search for it. keys: those of the deployment.
    timeout: seconds in which it has to answer. attested: whether this machine has to have attested
    it in its present boot.
    """

    name: str
    group: str | None
    access: Access
    keys: Keys
    timeout: float = TIMEOUT
    attested: bool = False

    def remember(self, cloud: AzureContext) -> None:
        """Record the way: it has led to the VM."""
        record_access(cloud, self.name, self.access, self.group)


@contextmanager
def opened_guest(
    cloud: AzureContext,
    channels: OpenChannel,
    wanted: WantedGuest,
    listen: Listener = ignore_event,
) -> Iterator[Channel]:
    """A channel to a VM that answers; raises as `find_guest` and `guest.channel.Channel` do.

    A way that has led to the VM is recorded.
    """
    run = Run.begin(cloud, wanted.timeout, listen)
    names = find_names(run, wanted.name, wanted.group)
    with _opened(run, names, channels, wanted) as channel:
        wait_until_reachable(run, names, partial(channel.run, ["true"], timeout=_GREETING))
        wanted.remember(cloud)
        yield channel


def open_shell(
    cloud: AzureContext,
    channels: OpenChannel,
    wanted: WantedGuest,
    listen: Listener = ignore_event,
) -> int:
    """A login shell on this terminal; returns its exit code.

    Its first connection is the shell's own, which may ask for a passphrase.
    """
    run = Run.begin(cloud, wanted.timeout, listen)
    names = find_names(run, wanted.name, wanted.group)
    with _opened(run, names, channels, wanted) as channel:
        code = wait_until_reachable(run, names, channel.shell)
    wanted.remember(cloud)
    return code


def _opened(
    run: Run, names: Names, channels: OpenChannel, wanted: WantedGuest
) -> AbstractContextManager[Channel]:
    target = find_guest(run, names, wanted.access, wanted.keys)
    if not wanted.attested:
        if note := attestation_note(run.cloud, names, target.vm_id or "", target.host_key):
            run.tell("note", note)
        return channels(target)
    from ccgpu.workflows.require_attested import opened_if_attested  # needs the verifier

    return opened_if_attested(run, names, channels, target)


def find_guest(run: Run, names: Names, access: Access, keys: Keys) -> GuestTarget:
    """The VM of a deployment as a target, with its host key; waits for that to be printed.

    Raises:
        GuestUnreachable: the VM does not run, has no address that can be reached from here, or
            has not printed its host key within the time limit of `run`.
        HostKeyMismatch: the serial log has two different host keys.
        AzureRefused: the serial log cannot be read.
    """
    vm, name = require_vm(run, names), names.deployment
    measured = is_measured(run.cloud, names, vm)

    def look() -> GuestTarget:
        target = guest_target(run, names, vm, access, keys)
        if target.host_key is None and measured:
            raise GuestUnreachable(_NOT_YET_PROVEN.format(name), hint=f"`ccgpu attest {name}`")
        if target.host_key is None:
            error = not_pinned(target, "it is not connected to")
            error.transient = True
            raise error
        return target

    return wait_until_reachable(run, names, look)


def find_guest_to_probe(
    run: Run, names: Names, vm: Body, access: Access, keys: Keys, patience: float = 0.0
) -> GuestTarget:
    """The VM as a target for the probe alone; its host key may be missing.

    The key is missing if the serial log cannot be read, or does not show it within `patience`
    seconds. Then nothing but the probe may run, and the key that the VM shows is not recorded. That
    of a measured image is never there: the verdict that follows binds the one that the VM shows.
    """
    began, polls, name = run.cloud.now(), 0, names.deployment
    if is_measured(run.cloud, names, vm):
        return guest_target(run, names, vm, access, keys, look_for_key=False)
    while True:
        try:
            target = guest_target(run, names, vm, access, keys)
        except AzureRefused as err:
            run.tell("note", f"the host key of {name} cannot be read: {err}; {_UNPINNED}")
            return guest_target(run, names, vm, access, keys, look_for_key=False)
        if target.host_key is not None:
            return target
        if run.cloud.now() - began >= patience:
            run.tell("note", f"the serial log does not show the host key of {name}: {_UNPINNED}")
            return target
        run.tell("wait", "ssh: the host key is not in the serial log yet", names.vm, Kind.VM)
        run_task(run, run.pause(poll_delay(polls, None), "waiting for the host key"))
        polls += 1


def guest_target(
    run: Run,
    names: Names,
    vm: Body,
    access: Access,
    keys: Keys,
    *,
    look_for_key: bool = True,
) -> GuestTarget:
    """The target of a VM whose body, with instance view, was read; see `find_guest`.

    Its host key is None if the VM has not printed one that is still in its serial log, or if it is
    not looked for.
    """
    power, name = power_state(vm), names.deployment
    if power != "running" and vm_state(vm) is State.CREATING:
        raise GuestUnreachable(
            f"the VM of {name} is still being created",
            hint=f"`ccgpu wait {name} --for ready` waits for it",
        )
    if power is not None and power not in ("running", "starting"):
        raise GuestUnreachable(
            f"the VM of {name} is {power}", hint=f"`ccgpu start {name}` starts it"
        )
    vm_id = vm_id_of(vm)
    return GuestTarget(
        deployment=name,
        vm_id=vm_id,
        host=_address(run, names, vm, access),
        user=admin_username(vm) or "",
        host_key=host_key_of(run, names, vm) if look_for_key else None,
        identity=login_identity(vm, access, keys),
        jump=access.jump,
    )


def vm_id_of(vm: Body) -> str:
    """ARM's vmId of a VM, in lower case; empty if it has none yet."""
    return str(properties(vm).get("vmId") or "").lower()


def host_key_of(run: Run, names: Names, vm: Body) -> bytes | None:
    """The host key of the VM: the one recorded for its vmId, else that of its serial log.

    The latter is recorded. None: there is none.
    """
    cloud, vm_id = run.cloud, vm_id_of(vm)
    known = KnownHosts(cloud.journals.folder)
    recorded = record_name_of(cloud, names)
    record = known.find(cloud.subscription, recorded, vm_id)
    if record is not None:
        return record.blob
    if is_measured(cloud, names, vm):
        return None
    blob = serial_log.host_key(read_serial_log(run, names))
    if blob is not None:
        now = run.server_clock.time() or cloud.now()
        new = KnownHostKey(vm_id, blob, "serial-log", rfc3339(now))
        known.record(cloud.subscription, recorded, new)
    return blob


def read_serial_log(run: Run, names: Names) -> str:
    """The VM's serial log so far."""
    logs = SerialLogs(run.cloud.session, run.cloud.arm)
    return send_alone(run, partial(logs.read, names.vm), f"reading the serial log of {names.vm}")


def wait_until_reachable(run: Run, names: Names, attempt: Callable[[], T]) -> T:
    """As `GuestTask.reach`, for the VM of a deployment."""
    return GuestTask.of_deployment(run, names).reach(attempt)


def has_address(run: Run, vm: Body, access: Access) -> bool:
    """Whether the VM has an address that is, by what the user says, reachable from here."""
    return _find_address(run, vm, access) is not None


def _address(run: Run, names: Names, vm: Body, access: Access) -> str:
    """The address to connect to."""
    address = _find_address(run, vm, access)
    if address is not None:
        return address
    if access.by_private_address:
        raise GuestUnreachable(f"the VM of {names.deployment} has no address yet", transient=True)
    raise GuestUnreachable(
        f"the VM of {names.deployment} has no public address",
        hint="give a host to go through: `--jump user@host`; or, if this machine reaches the VM's "
        "network, `--reachable`",
    )


def _find_address(run: Run, vm: Body, access: Access) -> str | None:
    """The first address of the VM's network interfaces, public or private as `access` says."""
    for id_ in network_interface_ids(vm):
        for configuration in ip_configurations(_read(run, Kind.NIC, id_)):
            if access.by_private_address:
                address = configuration.get("privateIPAddress")
            else:
                address = _public_address(run, configuration)
            if address:
                return str(address)
    return None


def _public_address(run: Run, configuration: Body) -> str | None:
    id_ = public_ip_id(configuration)
    if id_ is None:
        return None
    address: str | None = properties(_read(run, Kind.PUBLIC_IP, id_)).get("ipAddress")
    return address


def _read(run: Run, kind: Kind, id_: ResourceId) -> Body | None:
    """A resource that this command has read, else read now: an address does not change."""
    known = run.observed.get(key(id_))
    return known or send_alone(run, partial(run.cloud.arm.get, kind, id_), f"reading {id_}")
