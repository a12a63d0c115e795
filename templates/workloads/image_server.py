"""A server of images with OpenAI's interface, over a model of the library diffusers.

It runs in a container and is one file: standard library, and `diffusers` and `torch`, which are
imported when the model is loaded. One request is worked on at a time; the others wait.

    GET  /health                 200 when the model is loaded, 503 before
    GET  /v1/models              the name of the model
    POST /v1/images/generations  {"prompt", "n", "size": "512x512", "seed", "num_inference_steps",
                                  "guidance_scale", "negative_prompt"} → {"data": [{"b64_json"}]}

The same seed gives the same image on the same GPU with the same software. Nothing of a request is
logged but its length, its status and the time that it took.
"""

import argparse
import base64
import io
import json
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

MAX_BODY = 64 * 1024
MAX_PROMPT = 8000  # characters
SIDES = (64, 2048)
STEPS = (1, 150)
GUIDANCE = (0.0, 50.0)
SEEDS = (0, 2**32 - 1)
_DEFAULT_SIZE = "1024x1024"
_DEFAULT_STEPS = 30
_READ_TIMEOUT = 60.0  # seconds


class BadRequest(Exception):
    """The request is not one that this server answers; the text says why."""


@dataclass(frozen=True)
class Wanted:
    """One checked request. guidance: None for the model's own."""

    prompt: str
    negative: str
    count: int
    width: int
    height: int
    seed: int
    steps: int
    guidance: float | None


def parse_wanted(values: Any, max_images: int) -> Wanted:
    """The request in the JSON `values`.

    Raises:
        BadRequest: naming the field.
    """
    if not isinstance(values, dict):
        raise BadRequest("the body must be a JSON object")
    if values.get("response_format", "b64_json") != "b64_json":
        raise BadRequest("response_format must be b64_json: there are no URLs of images here")
    if values.get("output_format") not in (None, "png"):
        raise BadRequest("output_format must be png")
    width, height = _size(values.get("size") or _DEFAULT_SIZE)
    seed = values.get("seed")
    guidance = values.get("guidance_scale")
    return Wanted(
        _text(values, "prompt", required=True),
        _text(values, "negative_prompt", required=False),
        _whole(values, "n", 1, (1, max_images)),
        width,
        height,
        secrets.randbelow(SEEDS[1] + 1) if seed is None else _whole(values, "seed", 0, SEEDS),
        _whole(values, "num_inference_steps", _DEFAULT_STEPS, STEPS),
        None if guidance is None else _number(values, "guidance_scale", GUIDANCE),
    )


def _text(values: dict[str, Any], name: str, *, required: bool) -> str:
    value = values.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or not (value.strip() or not required):
        raise BadRequest(f"{name} must be a text")
    if len(value) > MAX_PROMPT:
        raise BadRequest(f"{name} must have at most {MAX_PROMPT} characters")
    return value


def _whole(values: dict[str, Any], name: str, default: int, limits: tuple[int, int]) -> int:
    value = values.get(name)
    if value is None:
        return default
    if type(value) is not int or not limits[0] <= value <= limits[1]:
        raise BadRequest(f"{name} must be a whole number from {limits[0]} to {limits[1]}")
    return value


def _number(values: dict[str, Any], name: str, limits: tuple[float, float]) -> float:
    value = values[name]
    if type(value) not in (int, float) or not limits[0] <= value <= limits[1]:
        raise BadRequest(f"{name} must be a number from {limits[0]} to {limits[1]}")
    return float(value)


def _size(text: Any) -> tuple[int, int]:
    sides = text.split("x") if isinstance(text, str) else []
    usable = len(sides) == 2 and all(side.isascii() and side.isdecimal() for side in sides)
    if usable:
        width, height = (int(side[:6]) for side in sides)
        if all(SIDES[0] <= side <= SIDES[1] and side % 8 == 0 for side in (width, height)):
            return width, height
    raise BadRequest(
        f"size must be WIDTHxHEIGHT, each a multiple of 8 from {SIDES[0]} to {SIDES[1]}"
    )


class Painter(Protocol):
    """Makes images."""

    def paint(self, wanted: Wanted) -> list[tuple[bytes, int]]:
        """Each image as PNG, with its seed."""


