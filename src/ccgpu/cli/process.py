"""The process: streams that cannot fail, signals that end it, and an end that waits for nobody.

The first signal interrupts what is being done; the rest are that one again. Whatever has been sent
to Azure by then is in the journal, so nothing has to be waited for.
"""

import gc
import os
import signal
import sys
import threading
import warnings
from types import FrameType
from typing import NoReturn

from ccgpu.cli import streams
from ccgpu.errors import Interrupted

# GitHub Actions sends SIGINT, after 7.5 s SIGTERM, and kills 2.5 s later (GitHub Docs, "Workflow
# cancellation reference"). What keeps the last words from being written, a pipe that nobody reads
# most often, does not keep the process for longer than this.
_PATIENCE = 6.0

# Nearly all that a command makes at its start is modules, which stay: looking for garbage among
# them every 700 objects, as Python does, takes a quarter of `ccgpu verify`.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def begin() -> None:
    """Make streams that every write can be made to, and let signals interrupt."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    streams.begin()
    if not sys.warnoptions:  # Python's warnings are for who writes ccgpu
        warnings.simplefilter("ignore")
    heard = False

    def hear(_number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        if heard:  # terminals, shells and runners send it to everybody, and send it again
            return
        heard = True
        signal.signal(signal.SIGALRM, _give_up)
        signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
        raise KeyboardInterrupt

    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(one) in (signal.SIG_DFL, signal.default_int_handler):  # not by nohup
            signal.signal(one, hear)


def abandon(code: int) -> None:
    """Leave at once if there are other threads: a request that hangs would hold an exit for long.

    Python joins the threads of a pool when it ends, whatever they are doing. Without any, it need
    not look through everything for cycles before its memory goes back as a whole.
    """
    gc.freeze()
    if threading.active_count() == 1:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def no_foreign_logs() -> None:
    """Without a handler, Python would print the warnings of libraries on stderr."""
    import logging

    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


def _give_up(_number: int, _frame: FrameType | None) -> NoReturn:
    os._exit(Interrupted.exit_code)
