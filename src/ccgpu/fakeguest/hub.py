"""A simulated huggingface.co: every name ORG/NAME is a small model, with true hashes.

Rules, with their sources: the listing is `GET /api/models/ORG/NAME/revision/REVISION?blobs=true`
(huggingface_hub, hf_api.py), for everybody, also for gated models; a public file that is not in LFS
is answered with a redirect within the host (huggingface_hub 4815), that of a gated model itself;
without a token a gated or missing one is 401; a file in LFS redirects to another host.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ccgpu.fakearm.wire import FakeGap, Request, Response

HOST = "huggingface.co"
# Of organisations whose models are gated; names with `missing` in them do not exist.
_GATED = ("meta-llama/", "google/", "black-forest-labs/")
_MISSING = "missing"
# Models that are listed with their true sizes, to be refused before anything is pulled.
_LARGE = {"meta-llama/Llama-2-70b-chat-hf": (15, 9_200_000_000)}
_BINARY = {"Content-Type": "application/octet-stream"}
_NAME = r"[^/]+/[^/]+"


@dataclass
class SimulatedHub:
    """`state`: `down` if no service of the simulation works. `slept`: waits below the SDK."""

    state: Callable[[], str] = lambda: "good"
    slept: int = 0

    def send(self, request: Request) -> Response:
        """The response. `FakeGap` for what the real host is not known to answer."""
        if request.host != HOST or request.method != "GET":
            raise FakeGap(f"{request.method} {request.host}")
        if self.state() == "down":
            return Response(503)
        if match := re.fullmatch(rf"/api/models/({_NAME})/revision/([^/]+)", request.path):
            return _listing(match[1], match[2], request)
        if match := re.fullmatch(rf"/({_NAME})/resolve/([0-9a-f]{{40}})/(.+)", request.path):
            return _resolved(match[1], match[2], match[3], request)
        if match := re.fullmatch(
            rf"/api/resolve-cache/models/({_NAME})/([0-9a-f]{{40}})/(.+)", request.path
        ):
            return _content(match[1], match[2], match[3])
        raise FakeGap(f"{request.method} {request.path}")


def commit_of(repository: str) -> str:
    """The one commit of a simulated model."""
    return hashlib.sha256(f"commit of {repository.casefold()}".encode()).hexdigest()[:40]


def files_of(repository: str) -> dict[str, bytes]:
    """The files of a simulated model, by path. Weights and tokenizer are in LFS."""
    name = repository.rpartition("/")[2]
    config = {"architectures": ["SimulatedForCausalLM"], "model_type": "simulated", "name": name}
    weights = b"".join(
        hashlib.sha256(f"{repository} {number}".encode()).digest() for number in range(2048)
    )
    return {
        ".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n",
        "README.md": f"# {name}\n".encode(),
        "config.json": json.dumps(config).encode(),
        "tokenizer.json": json.dumps({"version": "1.0", "model": {"vocab": {name: 0}}}).encode(),
        "model.safetensors": weights,
    }


def _listing(repository: str, revision: str, request: Request) -> Response:
    commit = commit_of(repository)
    if _MISSING in repository:
        return Response(401, {"error": "Invalid username or password."})
    if revision not in ("main", commit):
        return Response(404, {"error": f"Invalid rev id: {revision}"})
    if request.query.get("blobs") != "true":
        raise FakeGap("a listing without blobs=true")
    return Response(
        200,
        {
            "id": repository,
            "sha": commit,
            "private": False,
            "gated": "manual" if _is_gated(repository) else False,
            "cardData": {"license": "simulated"},
            "siblings": [*_siblings(repository)],
        },
    )


def _siblings(repository: str) -> list[dict[str, Any]]:
    listed = [_sibling(path, content) for path, content in files_of(repository).items()]
    if repository in _LARGE:
        count, size = _LARGE[repository]
        listed += [
            _large(f"model-{number:05}-of-{count:05}.safetensors", size)
            for number in range(1, count + 1)
        ]
    return listed


def _sibling(path: str, content: bytes) -> dict[str, Any]:
    if _is_large_file(path):
        return _large(path, len(content), hashlib.sha256(content).hexdigest())
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
    return {"rfilename": path, "size": len(content), "blobId": blob.hexdigest()}


def _large(path: str, size: int, sha256: str | None = None) -> dict[str, Any]:
    digest = sha256 or hashlib.sha256(path.encode()).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {size}\n"
    header = b"blob %d\0" % len(pointer)
    blob = hashlib.sha1(header + pointer.encode(), usedforsecurity=False)
    return {
        "rfilename": path,
        "size": size,
        "blobId": blob.hexdigest(),
        "lfs": {"sha256": digest, "size": size, "pointerSize": len(pointer)},
    }


def _resolved(repository: str, commit: str, path: str, request: Request) -> Response:
    if _is_gated(repository) and not _has_token(request.headers):
        return Response(401, {"error": f"Access to model {repository} is restricted."})
    if _is_large_file(path):
        place = f"https://cdn.simulated-hub.invalid/{repository}/{commit}/{quote(path)}"
        return Response(302, headers={"Location": place})
    if _is_gated(repository):
        return _content(repository, commit, path)
    place = f"/api/resolve-cache/models/{repository}/{commit}/{quote(path)}"
    return Response(307, headers={"Location": place})


def _content(repository: str, commit: str, path: str) -> Response:
    content = files_of(repository).get(path)
    if content is None or commit != commit_of(repository):
        return Response(404, {"error": "Entry not found"})
    return Response(200, content, _BINARY)


def _is_large_file(path: str) -> bool:
    return path.endswith(".safetensors")


def _is_gated(repository: str) -> bool:
    return repository.startswith(_GATED)


def _has_token(headers: Mapping[str, str]) -> bool:
    return headers.get("Authorization", "").startswith("Bearer hf_")
