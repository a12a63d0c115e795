"""Which secrets `ccgpu secret put` releases, and where it reads them."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.options import FileOption, Target, option
from ccgpu.domain.secret import NAME_RULE, is_secret_name
from ccgpu.errors import UsageProblem
from ccgpu.store.input_files import is_stdin

if TYPE_CHECKING:
    from ccgpu.cli.backends import Backend
    from ccgpu.domain.given import RememberedSpec
    from ccgpu.domain.spec.secrets import SecretSource
    from ccgpu.store.specs import Reader

_PANEL = "Source"


@dataclass(frozen=True, slots=True)
class SecretOptions:
    """One secret with its source, or secrets of a spec.

    key: the name of one secret. source: the fields of its `SecretSource`, without the name; empty
    for the spec's. owner: a user id; None if it was not given. file: the spec; None for that of the
    last create.
    """

    key: str | None
    source: "dict[str, Any]"
    owner: int | None
    file: Path | None
    all_: bool

    def sources(
        self, backend: "Backend", target: Target, read_file: "Reader"
    ) -> "tuple[SecretSource, ...]":
        """The sources of the secrets to release. read_file: reads the spec file.

        Raises:
            UsageProblem: One is given wrongly, or the spec has no such secret.
            InvalidFile: The spec is refused.
        """
        if self.source:
            return (_secret_source({"name": self.key, "owner": self.owner or 0} | self.source),)
        listed = self._spec_sources(backend, target, read_file)
        found = tuple(one for one in listed if self.key in (None, one.name))
        if found:
            return found
        where = str(self.file) if self.file else f"the spec of the last create of {target.name}"
        what = f"no secret {self.key}" if self.key else "no secrets"
        raise UsageProblem(
            f"{where} has {what}",
            hint="name a source: `--from-file FILE`" if self.key else "add them under `secrets:`",
        )

    def _spec_sources(
        self, backend: "Backend", target: Target, read_file: "Reader"
    ) -> "tuple[SecretSource, ...]":
        from ccgpu.store import specs

        def recall(wanted: str) -> "RememberedSpec | None":
            cloud = backend.connect()
            return cloud.journals.remembered(cloud.subscription, wanted, target.group)

        found = specs.resolve(target.name, file=self.file, recall=recall, read_file=read_file)
        return found.spec.secrets


def _secret_source(values: "dict[str, Any]") -> "SecretSource":
    from pydantic import ValidationError

    from ccgpu.domain.spec.problems import from_pydantic
    from ccgpu.domain.spec.secrets import SecretSource

    try:
        return SecretSource.model_validate(values)
    except ValidationError as err:
        path, message = from_pydantic(err, SecretSource)[0]
        flag = {"file": "--from-file", "env": "--from-env", "command": "--from-command"}
        named = flag.get(str(path[0]), f"--{path[0]}") if path else "the secret"
        raise UsageProblem(f"{named} {message}") from None


def parse_key(text: str) -> str:
    """The name of a secret on the command line."""
    if not is_secret_name(text):
        raise typer.BadParameter(f"{text!r} is no name of a secret: {NAME_RULE}")
    return text


def _split_command(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as err:
        raise UsageProblem(f"--from-command: its words cannot be told apart: {err}") from None


def _require_one_choice(
    key: str | None, source: "dict[str, Any]", file: Path | None, *, all_: bool
) -> None:
    """Refuse options that exclude each other, or say too little."""
    if len(source) > 1:
        raise UsageProblem("a secret has one source", hint="give one of the options of `Source`")
    if source and key is None:
        raise UsageProblem(
            "the secret has no name", hint="give its name after that of the deployment"
        )
    if source and (file is not None or all_):
        raise UsageProblem(
            "--file and --all take the sources of a spec, and a source is given, too",
            hint="leave out one of them",
        )
    if all_ and key is not None:
        raise UsageProblem("--all means every secret, and one is named", hint="leave out one")
    if key is None and file is None and not all_:
        raise UsageProblem(
            "say which secret to release: KEY with a source, --file SPEC, or --all",
            hint="give its name after that of the deployment, and where to read it, such as "
            "--from-env HF_TOKEN",
        )


def _secret_options(
    key: Annotated[
        str | None,
        typer.Argument(
            parser=parse_key,
            metavar="KEY",
            help="Name of the secret; without a source, that of the spec is read.",
            show_default=False,
        ),
    ] = None,
    from_file: Annotated[
        Path | None, option("File: all its bytes.", "--from-file", metavar="FILE", panel=_PANEL)
    ] = None,
    stdin: Annotated[bool, option("Standard input, to its end.", "--stdin", panel=_PANEL)] = False,
    from_env: Annotated[
        str | None,
        option("Environment variable.", "--from-env", metavar="VARIABLE", panel=_PANEL),
    ] = None,
    from_command: Annotated[
        str | None,
        option(
            "What a program prints; its words are split as a shell does, but no shell runs it.",
            "--from-command",
            metavar="COMMAND",
            panel=_PANEL,
        ),
    ] = None,
    owner: Annotated[
        int | None,
        option(
            "User id in the VM that alone may read it. Default: 0, root.",
            "--owner",
            metavar="UID",
            panel=_PANEL,
        ),
    ] = None,
    file: FileOption = None,
    all_: Annotated[
        bool, option("Every secret in the spec of the last create of NAME.", "--all")
    ] = False,
) -> SecretOptions:
    piped = from_file is not None and is_stdin(from_file)
    given = {
        "file": None if from_file is None or piped else str(from_file.absolute()),
        "stdin": stdin or piped or None,
        "env": from_env,
        "command": None if from_command is None else _split_command(from_command),
    }
    source = {name: value for name, value in given.items() if value is not None}
    _require_one_choice(key, source, file, all_=all_)
    if owner is not None and not source:
        raise UsageProblem("--owner is for a source", hint="a spec says the owner of its secrets")
    return SecretOptions(key, source, owner, file, all_)


SecretArguments = Annotated[SecretOptions, OptionGroup(_secret_options)]


def keys_of(keys: Sequence[str]) -> tuple[str, ...]:
    """The names of secrets on a command line, each once, in order."""
    return tuple(dict.fromkeys(keys))
