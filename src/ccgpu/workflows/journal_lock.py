"""Lock a journal while a command changes what it records; another process is waited for.

The wait is told, and ends with the command's time limit.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from ccgpu.azure.run import Run
from ccgpu.errors import StateUnusable
from ccgpu.store.journals import JournalFile, Journals


def lock_journal(
    run: Run,
    name: str,
    other: str = "",
    journals: Journals | None = None,
    unwritable: Callable[[StateUnusable], None] | None = None,
) -> AbstractContextManager[JournalFile]:
    """A context manager with the deployment's journal, locked.

    Args:
        run: The command; `TimedOut` is raised if another process still has the lock at its end.
        name: The journal's name.
        other: What another process with the lock does.
        journals: The folder of journals; None: that of the deployments.
        unwritable: Gets the error if the folder cannot be written, and so has no lock: the file is
            then not locked. None: it is raised.
    """
    doing = f"waiting for another ccgpu, which {other or f'is working on {name}'}"
    note = f"another ccgpu {other or f'is working on {name}'}: waiting for it"
    return (journals or run.cloud.journals).locked(
        run.cloud.subscription,
        name,
        partial(run.tell, "note", note),
        partial(run.ask, doing=doing),
        unwritable,
    )


def warn_not_recorded(run: Run, name: str) -> Callable[[StateUnusable], None]:
    """A function that tells that this machine cannot record what is deleted of a deployment.

    What is deleted does not bill any more, whether or not a disk here is full or read-only.
    """
    text = "{}: what is deleted of {} is not recorded here, and `ccgpu delete {}` mends that"
    return lambda err: run.tell("note", text.format(err, name, name))
