"""Ordinary commands: echo, cat and the like, and the one form of `sh -c` that a guest knows."""

import re

from ccgpu.fakeguest.commands.call import CommandTable, Ending, GuestCall, complaint, printed

_EXIT = re.compile(r"\s*exit\s+([0-9]{1,3})\s*")
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
