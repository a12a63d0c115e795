"""Forwarded ports: a loopback listener of this machine whose connections go to a guest's service.

A service is a function that serves one connection. Where nothing listens in the guest, the
connection is closed, as ssh does.
"""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress

PortService = Callable[[socket.socket], None]
SERVICES: Mapping[int, PortService] = {}  # what listens in a guest, by port
_LOOPBACK = "127.0.0.1"


def forward(service: PortService | None, local_port: int = 0) -> AbstractContextManager[int]:
    """Listen at a loopback port (0: a free one) until the context ends; its value is the port.

    Raises:
        OSError: The port is taken. Raised at once, not by the context.
    """
    listener = socket.create_server((_LOOPBACK, local_port))
    return _listening(listener, service)


@contextmanager
def _listening(listener: socket.socket, service: PortService | None) -> Iterator[int]:
    with listener:
        thread = threading.Thread(target=_accept, args=(listener, service), daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
            listener.close()
            thread.join()


def _accept(listener: socket.socket, service: PortService | None) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            if service is not None:
                service(connection)