class DiffusersPainter:
    """Paints with a pipeline of diffusers, on the GPU."""

    def __init__(self, folder: str, dtype: str) -> None:
        import torch
        from diffusers import AutoPipelineForText2Image

        # Files such as unet/diffusion_pytorch_model.fp16.safetensors are the 16-bit form.
        has_half = any(Path(folder).glob("*/*.fp16.safetensors"))
        self._torch = torch
        self._pipeline = AutoPipelineForText2Image.from_pretrained(
            folder,
            torch_dtype=getattr(torch, dtype),
            variant="fp16" if has_half else None,
            use_safetensors=True,
            local_files_only=True,
        ).to("cuda")
        self._pipeline.set_progress_bar_config(disable=True)

    def paint(self, wanted: Wanted) -> list[tuple[bytes, int]]:
        """The images as PNG, each with a seed of its own: the wanted one, and those after it."""
        seeds = [(wanted.seed + index) % (SEEDS[1] + 1) for index in range(wanted.count)]
        # A generator on the CPU gives the same numbers on every GPU.
        generators = [self._torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        options = {} if wanted.guidance is None else {"guidance_scale": wanted.guidance}
        with self._torch.inference_mode():
            images = self._pipeline(
                prompt=[wanted.prompt] * wanted.count,
                negative_prompt=[wanted.negative] * wanted.count,
                width=wanted.width,
                height=wanted.height,
                num_inference_steps=wanted.steps,
                generator=generators,
                **options,
            ).images
        return [(_png(image), seed) for image, seed in zip(images, seeds, strict=True)]


def _png(image: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


class ImageServer(ThreadingHTTPServer):
    """The HTTP server. `painter` is None until the model is loaded."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], name: str, max_images: int) -> None:
        super().__init__(address, ImageHandler)
        self.model_name = name
        self.max_images = max_images
        self.painter: Painter | None = None
        self.turn = threading.Lock()

    def paint(self, wanted: Wanted) -> list[tuple[bytes, int]]:
        """The images of a request, when it is its turn."""
        with self.turn:
            if self.painter is None:
                raise RuntimeError("the model is being loaded")
            return self.painter.paint(wanted)


class ImageHandler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server_version = "ccgpu-images"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = _READ_TIMEOUT
    server: "ImageServer"

    def do_GET(self) -> None:
        """/health and /v1/models."""
        if self.path == "/health":
            is_up = self.server.painter is not None
            self._answer(200 if is_up else 503, {"status": "ok" if is_up else "loading"})
        elif self.path == "/v1/models":
            entry = {"id": self.server.model_name, "object": "model", "owned_by": "ccgpu"}
            self._answer(200, {"object": "list", "data": [entry]})
        else:
            self._refuse(404, f"there is no {self.path[:80]!r} here")

    def do_POST(self) -> None:
        """/v1/images/generations."""
        started = time.monotonic()
        body = self._body()
        if body is None:
            return
        if self.path != "/v1/images/generations":
            self._refuse(404, f"there is no {self.path[:80]!r} here")
            return
        if self.server.painter is None:
            self._refuse(503, "the model is being loaded")
            return
        status = self._generate(body)
        spent = time.monotonic() - started
        print(f"request of {len(body)} bytes: {status} after {spent:.1f} s", flush=True)

    def _generate(self, body: bytes) -> int:
        try:
            wanted = parse_wanted(json.loads(body), self.server.max_images)
        except BadRequest as err:
            return self._refuse(400, str(err))
        except (ValueError, RecursionError):
            return self._refuse(400, "the body is not JSON")
        try:
            images = self.server.paint(wanted)
        except Exception as err:  # of the model: one request fails, the server stays
            print(f"the model failed: {type(err).__name__}", file=sys.stderr, flush=True)
            return self._refuse(500, f"the model failed: {type(err).__name__}")
        data = [
            {"b64_json": base64.b64encode(png).decode("ascii"), "seed": seed}
            for png, seed in images
        ]
        return self._answer(200, {"created": int(time.time()), "data": data})

    def _body(self) -> bytes | None:
        """The body; None after a refusal."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            self._refuse(411, "the request has no Content-Length", close=True)
            return None
        if int(length[:12]) > MAX_BODY:
            self._refuse(413, f"the request has more than {MAX_BODY} bytes", close=True)
            return None
        return self.rfile.read(int(length))

    def _refuse(self, status: int, message: str, *, close: bool = False) -> int:
        kind = "server_error" if status >= 500 else "invalid_request_error"
        self.close_connection = self.close_connection or close
        return self._answer(status, {"error": {"message": message, "type": kind, "code": status}})

    def _answer(self, status: int, document: dict[str, Any]) -> int:
        raw = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(raw)
        return status

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        """Nothing: paths and addresses are nobody's business."""


def load(server: ImageServer, make_painter: Callable[[], Painter]) -> None:
    """Load the model, or end the process with code 1: the unit then starts it again."""
    started = time.monotonic()
    try:
        server.painter = make_painter()
    except BaseException as err:
        print(f"the model cannot be loaded: {err}", file=sys.stderr, flush=True)
        os._exit(1)
    print(f"the model is loaded after {time.monotonic() - started:.0f} s", flush=True)


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True, help="folder of the model")
    parser.add_argument("--name", required=True, help="name of the model in answers")
    parser.add_argument("--host", default="0.0.0.0", help="of the container")  # noqa: S104
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dtype", choices=("float16", "bfloat16", "float32"), default="float16")
    parser.add_argument("--max-images", type=int, default=4)
    return parser.parse_args(words)


def main(
    words: Sequence[str] | None = None, make_painter: Callable[[], Painter] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT."""
    given = arguments(words)
    server = ImageServer((given.host, given.port), given.name, given.max_images)

    def stop(*_: object) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    make = make_painter or (lambda: DiffusersPainter(given.model, given.dtype))
    threading.Thread(target=load, args=(server, make), daemon=True).start()
    with server:
        server.serve_forever()


if __name__ == "__main__":
    main()
