"""The options of `ccgpu run`: what runs, and what becomes of it."""

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ccgpu.cli.new_paths import new_path
from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import FileOption, option
from ccgpu.cli.spec_flags import SpecFlags
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.domain.time_limits import THEN_DELETE
from ccgpu.scheduling.durations import in_words

_PANEL = "Workload"
_FLAGS = SpecFlags(VmSpec, of_run=True)


@dataclass(frozen=True, slots=True)
class WorkloadOptions:
    """Which workload runs.

    values: of the section `workload` of a spec. file: a spec file. lock: a file that has the hashes
    of the model's files, or gets them.
    """

    file: Path | None
    values: dict[str, Any]
    lock: Path | None = None

    @property
    def is_named(self) -> bool:
        """Whether the workload itself is given, and not only changes of a remembered one."""
        return "use" in self.values

    @property
    def is_empty(self) -> bool:
        """Whether nothing is given."""
        return self == WorkloadOptions(None, {})


@dataclass(frozen=True, slots=True)
class EndingOptions:
    """What becomes of the workload: waited for, fetched, deleted with its VM."""

    wait: bool
    output_dir: Path | None
    then_delete: bool
    replace: bool


def _workload_options(
    file: FileOption = None,
    secret: Annotated[
        list[str] | None,
        option("Secret that it may read.", "--secret", metavar="KEY", panel=_PANEL),
    ] = None,
    input_: Annotated[
        list[str] | None,
        option(
            "File or folder to copy into the VM, and its path in the container.",
            "--input",
            metavar="FROM:TO",
            panel=_PANEL,
        ),
    ] = None,
    model_lock: Annotated[
        Path | None,
        new_path(
            "File with the hashes of the model's files; written if it does not exist.",
            "--model-lock",
            panel=_PANEL,
        ),
    ] = None,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="-- CMD",
            help="Program in the container, and its arguments.",
            show_default=False,
        ),
    ] = None,
    **flags: Any,
) -> WorkloadOptions:
    values = dict(_FLAGS.values(flags).get("workload", {}))
    if secret:
        values["secrets"] = list(secret)
    if input_:
        values["inputs"] = [_parse_input(one) for one in input_]
    if command:
        values["command"] = list(command)
    return WorkloadOptions(file, values, model_lock)


def _parse_input(text: str) -> dict[str, str]:
    local, colon, target = text.rpartition(":")
    if not (local and colon and target.startswith("/")):
        raise typer.BadParameter(
            f"{text!r} is not FROM:TO, with an absolute path TO", param_hint="--input"
        )
    return {"from": local, "to": target}


def _ending_options(
    wait: Annotated[
        bool, option("Print its log until it has ended, and exit with its exit code.", "--wait")
    ] = False,
    output_dir: Annotated[
        Path | None,
        new_path(
            "New folder for its outputs, fetched when it has ended.", "--output-dir", metavar="DIR"
        ),
    ] = None,
    then_delete: Annotated[
        bool,
        option(
            "Delete the deployment afterwards, whatever happened; "
            f"it has {in_words(THEN_DELETE)} for that.",
            "--then-delete",
        ),
    ] = False,
    replace: Annotated[
        bool, option("Stop a workload of this name that runs, first.", "--replace")
    ] = False,
) -> EndingOptions:
    return EndingOptions(wait, output_dir, then_delete, replace)


def _add_flags(collect: Any) -> None:
    """Put the flags of the section into the signature of `collect`, in place of `**flags`."""
    *own, _ = inspect.signature(collect).parameters.values()
    collect.__signature__ = inspect.Signature([*own, *_FLAGS.parameters()])


_add_flags(_workload_options)
WorkloadArguments = Annotated[WorkloadOptions, OptionGroup(_workload_options)]
EndingArguments = Annotated[EndingOptions, OptionGroup(_ending_options)]
