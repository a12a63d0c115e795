"""The options of every command that reaches the inside of a VM."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccgpu.cli.durations import seconds
from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import ProgressOptions, Target, option
from ccgpu.cli.runtime import ConnectionOptions, Runtime
from ccgpu.domain.spec.flags import ACCESS
from ccgpu.errors import UsageProblem

if TYPE_CHECKING:
    from ccgpu.azure.context import AzureContext
    from ccgpu.domain.access import Access
    from ccgpu.domain.events import Event, Listener
    from ccgpu.guest.channel import Channel
    from ccgpu.workflows.guest_access import WantedGuest

_NONE = "none"  # forgets what was given last


@dataclass(frozen=True, slots=True)
class WayOptions:
    """The way to a VM. None: as the last command that said it; an empty text: not any more."""

    jump: str | None
    reachable: bool | None
    identity: str | None

    def access(self, cloud: "AzureContext", name: str, group: str | None = None) -> "Access":
        """The way to the VM of this deployment: what is given, else what is remembered."""
        from ccgpu.workflows.access_memory import remembered_access

        return remembered_access(cloud, name, self.jump, self.reachable, self.identity, group)

    def access_to_try(self, cloud: "AzureContext", name: str, group: str | None = None) -> "Access":
        """As `access`; what is taken back (`none`, `--no-reachable`) is forgotten at once.

        What is new is remembered by the workflow, once it has led to the VM.
        """
        from ccgpu.workflows.access_memory import record_access, remembered_access

        jump, identity = (None if word else word for word in (self.jump, self.identity))
        reachable = None if self.reachable else self.reachable
        left = remembered_access(cloud, name, jump, reachable, identity, group)
        record_access(cloud, name, left, group)
        return self.access(cloud, name, group)

    def wanted(
        self, runtime: Runtime, cloud: "AzureContext", target: Target, timeout: float
    ) -> "WantedGuest":
        """The VM to reach, and how."""
        from ccgpu.store.keys import Keys
        from ccgpu.workflows.guest_access import WantedGuest

        access = self.access(cloud, target.name, target.group)
        keys = Keys(runtime.state, target.name, runtime.home)
        return WantedGuest(target.name, target.group, access, keys, timeout)


UNKNOWN_WAY = WayOptions(None, None, None)


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """The way to a VM, how long to wait for one that does not answer, whether it is attested."""

    way: WayOptions
    timeout: float | None
    attested: bool = False

    def wanted(self, runtime: Runtime, cloud: "AzureContext", target: Target) -> "WantedGuest":
        """The VM to reach, and how; what has led to the VM is then remembered."""
        from ccgpu.workflows import guest_access as workflow

        wanted = self.way.wanted(runtime, cloud, target, self.timeout or workflow.TIMEOUT)
        return replace(wanted, attested=self.attested)

    def refuse(self, way: str) -> None:
        """Raise `UsageProblem` if one was given: `way` does not go over SSH."""
        if self != AccessOptions(UNKNOWN_WAY, None):
            raise UsageProblem(
                "--jump, --reachable, --identity-file, --connect-timeout and --require-attested "
                f"are for SSH, and {way} does not use it",
                hint="leave them out",
            )

    @contextmanager
    def opened(
        self, runtime: Runtime, connection: ConnectionOptions, target: Target
    ) -> "Iterator[Channel]":
        """A channel to the VM, which answers; waiting for that is shown on stderr."""
        from ccgpu.workflows.guest_access import opened_guest

        backend = runtime.backend(connection)
        cloud = backend.connect()
        with ExitStack() as stack:
            # The display ends before the block begins, which may write to the terminal.
            with ProgressOptions(None, None).shown(runtime) as progress:
                wanted = self.wanted(runtime, cloud, target)
                listen = completing_notes(progress, runtime)
                channel = stack.enter_context(opened_guest(cloud, backend.channels, wanted, listen))
            yield channel


def completing_notes(listen: "Listener", runtime: Runtime) -> "Listener":
    """A listener whose notes have commands that can be run as they are."""

    def told(event: "Event") -> None:
        is_note = event.what == "note"
        listen(replace(event, text=runtime.complete(event.text)) if is_note else event)

    return told


def _parse_jump(text: str) -> str:
    from ccgpu.guest.ssh_options import parse_jump

    if text == _NONE:
        return ""
    try:
        parse_jump(text)
    except ValueError as err:
        raise typer.BadParameter(str(err)) from err
    return text


def _parse_identity(text: str) -> str:
    if text == _NONE:
        return ""
    if text == "-":
        raise typer.BadParameter("ssh reads the key from a file alone, not from standard input")
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise typer.BadParameter(f"there is no file {text}")
    return str(path)


JumpOption = Annotated[
    str | None,
    option(
        "Host to go through, as your ssh knows it; `none` for none.",
        "--jump",
        parser=_parse_jump,
        metavar="[USER@]HOST[:PORT]",
        panel=ACCESS,
    ),
]
ReachableOption = Annotated[
    bool | None,
    option(
        "This machine reaches the VM's private address.",
        "--reachable/--no-reachable",
        panel=ACCESS,
    ),
]
IdentityOption = Annotated[
    str | None,
    option(
        "Private key to log in with; `none` for those that ssh finds.",
        "--identity-file",
        "-i",
        parser=_parse_identity,
        metavar="FILE",
        panel=ACCESS,
    ),
]


def _way_options(
    jump: JumpOption = None,
    reachable: ReachableOption = None,
    identity_file: IdentityOption = None,
) -> WayOptions:
    return WayOptions(jump, reachable, identity_file)


def _access_options(
    jump: JumpOption = None,
    reachable: ReachableOption = None,
    identity_file: IdentityOption = None,
    connect_timeout: Annotated[
        float | None,
        option(
            "How long to wait for a VM that does not answer yet (60s).",
            "--connect-timeout",
            parser=seconds,
            metavar="DURATION",
            panel=ACCESS,
        ),
    ] = None,
    require_attested: Annotated[
        bool,
        option(
            "Refuse a VM that is not attested, or was started anew since (exit 9).",
            "--require-attested",
            panel=ACCESS,
        ),
    ] = False,
) -> AccessOptions:
    way = WayOptions(jump, reachable, identity_file)
    return AccessOptions(way, connect_timeout, require_attested)


WayArguments = Annotated[WayOptions, OptionGroup(_way_options)]
AccessArguments = Annotated[AccessOptions, OptionGroup(_access_options)]
