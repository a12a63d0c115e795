"""A secret that is passed by stdin is seen by nobody else."""

import io
import threading
from contextlib import suppress
from pathlib import Path

from ccgpu.guest.openssh import open_channel

CANARY = "canary-7d1f3a"
_TOKEN = "azure-canary-55e0"


class _Sampler(threading.Thread):
    """Reads command line and environment of every process, again and again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self.commands: set[bytes] = set()
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    with suppress(OSError):
                        self._note(name, (process / name).read_bytes())

    def _note(self, name: str, data: bytes) -> None:
        if name == "cmdline":
            self.commands.add(data.split(b"\0")[0])
        for word in (CANARY, _TOKEN):
            if word.encode() in data:
                self.seen.add(data)


def test_a_secret_is_in_no_command_line_and_no_environment(shared_sshd, monkeypatch):
    monkeypatch.setenv("AZURE_CLIENT_SECRET", _TOKEN)
    sampler = _Sampler()
    sampler.start()
    slow = ["sh", "-c", "sleep 0.3; cat; sleep 0.3"]
    with open_channel(shared_sshd.target()) as channel:
        assert channel.run(slow, CANARY.encode(), timeout=30).stdout == CANARY.encode()
        out = io.BytesIO()
        assert channel.stream(slow, io.BytesIO(CANARY.encode()), out, io.BytesIO()) == 0
        assert out.getvalue() == CANARY.encode()
    sampler.done.set()
    sampler.join()
    assert any(command.endswith(b"/ssh") for command in sampler.commands)  # it has looked
    assert sampler.seen == set()
    assert CANARY not in shared_sshd.log
