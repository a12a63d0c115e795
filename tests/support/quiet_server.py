"""An HTTP server for tests that never prints of a client that went away."""

import sys
from http.server import ThreadingHTTPServer  # noqa: TID251  # the one that prints
from typing import Any


class QuietServer(ThreadingHTTPServer):
    """Python's server, but for what it prints on stderr if a connection breaks.

    Its threads may live longer than their test. What they print is in the output of the next one.
    """

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent about a client that went away; anything else is a bug, and is printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
