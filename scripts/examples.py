"""Run the examples and the console blocks of all pages on the simulated subscription.

An example is a folder with a README, a spec and `expected.txt`: a transcript whose lines that
begin with `$ ` are the commands. Each example, and each page, has a home and a subscription of its
own. What a page's blocks print is compared with what the page shows, and, in full, with the page's
transcript in `tests/golden/pages`.

    examples.py [--ccgpu PATH] [--update] [PATH ...]

PATH is a page, an example or a folder of them: `docs`, `README.md`, `examples/first-vm`.
"""

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from commands import ROOT
from console_blocks import (
    STOP,
    ConsoleCommand,
    Fence,
    Rules,
    commands_of,
    fences,
    pages,
    rules,
    written,
)
from console_session import ConsoleSession, Ended, SessionError, console_session

_TRANSCRIPTS = ROOT / "tests" / "golden" / "pages"


def main() -> int:
    """Return 0 if everything is as expected, else 1; 2 if nothing has such a name."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--ccgpu", type=Path, default=ROOT / ".venv" / "bin" / "ccgpu")
    options.add_argument("--update", action="store_true", help="rewrite what is expected")
    options.add_argument("names", nargs="*", metavar="PATH")
    given = options.parse_args()
    wanted = {name.rstrip("/") for name in given.names}
    work = {
        name: check
        for name, check in _all_work(given.ccgpu.resolve(), given.update)
        if not wanted or wanted & {name, *map(str, PurePosixPath(name).parents)}
    }
    if not work:
        print("no such example or page", file=sys.stderr)
        return 2
    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        problems = list(pool.map(_problems, work.values()))
    for name, found in zip(work, problems, strict=True):
        print(f"{name} is not what it says:" if found else f"{name}: as expected", *found, sep="\n")
    return 1 if any(problems) else 0


def _problems(check: Callable[[], list[str]]) -> list[str]:
    try:
        return check()
    except SessionError as err:
        return [str(err)]


def _all_work(ccgpu: Path, update: bool) -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """The name of each example and page, and what checks it."""
    for file in sorted(ROOT.glob("examples/*/expected.txt")):
        name = str(file.parent.relative_to(ROOT))
        yield name, partial(_check_example, file, ccgpu, update)
    table = rules()
    for page in pages():
        if blocks_to_run(page, (ROOT / page).read_text(encoding="utf-8"), table):
            yield page, partial(_check_page, page, table, ccgpu, update)


def blocks_to_run(page: str, text: str, table: Rules) -> list[Fence]:
    """The console blocks of a page, without those that the table says are not run."""
    blocks = [fence for fence in fences(page, text) if fence.language == "console"]
    return [fence for fence in blocks if table.reason(fence) is None]


def transcript_of(page: str) -> Path:
    """Where it is recorded what the blocks of a page print."""
    return _TRANSCRIPTS / f"{page.removesuffix('.md').replace('/', '-')}.txt"


def _check_example(file: Path, ccgpu: Path, update: bool) -> list[str]:
    commands = commands_of(file.read_text(encoding="utf-8"))
    with console_session(ccgpu, file.parent) as session:
        got = "".join(_entry(each, session.run(each.text)) for each in commands)
    return _compare(file, got, update)


def _check_page(page: str, table: Rules, ccgpu: Path, update: bool) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = blocks_to_run(page, text, table)
    example = (ROOT / page).parent if page.startswith("examples/") else None
    transcript, problems, rewritten = "", [], text
    with console_session(ccgpu, example) as session:
        for fence in blocks:
            ran = _run_block(fence, table, session)
            transcript += "".join(_entry(each, ended.steady()) for each, ended in ran)
            if update:
                new = written([_updated(each, ended) for each, ended in ran])
                rewritten = rewritten.replace(fence.text, new, 1)
                ran = [(_updated(each, ended), ended) for each, ended in ran]
            problems += [line for each, ended in ran for line in _unlike(fence, each, ended)]
    if update:
        (ROOT / page).write_text(rewritten, encoding="utf-8")
    return problems or _compare(transcript_of(page), transcript, update)


def _run_block(
    fence: Fence, table: Rules, session: ConsoleSession
) -> list[tuple[ConsoleCommand, Ended]]:
    if preparation := table.preparation(fence):
        done = session.run(preparation)
        if done.code:
            raise SessionError(f"{fence.page}:{fence.line}: what comes before it failed: {done}")
    return [(each, _run(each, table, session)) for each in commands_of(fence.text)]


def _run(command: ConsoleCommand, table: Rules, session: ConsoleSession) -> Ended:
    if command.text.startswith(table.left_running):
        return session.leave_running(command.text, len(command.shown))
    if not command.stops:
        return session.run(command.text)
    ended = session.run_until(command.text, max(len(command.shown) - 1, 1))
    return Ended(f"{ended.output}{STOP}\n", ended.code)


def _updated(command: ConsoleCommand, ended: Ended) -> ConsoleCommand:
    """The command with the output that it has now; one with `…` is edited by hand."""
    if not command.shown or command.stops or "…" in "".join(command.shown):
        return command
    return replace(command, shown=tuple(ended.output.rstrip("\n").splitlines()))


def _unlike(fence: Fence, command: ConsoleCommand, ended: Ended) -> Iterator[str]:
    """What is wrong with a command: its output, or that it failed and the page does not say so."""
    says_so = any(line.startswith("error: ") for line in command.shown)
    if ended.code not in ((0, 130) if command.stops else (0,)) and not says_so:
        yield f"{fence.page}:{fence.line}: `{command.text}` ends with {ended.code}:"
        yield ended.output
    elif not command.is_as_shown(ended.output) and command.shown != (STOP,):
        yield f"{fence.page}:{fence.line}: `{command.text}` prints something else:"
        yield from _difference(command.shown, ended.output.splitlines(), "shown")


def _entry(command: ConsoleCommand, ended: Ended) -> str:
    """A command in a transcript, with its output, and its exit code unless that is 0."""
    exited = f"[exit {ended.code}]\n" if ended.code else ""
    return f"$ {command.text}\n{ended.output}{exited}\n"


def _compare(file: Path, got: str, update: bool) -> list[str]:
    if update:
        file.parent.mkdir(exist_ok=True)
        file.write_text(got, encoding="utf-8")
    expected = file.read_text(encoding="utf-8") if file.is_file() else ""
    return list(_difference(expected.splitlines(), got.splitlines(), str(file.relative_to(ROOT))))


def _difference(old: Iterable[str], new: Iterable[str], name: str) -> Iterator[str]:
    return difflib.unified_diff([*old], [*new], name, "now", lineterm="")


if __name__ == "__main__":
    sys.exit(main())
