"""Requests to the blob behind a managed disk: Put Page, Get Blob, Get Page Ranges, properties.

Only a shared access signature counts. A token in such a request would leak it, and is a gap. Rules:
Microsoft Learn, REST API of the Blob service, "Put Page", "Get Blob", "Get Page Ranges".
"""

import re
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

from ccgpu.fakearm import kinds
from ccgpu.fakearm.clock import utc_time
from ccgpu.fakearm.storage import checksums, hosts, pages, refusals
from ccgpu.fakearm.storage.pages import PAGE
from ccgpu.fakearm.storage.refusals import StorageRefused
from ccgpu.fakearm.wire import FakeGap, Request, Response
from ccgpu.fakearm.world import StoredResource, World

_MOST_WRITTEN = 4 * 1024 * 1024
_MOST_READ = 64 * 1024 * 1024  # in one answer; own
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_SIGNED = frozenset({"sv", "sr", "si", "sig"})
_UNKNOWN = ("if-", "x-ms-if-", "x-ms-lease", "x-ms-encryption", "x-ms-copy", "x-ms-snapshot")
_CONDITIONS = frozenset({"if-match", "if-none-match"})


@dataclass(frozen=True, slots=True)
class BlobCall:
    """One request to the blob of a disk, whose signature was found good."""

    world: World
    request: Request
    disk: StoredResource

    @property
    def content(self) -> str:
        return str(self.disk.internal_state["content"])

    @property
    def size(self) -> int:
        """Bytes of the blob, its footer included."""
        return int(self.disk.internal_state["contentBytes"])

    def range(self) -> tuple[int, int] | None:
        """The range that the request names: its first byte, and the one after its last."""
        given = self.request.headers.get("x-ms-range") or self.request.headers.get("Range")
        if given is None:
            return None
        found = _RANGE.fullmatch(given)
        if found is None:
            raise refusals.bad_header()
        return int(found[1]), int(found[2]) + 1 if found[2] else self.size


def answer_request(world: World, request: Request) -> Response:
    """The response of the blob at this address."""
    if request.headers.get("Authorization"):
        raise FakeGap("a token was sent to a storage host")
    for name in request.headers:
        if name.lower().startswith(_UNKNOWN) and name.lower() not in _CONDITIONS:
            raise FakeGap(f"the header {name} of a page blob")
    id_ = world.new_guid()
    try:
        answer = _dispatch(world, request)
    except StorageRefused as refusal:
        answer = refusal.response(id_, utc_time(world.now))
        if request.method == "HEAD" or answer.status == 304:
            answer = Response(answer.status, None, answer.headers)
    version = request.headers.get("x-ms-version", "")
    headers = {"x-ms-request-id": id_, "x-ms-version": version, "Server": "Windows-Azure-Blob/1.0"}
    if client := request.headers.get("x-ms-client-request-id"):
        headers["x-ms-client-request-id"] = client
    return Response(answer.status, answer.body, {**headers, **answer.headers})


def _dispatch(world: World, request: Request) -> Response:
    query = request.query
    comp, unknown = query.get("comp"), query.keys() - _SIGNED - {"comp", "timeout"}
    if unknown:
        raise FakeGap(f"query option {sorted(unknown)} of a page blob")
    handlers: dict[tuple[str, str | None], Any] = {
        ("PUT", "page"): _put_page,
        ("GET", None): _get_blob,
        ("HEAD", None): _get_properties,
        ("GET", "pagelist"): _get_ranges,
    }
    handler = handlers.get((request.method, comp))
    if handler is None:
        raise FakeGap(f"{request.method} comp={comp} of a page blob")
    level = "Write" if request.method == "PUT" else "Read"
    call = BlobCall(world, request, _signed_disk(world, request, level))
    _check_conditions(call)
    answer: Response = handler(call)
    return answer


def _check_conditions(call: BlobCall) -> None:
    """If-Match and If-None-Match: RFC 9110, section 13."""
    etag, headers = _etag(call), call.request.headers
    if headers.get("If-Match") not in (None, "*", etag):
        raise refusals.condition_not_met(412)
    if headers.get("If-None-Match") in ("*", etag):
        raise refusals.condition_not_met(412 if call.request.method == "PUT" else 304)


