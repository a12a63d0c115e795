"""The options of every command that reaches the inside of a VM."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccgpu.cli.durations import seconds
from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import ProgressOptions, Target, option
from ccgpu.cli.runtime import ConnectionOptions, Runtime
from ccgpu.domain.spec.flags import ACCESS

if TYPE_CHECKING:
    from ccgpu.azure.context import AzureContext
    from ccgpu.guest.channel import Channel
    from ccgpu.workflows.guest_access import WantedGuest

_NONE = "none"  # forgets what was given last


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """How to reach the VM. None: as the last command that said it; an empty text: not any more."""

    jump: str | None
    reachable: bool | None
    identity: str | None
    timeout: float | None

    def wanted(self, runtime: Runtime, cloud: "AzureContext", target: Target) -> "WantedGuest":
        """The VM to reach, and how; what is given is remembered for the deployment."""
        from ccgpu.store.keys import Keys
        from ccgpu.workflows import guest_access as workflow

        access = workflow.remembered_access(
            cloud, target.name, self.jump, self.reachable, self.identity
        )
        keys = Keys(runtime.state, target.name, runtime.home)
        timeout = self.timeout or workflow.TIMEOUT
        return workflow.WantedGuest(target.name, target.group, access, keys, timeout)

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
                channel = stack.enter_context(
                    opened_guest(cloud, backend.channels, wanted, progress)
                )
            yield channel


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
    return "" if text == _NONE else str(Path(text).expanduser().absolute())


def _access_options(
    jump: Annotated[
        str | None,
        option(
            "Host to go through, as your ssh knows it; `none` for none.",
            "--jump",
            parser=_parse_jump,
            metavar="[USER@]HOST[:PORT]",
            panel=ACCESS,
        ),
    ] = None,
    reachable: Annotated[
        bool | None,
        option(
            "This machine reaches the VM's private address.",
            "--reachable/--no-reachable",
            panel=ACCESS,
        ),
    ] = None,
    identity_file: Annotated[
        str | None,
        option(
            "Private key to log in with; `none` for those that ssh finds.",
            "--identity-file",
            "-i",
            parser=_parse_identity,
            metavar="FILE",
            panel=ACCESS,
        ),
    ] = None,
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
) -> AccessOptions:
    return AccessOptions(jump, reachable, identity_file, connect_timeout)


AccessArguments = Annotated[AccessOptions, OptionGroup(_access_options)]
