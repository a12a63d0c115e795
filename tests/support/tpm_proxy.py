"""A paravisor between QEMU and its software TPM: it serves the HCL blob, the TPM everything else.

QEMU hands the TPM one end of a pair of sockets for commands, over the control socket
(swtpm_ioctls(3), CMD_SET_DATAFD). The TPM gets the end of another pair, and commands pass here.
"""

import array
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ccgpu.fakeguest.evidence.eventlog import machine_event
from support.paravisor import Exchange, Paravisor, read_message

_CHUNK = 65536
_STARTUP = struct.pack(">I", 0x144)  # TPM_CC_Startup


def _extend_id(vm_id: str) -> bytes:
    """The command by which Azure's firmware would measure the VM's id, which OVMF does not do."""
    password = struct.pack(">IIHBH", 9, 0x40000009, 0, 0, 0)
    event = machine_event(vm_id)
    body = struct.pack(">I", event.pcr) + password + struct.pack(">IH", 1, 0x000B) + event.sha256
    return struct.pack(">HII", 0x8002, 10 + len(body), 0x182) + body


class TpmProxy:
    """Listens at `path` for QEMU, in front of the TPM whose control socket is `control`."""

    def __init__(self, path: Path, control: Path, make: Callable[[Exchange], Paravisor]) -> None:
        self._control = control
        self._tpm: socket.socket | None = None
        self.paravisor = make(self._exchange)  # before QEMU, which gives its TPM a second to answer
        self.problem: BaseException | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._serve_control)]

    def _serve_control(self) -> None:
        while not select.select([self._listener], [], [], 0.1)[0]:
            if self._done.is_set():
                return
        qemu, _ = self._listener.accept()
        with qemu, socket.socket(socket.AF_UNIX) as tpm:
            tpm.connect(str(self._control))
            while not self._done.is_set():
                for ready in select.select([qemu, tpm], [], [], 0.1)[0]:
                    if not (self._to_tpm(qemu, tpm) if ready is qemu else _pass(tpm, qemu)):
                        return

    def _to_tpm(self, qemu: socket.socket, tpm: socket.socket) -> bool:
        """Pass a control message on; a descriptor in it is replaced by ours."""
        data, descriptors, _, _ = socket.recv_fds(qemu, _CHUNK, 1)
        if not data:
            return False
        if not descriptors:
            tpm.sendall(data)
            return True
        ours, theirs = socket.socketpair()
        thread = threading.Thread(
            target=self._serve_commands, args=(socket.socket(fileno=descriptors[0]), ours)
        )
        thread.start()
        self._threads.append(thread)
        with theirs:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))]
            tpm.sendmsg([data], rights)
        return True

    def _serve_commands(self, qemu: socket.socket, tpm: socket.socket) -> None:
        self._tpm = tpm
        with qemu, tpm:
            try:
                while command := read_message(qemu):
                    answer = self.paravisor.answer(command)
                    if command[6:10] == _STARTUP and answer[6:10] == bytes(4):
                        self._exchange(_extend_id(self.paravisor.vm_id))
                    qemu.sendall(answer)
            except OSError:
                pass  # the machine has ended
            except BaseException as err:  # noqa: BLE001  # `stop` raises it
                self.problem = err

    def _exchange(self, command: bytes) -> bytes:
        assert self._tpm is not None
        self._tpm.sendall(command)
        return read_message(self._tpm)

    def start(self) -> None:
        """Begin to serve."""
        self._threads[0].start()

    def stop(self) -> None:
        """End; QEMU has ended before."""
        self._done.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()
        if self.problem is not None:
            raise self.problem


def _pass(source: socket.socket, sink: socket.socket) -> bool:
    data = source.recv(_CHUNK)
    if data:
        sink.sendall(data)
    return bool(data)


@contextmanager
def tpm_proxy(
    folder: Path, control: Path, make: Callable[[Exchange], Paravisor]
) -> Iterator[tuple[TpmProxy, Path]]:
    """A proxy, and the path of its socket for QEMU."""
    path = folder / "proxy"
    proxy = TpmProxy(path, control, make)
    proxy.start()
    try:
        yield proxy, path
    finally:
        proxy.stop()
        path.unlink()
