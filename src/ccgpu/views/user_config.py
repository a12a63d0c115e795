"""The user's settings, each with where it comes from, as text and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain import catalog
from ccgpu.domain.plain_text import one_line
from ccgpu.store.user_config import UserConfig
from ccgpu.views.tables import Grid

# The variables that are above the file.
_VARIABLES = {"backend": "CCGPU_BACKEND", "subscription": "AZURE_SUBSCRIPTION_ID"}
_DEFAULTS: Mapping[str, Any] = {
    "regions": list(catalog.REGIONS),
    "ssh_from": "auto",
    "resource_group": None,
    "policy": "default",
    "subscription": None,
    "backend": "azure",
}
# What holds where a default is no value.
_MEANINGS = {"resource_group": "ccgpu-NAME", "subscription": "the default subscription of `az`"}


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A setting. source: `environment`, `file` or `default`; place: the variable, or file:line."""

    name: str
    value: Any
    source: str
    place: str | None = None


def shown_settings(
    config: UserConfig, names: Sequence[str], environ: Mapping[str, str]
) -> list[ShownSetting]:
    """The settings of these names, with the values that commands use."""
    return [_shown(config, name, environ) for name in names]


def _shown(config: UserConfig, name: str, environ: Mapping[str, str]) -> ShownSetting:
    variable = _VARIABLES.get(name)
    if variable and (value := environ.get(variable)):
        return ShownSetting(name, value, "environment", variable)
    if name in config.values:
        value = config.policy() if name == "policy" else config.values[name]
        return ShownSetting(name, value, "file", f"{config.path}:{config.lines.get(name, 1)}")
    return ShownSetting(name, _DEFAULTS[name], "default")


def as_text(settings: Sequence[ShownSetting]) -> RenderableType:
    """A row for each setting."""
    table = Grid()
    for one in settings:
        value = _MEANINGS.get(one.name, "") if one.value is None else _text_of(one.value, ", ")
        table.add_row(one.name, Text(one_line(value)), Text(one_line(one.place or one.source)))
    return table


def values_as_text(settings: Sequence[ShownSetting]) -> RenderableType:
    """The values alone, each on its line; nothing for one that is not set."""
    return Group(*(Text(_text_of(one.value, "\n")) for one in settings if one.value is not None))


def _text_of(value: Any, between: str) -> str:
    return between.join(value) if isinstance(value, list) else str(value)


def as_json(settings: Sequence[ShownSetting], path: Path | None) -> dict[str, Any]:
    """The JSON document."""
    rows = [
        {"name": one.name, "value": one.value, "source": one.source, "place": one.place}
        for one in settings
    ]
    return {
        "schema": "ccgpu.config/1",
        "path": None if path is None else str(path),
        "settings": rows,
    }