def _signed_disk(world: World, request: Request, level: str) -> StoredResource:
    """The disk at this address, if the signature permits to read, or to write."""
    query = request.query
    for disk in world.list_kind(kinds.DISK):
        content, access = (disk.internal_state.get(key) for key in ("content", "access"))
        if content is None or access is None or request.host != hosts.blob_host(content):
            continue
        if request.path != hosts.blob_path(content) or query.get("si") != access["policy"]:
            break
        if query.get("sig") != hosts.signature(content, access):
            raise refusals.unsigned()
        if world.now >= access["until"]:
            raise refusals.expired(access["from"], access["until"], world.now)
        if level == "Write" and access["level"] != "Write":
            raise refusals.wrong_permission()
        return disk
    raise refusals.revoked()


def _put_page(call: BlobCall) -> Response:
    headers, data = call.request.headers, call.request.body
    how, wanted = headers.get("x-ms-page-write", "").lower(), call.range()
    if not how or wanted is None:
        raise refusals.missing_header()
    start, end = wanted
    if how not in ("update", "clear") or (how == "clear" and data):
        raise refusals.bad_header()
    if start % PAGE or end % PAGE or not start < end <= call.size:
        raise refusals.bad_page_range()
    if how == "clear":
        pages.clear(call.world.store, call.content, start, end)
        _touch(call)
        return Response(201, None, _blob_headers(call))
    if end - start > _MOST_WRITTEN or len(data) > _MOST_WRITTEN:
        raise refusals.too_large()
    if len(data) != end - start:
        raise refusals.bad_header()
    told = checksums.check(headers, data)
    pages.write(call.world.store, call.content, start, data)
    _touch(call)
    return Response(
        201, None, {**_blob_headers(call), "x-ms-request-server-encrypted": "true", **told}
    )


def _touch(call: BlobCall) -> None:
    state = call.disk.internal_state
    state |= {"writtenAt": call.world.now, "writes": state.get("writes", 0) + 1}
    call.world.save(call.disk)


def _etag(call: BlobCall) -> str:
    """It changes with each write."""
    return f'"0x8D{call.disk.internal_state.get("writes", 0):013X}"'


def _blob_headers(call: BlobCall) -> dict[str, str]:
    """The headers of each answer that is no error."""
    at = call.disk.internal_state.get("writtenAt", call.disk.created)
    return {
        "ETag": _etag(call),
        "Last-Modified": formatdate(at, usegmt=True),
        "x-ms-blob-sequence-number": "0",
    }


def _page_blob_headers(call: BlobCall) -> dict[str, str]:
    return {
        **_blob_headers(call),
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        "x-ms-blob-type": "PageBlob",
        "x-ms-lease-state": "available",
        "x-ms-lease-status": "unlocked",
        "x-ms-server-encrypted": "true",
    }


def _get_properties(call: BlobCall) -> Response:
    return Response(200, None, {**_page_blob_headers(call), "Content-Length": str(call.size)})


def _get_blob(call: BlobCall) -> Response:
    wanted = call.range()
    start, end = wanted or (0, call.size)
    if start >= call.size or start >= end:
        raise refusals.bad_range()
    end = min(end, call.size)
    if end - start > _MOST_READ:
        raise FakeGap("a read of more than 64 MiB at once")
    data, headers = pages.read(call.world.store, call.content, start, end), _page_blob_headers(call)
    if wanted is None:
        return Response(200, data, headers)
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{call.size}"
    if call.request.headers.get("x-ms-range-get-content-md5", "").lower() == "true":
        headers["Content-MD5"] = checksums.md5_of(data)
    return Response(206, data, headers)


def _get_ranges(call: BlobCall) -> Response:
    start, end = call.range() or (0, call.size)
    found = "".join(
        f"<PageRange><Start>{first}</Start><End>{last}</End></PageRange>"
        for first, last in pages.ranges(call.world.store, call.content, start, end)
    )
    text = f'<?xml version="1.0" encoding="utf-8"?><PageList>{found}</PageList>'
    headers = {"Content-Type": "application/xml", "x-ms-blob-content-length": str(call.size)}
    return Response(200, text.encode(), {**_blob_headers(call), **headers})
