"""The options that define the spec, shared by every command that takes one.

A command declares them with one parameter: `request: SpecArguments`. `spec_flags` derives the flags
of the fields.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import FileOption, OptionalName, UncheckedName, option
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.spec_flags import SpecFlags
from ccgpu.domain.spec.vm import VmSpec

if TYPE_CHECKING:
    from ccgpu.azure.context import AzureContext
    from ccgpu.domain.given import RememberedSpec, RequestedSpec
    from ccgpu.store.specs import Recall

_FLAGS = SpecFlags(VmSpec)


@dataclass(frozen=True, slots=True)
class SpecRequest:
    """The options about the spec, before any file is read."""

    name: str | None
    file: Path | None
    template: str | None
    sets: tuple[str, ...]
    flags: Mapping[str, Any]

    def build(self, runtime: Runtime, *, default_name: str | None = None) -> VmSpec:
        """The spec, or `InvalidFile` with every problem.

        `default_name`: its name if nothing else gives one.
        """
        from ccgpu.store import specs

        return specs.build(
            self.name,
            file=self.file,
            template=self.template,
            sets=self.sets,
            flags=self.flags,
            default_name=default_name,
            defaults=runtime.user_config().layer(),
            read_file=runtime.read_document,
        )

    def resolve(
        self, recall: "Recall", runtime: Runtime, *, default_name: str | None = None
    ) -> "RequestedSpec":
        """The spec, starting from what `recall` returns for its name, and the given fields."""
        from ccgpu.store import specs

        return specs.resolve(
            self.name,
            file=self.file,
            template=self.template,
            sets=self.sets,
            flags=self.flags,
            default_name=default_name,
            recall=recall,
            defaults=runtime.user_config().layer(),
            read_file=runtime.read_document,
        )


FreshOption = Annotated[
    bool,
    typer.Option(
        "--fresh", help="Start from the defaults, not from the last create of NAME on this machine."
    ),
]


def connect_and_resolve(
    connect: "Callable[[], AzureContext]",
    request: SpecRequest,
    runtime: Runtime,
    *,
    fresh: bool,
) -> "tuple[AzureContext, RequestedSpec]":
    """Open the subscription and build the spec to create there.

    A spec file is checked before the connection is opened. Without a file, the spec of the last
    create is read from the subscription's journals, which needs the connection.
    """
    connected: list[AzureContext] = []

    def recall(name: str) -> "RememberedSpec | None":
        if fresh:
            return None
        connected.append(connect())
        return connected[0].journals.remembered(connected[0].subscription, name)

    requested = request.resolve(recall, runtime)
    return connected[0] if connected else connect(), requested


def _request(
    name: UncheckedName = None,
    file: FileOption = None,
    template: Annotated[
        str | None,
        option("Start from a template; `ccgpu templates` lists them.", metavar="TEMPLATE"),
    ] = None,
    set_: Annotated[
        list[str] | None,
        option("Set one field: `--set os_disk.size_gib=512`.", "--set", metavar="KEY=VALUE"),
    ] = None,
    **flags: Any,
) -> SpecRequest:
    """Collect the options; None means that an option was not given."""
    return SpecRequest(name, file, template, tuple(set_ or ()), _FLAGS.values(flags))


def _add_flags(collect: Any) -> None:
    """Put the flags of all fields into the signature of `collect`, in place of `**flags`."""
    *own, _ = inspect.signature(collect).parameters.values()
    collect.__signature__ = inspect.Signature([*own, *_FLAGS.parameters()])


def _with_checked_name(collect: Any) -> Any:
    """`collect` whose NAME is that of a deployment, and is completed like one."""

    def collect_checked(**given: Any) -> SpecRequest:
        request: SpecRequest = collect(**given)
        return request

    name, *others = inspect.signature(collect).parameters.values()
    signature = inspect.Signature([name.replace(annotation=OptionalName), *others])
    collect_checked.__signature__ = signature  # type: ignore[attr-defined]
    return collect_checked


_add_flags(_request)
SpecArguments = Annotated[SpecRequest, OptionGroup(_request)]
# For a command that acts on the deployment NAME, and without NAME looks at a spec.
TargetOrSpecArguments = Annotated[SpecRequest, OptionGroup(_with_checked_name(_request))]
