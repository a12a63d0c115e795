"""Downloads a model from a hub: file by file, each checked before it gets its name.

What was read before is kept and continued. Only TLS is used, and the token goes to the hub alone.
"""

import hashlib
import http.client
import os
import ssl
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

from ccgpu.templates.guest.workload.base import NAME, Vm, WorkloadError, progress
from ccgpu.templates.guest.workload.models import (
    PARTIAL,
    Model,
    ModelFile,
    digest_of,
    is_as_listed,
    locked_model,
    parse_model,
    paths_below,
)
from ccgpu.templates.guest.workload.request import Request
from ccgpu.templates.guest.workload.secrets import read_secret
from ccgpu.templates.guest.workload.storage import make_folder, require_storage

BLOCK = 1024 * 1024  # bytes read at once
REDIRECTS = 5
TRIES = 6  # without a byte in between
RESERVE = 64 * 1024 * 1024  # bytes that stay free
REPORT_EVERY = 5.0  # seconds between two lines of progress
MOVED = (301, 302, 303, 307, 308)
AGENT = "ccgpu"


@dataclass
class Download:
    """The state of one download: where from, and how many bytes were read."""

    vm: Vm
    base: str
    token: str | None
    model: Model
    context: ssl.SSLContext
    done: int = 0
    fetched: int = 0
    reported: float = field(default=0.0)

    @property
    def total(self) -> int:
        """The bytes of all files."""
        return sum(one.size for one in self.model.files)

    def report(self, *, always: bool = False) -> None:
        """Tell the progress, now and then."""
        now = time.monotonic()
        if always or now - self.reported >= REPORT_EVERY:
            self.reported = now
            progress("fetch", self.done, self.total)


def fetch(vm: Vm, request: Request) -> dict[str, Any]:
    """Fetch what is missing of a model; afterwards its folder holds its files and nothing else."""
    model = parse_model(request)
    base = request.text("base").rstrip("/")
    if urllib.parse.urlsplit(base).scheme != "https":
        raise request.refuse("base", "is not an https:// address")
    token = None
    if not request.is_null("token"):
        token = read_secret(vm, request.matching("token", NAME))
    require_storage(vm, os_disk=request.flag("os_disk"))
    context = ssl.create_default_context(cafile=vm.authorities)
    download = Download(vm, base, token, model, context)
    with locked_model(vm, model, shared=False):
        name = model.repository.replace("/", "--")
        folder = make_folder(vm, "models", name, model.commit)
        remove_others(folder, model)
        missing = [one for one in model.files if not is_there(download, folder, one)]
        require_space(folder, missing)
        for one in missing:
            fetch_file(download, folder, one)
    download.report(always=True)
    return {"folder": model.folder, "bytes": download.total, "fetched": download.fetched}


def is_there(download: Download, folder: Path, wanted: ModelFile) -> bool:
    """Whether a file is complete already."""
    download.report()
    complete = is_as_listed(folder, wanted)
    download.done += wanted.size if complete else 0
    return complete


def remove_others(folder: Path, model: Model) -> None:
    """Remove what the model does not list, but for what was begun of its files."""
    kept = {one.path for one in model.files}
    kept |= {f"{path}{PARTIAL}" for path in kept}
    for path in list(paths_below(folder)):
        if path not in kept or (folder / path).is_symlink():
            (folder / path).unlink()


def require_space(folder: Path, missing: list[ModelFile]) -> None:
    """Refuse to begin what the disk cannot hold."""
    begun = sum(size_of(folder / f"{one.path}{PARTIAL}") for one in missing)
    needed = sum(one.size for one in missing) - begun
    there = os.statvfs(folder)
    free = there.f_bavail * there.f_frsize - RESERVE
    if needed > free:
        text = f"{needed / 1e9:.1f} GB are missing, and {max(free, 0) / 1e9:.1f} GB are free"
        raise WorkloadError("storage.space", f"the model does not fit: {text}")


