"""The table of all commands, and the classes that load them and format their help.

A command's module is imported when the command is used; `ccgpu --help` imports none. Help is plain
text. A command's options are grouped by their `rich_help_panel`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from ccgpu.cli.given_words import check_words
from ccgpu.cli.plain_values import with_plain_values
from ccgpu.cli.suggestions import OTHER_NAMES
from ccgpu.errors import UsageProblem


class Entry(NamedTuple):
    """A command: its module in `ccgpu.cli`, its name there, and the first line of its help."""

    module: str
    attribute: str
    help: str


COMMANDS = {
    "init": Entry("init", "init", "Write a commented spec file to start from."),
    "templates": Entry("templates", "templates", "List the spec templates that ship with ccgpu."),
    "schema": Entry("schema", "schema", "Print the JSON Schema of a file format or an answer."),
    "drivers": Entry(
        "drivers", "drivers", "List the GPU drivers that can be attested, and until when."
    ),
    "models": Entry(
        "models", "models", "List the models that are known, whether they fit, and what runs them."
    ),
    "workloads": Entry(
        "workloads", "workloads", "List what can run in a VM, or show the parameters of one."
    ),
    "validate": Entry("validate", "validate", "Check spec files and report every problem."),
    "plan": Entry("plan", "plan", "Show what `create` would do, without doing it."),
    "render": Entry("render", "render", "Print the plan of a spec as input of another tool."),
    "capacity": Entry(
        "capacity",
        "capacity",
        "Show where a VM could be created now, why not, and the price.",
    ),
    "quota": Entry(
        "quota", "quota", "Show the quota that a VM counts against, and how to ask for more."
    ),
    "price": Entry(
        "price", "price", "Show what the VM of a spec would cost, in each of its regions."
    ),
    "create": Entry(
        "create", "create", "Create a confidential GPU VM, or update it to match its spec."
    ),
    "list": Entry("list", "list_", "List the deployments of the subscription."),
    "show": Entry("show", "show", "Show one deployment."),
    "wait": Entry("wait", "wait", "Wait until a deployment reaches a state."),
    "start": Entry("lifecycle", "start", "Start the VM and wait until it is ready."),
    "stop": Entry(
        "lifecycle", "stop", "Stop and deallocate the VM; its disks and public IP still bill."
    ),
    "restart": Entry("lifecycle", "restart", "Restart the VM and wait until it is ready."),
    "extend": Entry("extend", "extend", "Set when a deployment's lease ends, counted from now."),
    "delete": Entry("delete", "delete", "Delete everything that deployments own."),
    "doctor": Entry(
        "doctor",
        "doctor",
        "Check your set-up before anything costs, or look into a VM.",
    ),
    "ssh": Entry("ssh", "ssh", "Open a shell in the VM."),
    "exec": Entry("exec", "exec_", "Run a command in the VM, and exit with its exit code."),
    "cp": Entry("cp", "cp", "Copy a file or a folder into the VM, or out of it."),
    "tunnel": Entry("tunnel", "tunnel", "Forward a local port to a port of the VM."),
    "logs": Entry(
        "logs", "logs", "Print a log: the set-up's, the serial console, or a workload's."
    ),
    "attest": Entry("attest", "attest", "Attest a VM: fresh evidence, judged on this machine."),
    "secret": Entry("secret", "app", "Release secrets to a proven VM, list and remove them."),
    "run": Entry("run", "run", "Run a workload in the VM, once it is proven in this very run."),
    "ps": Entry("ps", "ps", "List the workloads in the VM."),
    "verify": Entry("verify", "verify", "Verify attestation evidence, offline."),
    "collateral": Entry(
        "collateral", "app", "Fetch the certificates and manifests that `verify` needs."
    ),
    "image": Entry("image", "app", "Measured images: what a disk is, and what is in it."),
    "keyvault": Entry(
        "keyvault", "app", "Keys of Azure Key Vault for a VM: release policies, keys, checks."
    ),
    "gc": Entry("gc", "gc", "List expired deployments; delete them with --yes."),
    "config": Entry("config", "app", "List and set your own defaults."),
    "role": Entry("role", "role", "Print the least-privilege custom role for a spec."),
    "completion": Entry("completion", "completion", "Print the completion script of a shell."),
    "fake": Entry("fake", "app", "Inspect and control the simulated subscription."),
}


# A command keeps the help option of its first context, which may have no `ccgpu` above it. So each
# command has the names itself.
_CONTEXT = {"help_option_names": ["-h", "--help"]}

# No help line is cut off: longer than any. In characters.
_WHOLE = 1000


@contextmanager
def _names_command(ctx: Any) -> Iterator[None]:
    """Give an error of the parser the command's context, which an option without value lacks."""
    try:
        yield
    except typer.TyperException as err:
        if getattr(err, "ctx", None) is None:
            err.ctx = ctx  # type: ignore[attr-defined]
        raise


