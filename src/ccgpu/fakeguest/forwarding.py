"""Forwarded ports: a loopback listener of this machine whose connections go to a guest's service.

A service is a function that serves one connection. Where nothing listens in the guest at the time
of a connection, it is closed, as ssh does.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

PortService = Callable[[socket.socket], None]
FindService = Callable[[], PortService | None]
_LOOPBACK = "127.0.0.1"


def forward(find_service: FindService, local_port: int = 0) -> AbstractContextManager[int]:
    """Listen at a loopback port (0: a free one) until the context ends; its value is the port.

    find_service: What listens in the guest now; asked at each connection, in a thread of its own.

    Raises:
        OSError: The port is taken. Raised at once, not by the context.
    """
    listener = socket.create_server((_LOOPBACK, local_port))
    return _listening(listener, find_service)


@contextmanager
def _listening(listener: socket.socket, find_service: FindService) -> Iterator[int]:
    with listener:
        forwarder = _Forwarder(listener, find_service)
        thread = threading.Thread(target=forwarder.accept, daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            _shut_down(listener)  # wakes `accept`
            listener.close()
            thread.join()
            forwarder.close()


class _Forwarder:
    """The connections of one forwarded port, each with its thread."""

    def __init__(self, listener: socket.socket, find_service: FindService) -> None:
        self._listener, self._find_service = listener, find_service
        self._open: dict[socket.socket, threading.Thread] = {}

    def accept(self) -> None:
        """Serve connections until the listener is closed."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open = {one: thread for one, thread in self._open.items() if thread.is_alive()}
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._open[connection] = thread
            thread.start()

    def close(self) -> None:
        """End the connections."""
        for connection, thread in self._open.items():
            _shut_down(connection)
            thread.join()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            service = self._find_service()
            if service is not None:
                service(connection)


def _shut_down(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
