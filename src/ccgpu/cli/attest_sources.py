"""What `attest` attests: a deployment's VM, a machine at an address, or evidence in a file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ccgpu.cli.access_options import WayOptions
from ccgpu.cli.identity_options import HostKeyOption, NonceOption, VmIdOption
from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import GroupOption, OptionalName, Target, option
from ccgpu.cli.runtime import Runtime
from ccgpu.domain.host_address import HostAddress, parse_host_address
from ccgpu.errors import UsageProblem

if TYPE_CHECKING:
    from ccgpu.attest.attestation import Attestation
    from ccgpu.cli.backends import Backend
    from ccgpu.domain.events import Listener
    from ccgpu.workflows.attest import AttestMeans
    from ccgpu.workflows.attest_host import WantedHost

_PANEL = "Other machines than deployments"
_NO_WAY = WayOptions(None, None, None)


@dataclass(frozen=True, slots=True)
class AttestSource:
    """One of a deployment, an address, and a file; and what the user knows of the VM."""

    target: Target | None
    host: HostAddress | None
    evidence: Path | None
    nonce: bytes | None
    vm_id: str | None
    host_key: str | None

    def asking(
        self,
        runtime: Runtime,
        backend: "Backend",
        means: "AttestMeans",
        way: WayOptions,
        timeout: float | None,
    ) -> "Callable[[Listener], Attestation]":
        """What attests the VM; for a deployment, it is signed in to Azure now."""
        from ccgpu.workflows import attest as workflow

        limit = timeout or workflow.TIMEOUT
        if self.target is not None:
            cloud = backend.connect()
            wanted = way.wanted(runtime, cloud, self.target, limit)
            return lambda listen: workflow.attest(cloud, backend.channels, means, wanted, listen)
        from ccgpu.workflows.attest_host import attest_host

        host = self._wanted_host(way, limit)
        return lambda listen: attest_host(backend.scheduler, backend.channels, means, host, listen)

    def _wanted_host(self, way: WayOptions, timeout: float) -> "WantedHost":
        from ccgpu.store import hostkeys
        from ccgpu.workflows.attest_host import WantedHost

        if way.reachable is not None:
            raise typer.BadParameter("--reachable is for deployments: --host names the address")
        if self.host is None:
            raise AssertionError("neither a deployment nor an address")
        return WantedHost(
            self.host,
            self.vm_id,
            None if self.host_key is None else hostkeys.pin(self.host_key),
            Path(way.identity) if way.identity else None,
            way.jump or None,
            timeout,
        )

    def refuse_way(self, way: WayOptions) -> None:
        """Raise `UsageProblem` if a way was given: a file needs none."""
        if way != _NO_WAY:
            raise UsageProblem(
                "--jump, --reachable and --identity-file are for a connection, and --evidence "
                "makes none",
                hint="leave them out",
            )


def _parse_host(text: str) -> HostAddress:
    try:
        return parse_host_address(text)
    except ValueError as err:
        raise typer.BadParameter(str(err)) from err


def _print_collector(ctx: typer.Context, wanted: bool) -> None:
    """Print the script that collects the evidence, and end."""
    if wanted and not ctx.resilient_parsing:
        from ccgpu.guest import collector

        ctx.obj.out.file.write(collector.script().decode("utf-8"))
        raise typer.Exit


def _attest_source(
    name: OptionalName = None,
    resource_group: GroupOption = None,
    host: Annotated[
        HostAddress | None,
        option(
            "Attest the machine at this address, which ccgpu did not create; no sign-in to Azure.",
            "--host",
            parser=_parse_host,
            metavar="USER@ADDRESS[:PORT]",
            panel=_PANEL,
        ),
    ] = None,
    evidence: Annotated[
        Path | None,
        option(
            "Judge evidence that came by other means, with collateral fetched now.",
            "--evidence",
            metavar="FILE",
            panel=_PANEL,
        ),
    ] = None,
    vm_id: VmIdOption = None,
    host_key: HostKeyOption = None,
    nonce: NonceOption = None,
    print_collector: Annotated[
        bool,
        option(
            "Print the script that collects evidence in a VM, and exit.",
            "--print-collector",
            callback=_print_collector,
            is_eager=True,
            panel=_PANEL,
        ),
    ] = False,
) -> AttestSource:
    del print_collector  # its callback has ended the command
    given = sum(each is not None for each in (name, host, evidence))
    if given == 0:
        raise UsageProblem(
            "say what to attest: NAME, --host or --evidence",
            hint="`ccgpu list` shows the deployments; `--host user@address` is for machines that "
            "ccgpu did not create",
        )
    if given > 1:
        raise UsageProblem(
            "NAME, --host and --evidence exclude each other", hint="attest one thing at a time"
        )
    if name is None and resource_group is not None:
        raise UsageProblem("--resource-group is for deployments: leave it out")
    if name is not None and (vm_id is not None or host_key is not None):
        raise UsageProblem(
            "--vm-id and --host-key are for --host and --evidence: Azure tells those of a "
            "deployment",
            hint="leave them out",
        )
    if evidence is None and nonce is not None:
        raise UsageProblem(
            "--nonce is for --evidence: a VM that is asked gets a new one", hint="leave it out"
        )
    target = None if name is None else Target(name, resource_group)
    return AttestSource(target, host, evidence, nonce, vm_id, host_key)


SourceArguments = Annotated[AttestSource, OptionGroup(_attest_source)]