class Command(TyperCommand):
    """A command whose help shows its options in groups."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.context_settings = {**_CONTEXT, **self.context_settings}

    def get_params(self, ctx: Any) -> list[Any]:
        """The options and arguments; plain values of them do not load pydantic."""
        return [*with_plain_values(super().get_params(ctx))]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words; an error tells which command's help explains them."""
        with _names_command(ctx):
            if not ctx.resilient_parsing:
                given, _, _ = self.make_parser(ctx).parse_args(args=[*args])
                check_words(self.get_params(ctx), given)
            return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What the command takes; that a word may be repeated is shown once."""
        return [piece.replace("...}...", "}...") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, the command's own options, then each group of options."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                own = "Arguments" if parameter.param_type_name == "argument" else "Options"
                panel = getattr(parameter, "rich_help_panel", None) or own
                shown, text = record
                # Each word of a list is a text.
                groups.setdefault(panel, []).append((shown.replace("<list[str]>", "<str>"), text))
        for name, records in groups.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)


class CommandGroup(TyperGroup):
    """A group of commands."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.context_settings = {**_CONTEXT, **self.context_settings}

    def get_params(self, ctx: Any) -> list[Any]:
        """The options of the group itself; plain values of them do not load pydantic."""
        return [*with_plain_values(super().get_params(ctx))]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words; an error tells which command's help explains them."""
        with _names_command(ctx):
            return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the names and the whole help lines of the commands."""
        found = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(_WHOLE)) for name, each in found])


def command_group(name: str) -> typer.Typer:
    """The group of commands of this name, with the help of `COMMANDS`."""
    return typer.Typer(
        cls=CommandGroup, help=COMMANDS[name].help, rich_markup_mode=None, add_completion=False
    )


class Commands(CommandGroup):
    """The group of all commands."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # of click's interface
        """The commands' names, in the order of a deployment's life."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The command of this name, or None.

        For an unknown name all commands are loaded: the parser suggests one of them.
        """
        for name in [cmd_name] if cmd_name in COMMANDS else COMMANDS:
            self.load(name)
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that `args` begin with; a name of other tools is told what it is here."""
        own = OTHER_NAMES.get(args[0]) if args and args[0] not in COMMANDS else None
        if own is not None:
            raise UsageProblem(f"no such command '{args[0]}'", hint=f"did you mean `{own}`?")
        return super().resolve_command(ctx, args)

    def load(self, name: str) -> Any:
        """The command of this name from `COMMANDS`, loaded once."""
        if name not in self.commands:
            self.commands[name] = load_once(name)
        return self.commands[name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the names and help lines of `COMMANDS`."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@cache
def load_once(name: str) -> Any:
    """The command of this name for every command line of this process."""
    return load(name)


def load(name: str) -> Any:
    """Import the command of this name, as the parser's object."""
    entry = COMMANDS[name]
    found = getattr(import_module(f"ccgpu.cli.{entry.module}"), entry.attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_command(found)
    alone = typer.Typer(rich_markup_mode=None, add_completion=False)
    alone.command(name, cls=Command)(found)
    return typer.main.get_command(alone)
