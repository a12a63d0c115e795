"""What the commands `ccgpu config` share: the settings, a change of one, and the answer."""

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ccgpu.cli.runtime import OutputOptions, Runtime
from ccgpu.errors import UsageProblem


class Setting(StrEnum):
    """The settings of the file."""

    REGIONS = "regions"
    SSH_FROM = "ssh_from"
    RESOURCE_GROUP = "resource_group"
    POLICY = "policy"
    SUBSCRIPTION = "subscription"
    BACKEND = "backend"


SettingArgument = Annotated[
    Setting, typer.Argument(metavar="NAME", help=f"Setting: {', '.join(Setting)}.")
]


def change(runtime: Runtime, name: Setting, values: Sequence[str]) -> None:
    """Write the setting to the file; without values, remove it.

    A policy's file is written by its full path, because the file of settings is in another folder.
    """
    from ccgpu.store import named_files, policies, user_config
    from ccgpu.store.input_files import require_file

    if runtime.config is None:
        raise UsageProblem("this user has no folder for settings")
    if name is not Setting.REGIONS and len(values) > 1:
        raise UsageProblem(f"{name} takes one value", hint=f"`ccgpu config set {name} VALUE`")
    is_list = name is Setting.REGIONS
    value = (list(values) if is_list else values[0]) if values else None
    if name is Setting.POLICY and isinstance(value, str):
        require_file(Path(value), "a default is read again and again")
        policies.load(value)  # refuses what is no policy
        value = value if value in policies.names() else named_files.absolute(value, Path())
    user_config.write(runtime.config, name.value, value)


def answer(
    runtime: Runtime, output: OutputOptions, names: Sequence[Setting], *, bare: bool = False
) -> None:
    """Print these settings. bare: as text, the values alone."""
    from ccgpu.views import user_config as view

    shown = view.shown_settings(runtime.user_config(), [name.value for name in names], os.environ)
    text = view.values_as_text if bare else view.as_text
    runtime.answer(output, lambda: text(shown), lambda: view.as_json(shown, runtime.config))
