"""Work in a process of its own, since a hung driver cannot be interrupted."""

import json
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from ccgpu.templates.guest.collector.settings import CollectorError


def call_in_child(work: Callable[[], dict[str, str]], seconds: float) -> dict[str, str]:
    """The result of `work`, which runs in a process of its own, and is killed if it is late."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        answer_and_exit(work, writing)
    os.close(writing)
    raw, end = b"", time.monotonic() + seconds
    try:
        while True:
            ready, _, _ = select.select([reading], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                message = f"the NVIDIA driver gives no answer within {seconds:g} seconds"
                raise CollectorError("gpu.hung", message)
            part = os.read(reading, 65536)
            if not part:
                break
            raw += part
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, os.WNOHANG)  # one that hangs in the kernel never ends
    if not raw:
        raise CollectorError("gpu.error", "NVIDIA's library ended the process that called it")
    answer: dict[str, str] = json.loads(raw)
    if "code" in answer:
        raise CollectorError(answer["code"], answer["message"])
    return answer


def answer_and_exit(work: Callable[[], dict[str, str]], writing: int) -> None:
    """In the child: write the result of `work`, or its error, as JSON."""
    try:
        close_all_but(writing)
        try:
            answer = work()
        except CollectorError as err:
            answer = {"code": err.code, "message": str(err)}
        except Exception as err:  # noqa: BLE001  # the parent raises it
            answer = {"code": "gpu.error", "message": f"{type(err).__name__}: {err}"}
        with os.fdopen(writing, "wb") as stream:
            stream.write(json.dumps(answer).encode())
    finally:
        os._exit(0)  # whatever happens, the child must not go on as its parent


def close_all_but(kept: int) -> None:
    """Close the lock, the TPM, and the streams that ssh waits for; /dev/null takes their place."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  # names are numbers
        if int(name) != kept:
            with suppress(OSError):
                os.close(int(name))
    for _ in range(3):
        os.open("/dev/null", os.O_RDWR)
