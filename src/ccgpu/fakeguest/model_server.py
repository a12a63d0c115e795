"""A model server of a simulated guest, by HTTP: the OpenAI-compatible part that clients use.

`/health`, `/v1/models`, `/v1/completions`, `/v1/chat/completions`, `/v1/images/generations`, with
the documents of OpenAI's API reference. What the model says is in `simulated_model`.
"""

import base64
import json
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from ccgpu.fakeguest.simulated_model import SimulatedModel

_MOST_BYTES = 1 << 20  # of a request
_TIMEOUT = 10.0  # seconds of real time that a client has for its request
_LOOPBACK = ("127.0.0.1", 0)


class ServedAnswer(NamedTuple):
    """Status and JSON document of a response."""

    status: int
    document: Mapping[str, Any]


def answer_request(
    model: SimulatedModel, created: float, method: str, path: str, body: bytes
) -> ServedAnswer:
    """The answer of a server that is healthy. created: Unix seconds, of the model and answers."""
    path = path.partition("?")[0]
    known = _GETS if method == "GET" else _POSTS if method == "POST" else {}
    if path in _GETS.keys() | _POSTS.keys() and path not in known:
        return _error(HTTPStatus.METHOD_NOT_ALLOWED, "Method Not Allowed")
    if path not in known:
        return _error(HTTPStatus.NOT_FOUND, "Not Found")
    try:
        asked = json.loads(body) if method == "POST" else {}
    except ValueError:
        return _error(HTTPStatus.BAD_REQUEST, "the body is no JSON")
    if not isinstance(asked, dict):
        return _error(HTTPStatus.BAD_REQUEST, "the body is no JSON object")
    try:
        return ServedAnswer(HTTPStatus.OK, known[path](model, int(created), asked))
    except _Refused as err:
        return _error(err.status, str(err))


class _Refused(Exception):
    """The request is not valid; the message is the answer's."""

    def __init__(self, message: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status


def _error(status: int, message: str) -> ServedAnswer:
    error = {"message": message, "type": "invalid_request_error", "code": int(status)}
    return ServedAnswer(status, {"error": error})


def _health(_model: SimulatedModel, _created: int, _asked: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _models(model: SimulatedModel, created: int, _asked: Mapping[str, Any]) -> dict[str, Any]:
    entry = {"id": model.name, "object": "model", "created": created, "owned_by": "ccgpu"}
    return {"object": "list", "data": [entry]}


def _text(asked: Mapping[str, Any], key: str) -> str:
    value = asked.get(key)
    if not isinstance(value, str):
        raise _Refused(f"{key} must be a string")
    return value


def _require_model(model: SimulatedModel, asked: Mapping[str, Any]) -> None:
    if asked.get("model", model.name) != model.name:
        raise _Refused(f"The model `{asked['model']}` does not exist.", HTTPStatus.NOT_FOUND)


def _most_tokens(asked: Mapping[str, Any]) -> int:
    count = asked.get("max_tokens", asked.get("max_completion_tokens", 16))
    if type(count) is not int or count < 1:
        raise _Refused("max_tokens must be a whole number, 1 or more")
    return count


def _completions(model: SimulatedModel, created: int, asked: Mapping[str, Any]) -> dict[str, Any]:
    _require_model(model, asked)
    said = model.complete(_text(asked, "prompt"), _most_tokens(asked))
    choice = {"index": 0, "text": said.text, "logprobs": None, "finish_reason": said.finish}
    return _completion("cmpl", "text_completion", model, created, choice, said.tokens)


def _chat(model: SimulatedModel, created: int, asked: Mapping[str, Any]) -> dict[str, Any]:
    _require_model(model, asked)
    messages = asked.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(last, dict):
        raise _Refused("messages must be a list of messages")
    said = model.complete(_text(last, "content"), _most_tokens(asked))
    message = {"role": "assistant", "content": said.text.strip()}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": said.finish}
    return _completion("chatcmpl", "chat.completion", model, created, choice, said.tokens)


def _completion(
    prefix: str,
    kind: str,
    model: SimulatedModel,
    created: int,
    choice: Mapping[str, Any],
    tokens: tuple[int, int],
) -> dict[str, Any]:
    prompt, said = tokens
    usage = {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}
    return {
        "id": f"{prefix}-{created}",
        "object": kind,
        "created": created,
        "model": model.name,
        "choices": [choice],
        "usage": usage,
    }


def _images(model: SimulatedModel, created: int, asked: Mapping[str, Any]) -> dict[str, Any]:
    _text(asked, "prompt")
    width, times, height = str(asked.get("size", "1024x1024")).partition("x")
    if not (times and width.isdecimal() and height.isdecimal()):
        raise _Refused("size must be WIDTHxHEIGHT")
    picture = model.picture(int(width), int(height), asked.get("seed"))
    return {"created": created, "data": [{"b64_json": base64.b64encode(picture).decode()}]}


_Handler = Callable[[SimulatedModel, int, Mapping[str, Any]], dict[str, Any]]
_GETS: Mapping[str, _Handler] = {"/health": _health, "/v1/models": _models}
_POSTS: Mapping[str, _Handler] = {
    "/v1/completions": _completions,
    "/v1/chat/completions": _chat,
    "/v1/images/generations": _images,
}


class _Connection(BaseHTTPRequestHandler):
    """One connection: requests until the client closes it, or sends nothing for a while."""

    protocol_version = "HTTP/1.1"
    timeout = _TIMEOUT
    look: Callable[[], tuple[SimulatedModel, float] | None]

    def do_GET(self) -> None:  # the name that http.server calls
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""

    def _answer(self, method: str) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            self._send(_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request is too large"))
            self.close_connection = True
            return
        body = self.rfile.read(int(length))
        served = self.look()
        if served is None:
            unhealthy = "the server is not ready"
            self._send(_error(HTTPStatus.SERVICE_UNAVAILABLE, unhealthy))
        else:
            self._send(answer_request(*served, method, self.path, body))

    def _send(self, answer: ServedAnswer) -> None:
        data = json.dumps(answer.document).encode() + b"\n"
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def serve(
    connection: socket.socket, look: Callable[[], tuple[SimulatedModel, float] | None]
) -> None:
    """Serve one connection. look: the model and when it was loaded; None while it loads."""
    handler = type("_Serving", (_Connection,), {"look": staticmethod(look)})
    with suppress(OSError):
        handler(connection, _LOOPBACK, None)
