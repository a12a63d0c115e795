"""A server that speaks the HTTP API of vLLM and SGLang, as far as checks use it; it has no model.

Run alone, in a container or beside it: `python3 model_server.py PORT BEHAVIOUR`. Behaviours:
`good` knows a few capitals; `garbage` repeats one token, as a broken GPU path does; `loading`
answers 503 to `/health` for half a second; `dead` ends by itself; `endless` never stops to answer.
"""

import json
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CAPITALS = {"France": "Paris", "Japan": "Tokyo", "Italy": "Rome"}
GARBAGE = "!!!!!!!!!!"
LOADING_SECONDS = 0.5


class ModelHandler(BaseHTTPRequestHandler):
    """One request."""

    behaviour = "good"
    began = time.monotonic()

    def do_GET(self) -> None:
        """Health, and the list of models."""
        if self.path in ("/health", "/health_generate"):
            loading = self.behaviour == "loading"
            is_loaded = not loading or time.monotonic() - self.began > LOADING_SECONDS
            self._answer(200 if is_loaded else 503, b"")
        elif self.path == "/v1/models":
            self._json(200, {"object": "list", "data": [{"id": "stub", "object": "model"}]})
        else:
            self._json(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        """Completions and chat completions."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.behaviour == "dead":
            self.server.shutdown()
        elif self.behaviour == "endless":
            self._endless()
        elif self.path == "/v1/completions":
            text = self._text(asked["prompt"])
            self._completion(text, [{"index": 0, "text": text, "finish_reason": "length"}])
        elif self.path == "/v1/chat/completions":
            text = self._text(asked["messages"][-1]["content"])
            message = {"role": "assistant", "content": text}
            self._completion(text, [{"index": 0, "message": message, "finish_reason": "stop"}])
        else:
            self._json(404, {"detail": "Not Found"})

    def _text(self, prompt: str) -> str:
        if self.behaviour == "garbage":
            return GARBAGE
        return next((city for land, city in CAPITALS.items() if land in prompt), "unknown")

    def _completion(self, text: str, choices: list[dict[str, Any]]) -> None:
        usage = {"prompt_tokens": 7, "completion_tokens": len(text.split()) + 1}
        self._json(200, {"object": "text_completion", "choices": choices, "usage": usage})

    def _json(self, status: int, document: object) -> None:
        self._answer(status, json.dumps(document).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" " * 65536)
                time.sleep(0.01)
        except OSError:
            pass

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log to stdout, as the real ones do."""
        sys.stdout.write(f"INFO: {format % args}\n")
        sys.stdout.flush()


class ModelServer(ThreadingHTTPServer):
    """The server: as `quiet_server`, which is not there in a container."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent about a client that went away."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def model_server(port: int, behaviour: str) -> ModelServer:
    """A server on all addresses, as in a container."""
    handler = type("Handler", (ModelHandler,), {"behaviour": behaviour, "began": time.monotonic()})
    return ModelServer(("", port), handler)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the first process of a container
    model_server(int(sys.argv[1]), sys.argv[2]).serve_forever()
