"""The user's settings as defaults of options: below the command line and the environment.

`verify` has none: its verdict depends on its command line alone. `config` and `fake` need none.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ccgpu.cli.commands import COMMANDS, load_once

if TYPE_CHECKING:
    from ccgpu.store.user_config import UserConfig

_WITHOUT = frozenset({"verify", "config", "fake"})
_CONNECTION = ("backend", "subscription")
# The commands whose `--policy` says what a VM is judged by; elsewhere it is another file.
_JUDGING = frozenset({"attest", "create", "run", "secret"})


class CommandDefaults(dict[str, Any]):
    """The parser's map of defaults: for each command's name the defaults of its options.

    The file is read when one of these options is looked up that was not given.
    """

    def __init__(self, read: "Callable[[], UserConfig]") -> None:
        super().__init__()
        self._read = read

    def get(self, key: str, default: Any = None) -> Any:
        """The defaults of the command `key`; of each subcommand, if it has some."""
        if key in _WITHOUT or key not in COMMANDS:
            return default
        names = (*_CONNECTION, "policy") if key in _JUDGING else _CONNECTION
        options = _OptionDefaults(self._read, names)
        is_group = COMMANDS[key].attribute == "app"
        return _SubcommandDefaults(key, options) if is_group else options


class _SubcommandDefaults(dict[str, Any]):
    """Those of a group: for each subcommand's name, and none for the group's own options."""

    def __init__(self, group: str, options: "_OptionDefaults") -> None:
        super().__init__()
        self._group = group
        self._options = options

    def get(self, key: str, default: Any = None) -> Any:
        return self._options if key in load_once(self._group).commands else default


class _OptionDefaults(dict[str, Any]):
    def __init__(self, read: "Callable[[], UserConfig]", names: Sequence[str]) -> None:
        super().__init__()
        self._read = read
        self._names = names

    def get(self, key: str, default: Any = None) -> Any:
        if key not in self._names:
            return default
        config = self._read()
        return config.policy() if key == "policy" else config.values.get(key, default)
