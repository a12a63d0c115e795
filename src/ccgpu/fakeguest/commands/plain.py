"""Ordinary commands: echo, cat and the like, and the one form of `sh -c` that a guest knows."""

import re

from ccgpu.fakeguest.commands.call import CommandTable, Ending, GuestCall, complaint, printed

_EXIT = re.compile(r"\s*exit\s+([0-9]{1,3})\s*")
_COUNT = re.compile(r"\+?[0-9]{1,12}")
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_LAST_EXIT_CODE = 255


def _echo(call: GuestCall) -> Ending:
    words = call.argv[1:]
    bare = words[:1] == ("-n",)
    text = " ".join(words[1:] if bare else words)
    return Ending(0, text.encode() + (b"" if bare else b"\n"))


def _cat(call: GuestCall) -> Ending:
    out, err, code = b"", b"", 0
    for path in call.argv[1:] or ("-",):
        file = None if path == "-" else call.files.read(path)
        if path == "-":
            out += call.stdin()
        elif file is not None:
            out += file.data
        else:
            why = "Is a directory" if call.files.is_folder(path) else "No such file or directory"
            err, code = err + f"cat: {path}: {why}\n".encode(), 1
    return Ending(code, out, err)


def _tail(call: GuestCall) -> Ending:
    """`tail -n N FILE`: the last N lines; `tail -c +N FILE`: from byte N on, the first being 1."""
    match call.argv[1:]:
        case ("-n" | "-c" as unit, count, path) if _COUNT.fullmatch(count):
            file = call.files.read(path)
        case _:
            return complaint("tail: -n N FILE or -c +N FILE, in this simulated guest")
    if file is None:
        why = "No such file or directory"
        return complaint(f"tail: cannot open '{path}' for reading: {why}")
    pieces = file.data.splitlines(keepends=True) if unit == "-n" else None
    number = int(count.removeprefix("+"))
    if count.startswith("+"):
        skipped = max(number - 1, 0)
        return Ending(0, file.data[skipped:] if pieces is None else b"".join(pieces[skipped:]))
    if not number:
        return Ending(0)
    return Ending(0, file.data[-number:] if pieces is None else b"".join(pieces[-number:]))


def _ls(call: GuestCall) -> Ending:
    """The names in a folder, or a file's own path."""
    path = call.argv[1] if len(call.argv) > 1 else "."
    if call.files.is_folder(path):
        start = call.files.absolute(path).rstrip("/") + "/"
        below = call.files.list_below(path)
        names = dict.fromkeys(one.removeprefix(start).split("/")[0] for one in below)
        return printed("\n".join(names))
    if call.files.read(path) is None:
        return complaint(f"ls: cannot access '{path}': No such file or directory", 2)
    return printed(path)


def _sh(call: GuestCall) -> Ending:
    """`sh -c 'exit N'`; the guest has no shell for anything else."""
    match call.argv[1:]:
        case ("-c", script) if found := _EXIT.fullmatch(script):
            code = int(found[1])
            return Ending(code if code <= _LAST_EXIT_CODE else code % 256)
        case ():
            return Ending(0)
        case _:
            return complaint(
                f"{call.argv[0]}: this simulated guest has no shell; it knows single commands, and "
                "`sh -c 'exit N'`",
                127,
            )


def _sleep(call: GuestCall) -> Ending:
    seconds = call.argv[1] if len(call.argv) == 2 else ""
    if not _SECONDS.fullmatch(seconds):
        return complaint("sleep: one number of seconds, in this simulated guest")
    return Ending(0, seconds=float(seconds))


PLAIN: CommandTable = {
    "tail": _tail,
    "ls": _ls,
    "sleep": _sleep,
    "true": lambda _: Ending(0),
    "false": lambda _: Ending(1),
    "echo": _echo,
    "cat": _cat,
    "sh": _sh,
    "bash": _sh,
    "whoami": lambda call: printed(call.user),
    "hostname": lambda call: printed(call.guest.machine.name),
    "pwd": lambda call: printed(call.files.home),
}
