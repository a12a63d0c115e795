"""The composition root: the command line, the back ends, and the only place that prints an error.

`--help` must stay light: commands import what they need when they run.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from ccgpu import __version__
from ccgpu.cli import create, plan
from ccgpu.cli.runtime import Backend, Reach, Runtime
from ccgpu.errors import CcgpuError, UsageProblem

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ccgpu.azure.session import Session
    from ccgpu.workflows.clock import Clock
    from ccgpu.workflows.cloud import Cloud

    Parts = tuple[Session, Clock, Executor]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(create.create)
app.command()(plan.plan)


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Confidential GPU virtual machines on Azure: create them, prove them, delete them."""
    if version:
        typer.echo(f"ccgpu {__version__}")
        raise typer.Exit


def main() -> None:
    """The entry point."""
    sys.exit(run(sys.argv[1:], runtime()))


def run(argv: Sequence[str], outside: Runtime) -> int:
    """Run `ccgpu argv` and return its exit code. Only this function prints errors."""
    try:
        return app(list(argv), obj=outside, standalone_mode=False, prog_name="ccgpu") or 0
    except CcgpuError as err:
        return _fail(outside, argv, _document(err), err)
    except typer.TyperException as err:
        document = {"code": "UsageProblem", "message": err.format_message(), "exit_code": 2}
        return _fail(outside, argv, document, None)
    except (KeyboardInterrupt, typer.Abort):
        return 130


def runtime() -> Runtime:
    """The process's own outside: its streams, its terminal, its user's folders."""
    from ccgpu.store import folders

    people = sys.stdin.isatty() and sys.stderr.isatty() and not os.environ.get("CI")
    state = folders.state()
    return Runtime(
        out=Console(highlight=False, soft_wrap=True),
        err=Console(stderr=True, highlight=False, soft_wrap=True),
        state=state,
        home=Path.home(),
        connect=lambda reach: connect(reach, state, os.environ),
        ask=typer.confirm if people else None,
    )


def connect(reach: Reach, state: Path, environ: Mapping[str, str]) -> "Cloud":
    """The subscription that is meant, on the back end that is meant."""
    from ccgpu.azure.arm import Arm
    from ccgpu.azure.queries import Queries
    from ccgpu.store.journals import Journals
    from ccgpu.workflows.cloud import Cloud
    from ccgpu.workflows.schedule import Schedule

    fake = reach.backend is Backend.FAKE
    session, clock, pool = (_fake if fake else _azure)(reach, state, environ)
    arm = Arm(session)
    journals = Journals(state / "journals")
    return Cloud(session, arm, Queries(arm), Schedule(clock, pool), journals, simulated=fake)


def fake_state(state: Path, environ: Mapping[str, str]) -> Path:
    """The file that the simulated subscription is kept in."""
    return Path(environ.get("CCGPU_FAKE_STATE") or state / "fake.sqlite")


def _fake(reach: Reach, state: Path, environ: Mapping[str, str]) -> "Parts":
    from ccgpu.azure.session import CLOUDS, Session
    from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeCredential, FakeTransport
    from ccgpu.workflows.schedule import Inline

    arm = FakeArm(fake_state(state, environ))
    session = Session(FAKE_SUBSCRIPTION, CLOUDS[reach.cloud], FakeCredential(), FakeTransport(arm))
    return session, arm.clock, Inline()


def _azure(reach: Reach, _: Path, environ: Mapping[str, str]) -> "Parts":
    from concurrent.futures import ThreadPoolExecutor

    from ccgpu.azure.session import CLOUDS, Session, default_credential
    from ccgpu.store.az_profile import default_subscription
    from ccgpu.workflows.clock import RealClock

    cloud = CLOUDS[reach.cloud]
    subscription = reach.subscription or default_subscription(environ)
    if subscription is None:
        raise UsageProblem(
            "which subscription is not known",
            hint="`--subscription ID`, AZURE_SUBSCRIPTION_ID, or `az account set`",
        )
    session = Session(subscription, cloud, default_credential(cloud))
    return session, RealClock(), ThreadPoolExecutor(max_workers=8)


def _fail(
    outside: Runtime, argv: Sequence[str], document: dict[str, Any], err: CcgpuError | None
) -> int:
    """Say what is wrong on stderr, for people or for scripts."""
    stream = outside.err.file
    if _wants_json(argv):
        stream.write(json.dumps({"schema": "ccgpu.error/1", **document}) + "\n")
    else:
        stream.write(f"error: {document['message']}\n")
        for left in err.resources if err else ():
            bills = ", bills" if left.billed and left.state != "gone" else ""
            stream.write(f"  {left.state}{bills}: {left.id}\n")
        if document.get("hint"):
            stream.write(f"\nhint: {document['hint']}\n")
    stream.flush()
    return int(document["exit_code"])


def _document(err: CcgpuError) -> dict[str, Any]:
    return {
        "code": err.code,
        "message": str(err),
        "hint": err.hint,
        "exit_code": err.exit_code,
        "resources": [{"id": r.id, "state": r.state, "billed": r.billed} for r in err.resources],
    }


def _wants_json(argv: Sequence[str]) -> bool:
    """Whether `-o json` was asked for; the parser may not have got that far."""
    words = [word for word in argv if word != "--"]
    pairs = zip(words, [*words[1:], ""], strict=True)
    joined = {"-ojson", "-o=json", "--output=json"}
    return any(w in joined or (w in ("-o", "--output") and n == "json") for w, n in pairs)