def size_of(path: Path) -> int:
    """The size of a file; 0 if it does not exist."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def fetch_file(download: Download, folder: Path, wanted: ModelFile) -> None:
    """Fetch one file, and give it its name once its content is right."""
    part = folder / f"{wanted.path}{PARTIAL}"
    part.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    tries = 0
    with part.open("a+b") as stream:
        stream.seek(0)
        digest = digest_of(stream)
        if stream.tell() > wanted.size:
            stream.truncate(0)
            digest = hashlib.sha256()
        download.done += stream.seek(0, os.SEEK_END)
        while (size := stream.seek(0, os.SEEK_END)) < wanted.size:
            try:
                digest = read_on(download, wanted, stream, digest)
            except (OSError, http.client.HTTPException, Busy) as err:  # noqa: PERF203
                tries = 1 if stream.seek(0, os.SEEK_END) > size else tries + 1
                if tries == TRIES:
                    message = f"{wanted.path} was not fetched: {type(err).__name__}: {err}"
                    raise WorkloadError("fetch.failed", message) from err
                time.sleep(download.vm.limits["pause"] * 2**tries)
        os.fsync(stream.fileno())
    if digest.hexdigest() != wanted.sha256:
        download.done -= wanted.size
        part.unlink()
        message = f"{wanted.path} has the SHA-256 {digest.hexdigest()}, not {wanted.sha256}"
        raise WorkloadError("fetch.content", message)
    (folder / wanted.path).unlink(missing_ok=True)
    part.chmod(0o444)
    part.replace(folder / wanted.path)


class Busy(Exception):  # it is no failure yet
    """The hub asks for patience."""


def read_on(
    download: Download, wanted: ModelFile, stream: Any, digest: "hashlib._Hash"
) -> "hashlib._Hash":
    """Read the rest of a file onto the end of `stream`; its SHA-256 so far, from the start."""
    start = stream.seek(0, os.SEEK_END)
    with response(download, wanted, start) as answer:
        if answer.status == 200 and start:  # it does not continue: from the start, then
            stream.truncate(0)
            download.done -= start
            start, digest = 0, hashlib.sha256()
        while start < wanted.size:
            block = answer.read(min(BLOCK, wanted.size - start))
            if not block:
                raise Busy(f"it ends after {start} of {wanted.size} bytes")
            stream.write(block)
            digest.update(block)
            start += len(block)
            download.done += len(block)
            download.fetched += len(block)
            download.report()
        stream.flush()
        if answer.read(1):
            stream.truncate(0)
            raise WorkloadError(
                "fetch.content", f"{wanted.path} has more than {wanted.size} bytes at the hub"
            )
    return digest


@contextmanager
def response(
    download: Download, wanted: ModelFile, start: int
) -> Iterator[http.client.HTTPResponse]:
    """The hub's answer with the file from byte `start` on, or from its beginning (status 200)."""
    model = download.model
    path = urllib.parse.quote(wanted.path)
    address = f"{download.base}/{model.repository}/resolve/{model.commit}/{path}"
    home = urllib.parse.urlsplit(address).netloc
    for _ in range(REDIRECTS + 1):
        parts = urllib.parse.urlsplit(address)
        if parts.scheme != "https" or not parts.hostname:
            message = f"{wanted.path}: the hub sends to {parts.scheme}://{parts.netloc}"
            raise WorkloadError("fetch.redirect", message)
        headers = {"User-Agent": AGENT, "Accept-Encoding": "identity", "Connection": "close"}
        if start:
            headers["Range"] = f"bytes={start}-"
        if download.token and parts.netloc == home:
            headers["Authorization"] = f"Bearer {download.token}"
        connection = http.client.HTTPSConnection(
            parts.hostname,
            parts.port,
            timeout=download.vm.limits["silence"],
            context=download.context,
        )
        try:
            target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            connection.request("GET", target, headers=headers)
            with connection.getresponse() as answer:
                if answer.status not in MOVED:
                    require_file(answer, wanted, start)
                    yield answer
                    return
                address = urllib.parse.urljoin(address, answer.headers.get("Location", ""))
        finally:
            connection.close()
    raise WorkloadError("fetch.failed", f"{wanted.path}: more than {REDIRECTS} redirects")


def require_file(answer: http.client.HTTPResponse, wanted: ModelFile, start: int) -> None:
    """Refuse an answer that is not the file."""
    status, headers = answer.status, answer.headers
    if status == 200 or (status == 206 and start and is_continued(headers, start)):
        return
    if status in (401, 403):
        message = (
            f"the hub refuses {wanted.path} with status {status}: a licence or token is needed"
        )
        raise WorkloadError("fetch.refused", message)
    if status in (404, 410):
        raise WorkloadError("fetch.absent", f"the hub has no {wanted.path}: status {status}")
    if status in (408, 416, 429) or status >= 500 or status == 206:
        raise Busy(f"the hub answers with status {status}")
    raise WorkloadError("fetch.failed", f"the hub answers with status {status} for {wanted.path}")


def is_continued(headers: Message, start: int) -> bool:
    """Whether a part of a file (status 206) begins where it should."""
    return str(headers.get("Content-Range", "")).startswith(f"bytes {start}-")
