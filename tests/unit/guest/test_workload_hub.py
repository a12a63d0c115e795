"""The download of a model: resumed, checked, from the hub and by TLS alone. The hub is a stub."""

import hashlib
import http.server
import json
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from ccgpu.guest.workload_requests import FetchModel, HashedFile
from ccgpu.templates.guest.workload import hub
from ccgpu.templates.guest.workload.base import WorkloadError
from support.quiet_server import QuietServer
from support.tls import certificate
from support.workload_parts import request_of, vm_at

_COMMIT = "0123456789" * 4
_WEIGHTS = bytes(range(256)) * 9000
_CONTENT = {"config.json": b"{}", "deep/model 1.safetensors": _WEIGHTS, "empty": b""}
_TOKEN = "hf_hush"


@dataclass
class Hub:
    """A hub. answers: by path, in turn, instead of the file: status, headers, body, or cut after.

    requests: path, Range and Authorization of each.
    """

    port: int = 0
    ranges: bool = True
    content: dict[str, bytes] = field(default_factory=lambda: dict(_CONTENT))
    answers: dict[str, list[tuple[int, dict[str, str], bytes]]] = field(default_factory=dict)
    cut: dict[str, list[int]] = field(default_factory=dict)
    requests: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    @property
    def base(self):
        return f"https://127.0.0.1:{self.port}"

    def always(self, status, headers=None, path="config.json"):
        self.answers[path] = [(status, headers or {}, b"no")] * 99

    def ranges_of(self, path):
        return [one[1] for one in self.requests if one[0].endswith(path)]


@contextmanager
def running_hub(pem):
    """A hub on loopback."""
    there = Hub()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            there.requests.append((self.path, self.headers["Range"], self.headers["Authorization"]))
            name = self.path.rpartition(f"/resolve/{_COMMIT}/")[2].replace("%20", " ")
            name = name.removeprefix("/cdn/").partition("?")[0]
            if queue := there.answers.get(name):
                status, headers, body = queue.pop(0)
            elif name in there.content:
                status, headers, body = self.file(there.content[name])
            else:
                status, headers, body = 404, {}, b"Entry not found"
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            cuts = there.cut.get(name)
            self.wfile.write(body[: cuts.pop(0)] if cuts else body)

        def file(self, content):
            asked = self.headers["Range"]
            if not asked or not there.ranges:
                return 200, {}, content
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            end = len(content)
            return 206, {"Content-Range": f"bytes {start}-{end - 1}/{end}"}, content[start:]

        def log_message(self, *_):
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with QuietServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        there.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield there
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """The hub's certificate."""
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def there(pem):
    """The hub."""
    with running_hub(pem) as one:
        yield one


@pytest.fixture
def vm(tmp_path, pem):
    """A VM that trusts the hub, with its token."""
    from dataclasses import replace

    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/mounts").write_text("tmpfs /mnt tmpfs rw 0 0\n")
    secret = tmp_path / "run/ccgpu/secrets/hf-token"
    secret.parent.mkdir(parents=True)
    secret.write_text(f"{_TOKEN}\n")
    return replace(vm_at(tmp_path, pause=0.001, silence=2.0), authorities=str(pem))


def wanted(there, content=None, **changes):
    """The request for the hub's files."""
    files = [
        HashedFile(path, len(data), hashlib.sha256(data).hexdigest())
        for path, data in (content or _CONTENT).items()
    ]
    return FetchModel(
        repository="org/name", commit=_COMMIT, files=tuple(files), base=there.base, **changes
    )


def fetch(vm, one):
    return hub.fetch(vm, request_of(one))


def refusal(vm, one):
    with pytest.raises(WorkloadError) as caught:
        fetch(vm, one)
    assert _TOKEN not in str(caught.value)
    return caught.value.code


def folder_of(vm):
    return vm.root / f"mnt/ccgpu/models/org--name/{_COMMIT}"


def content_of(vm):
    files = [one for one in folder_of(vm).rglob("*") if one.is_file()]
    return {one.relative_to(folder_of(vm)).as_posix(): one.read_bytes() for one in files}


def test_a_model_is_fetched_once(vm, there, capsys):
    size = sum(map(len, _CONTENT.values()))
    answer = fetch(vm, wanted(there))
    assert answer == {
        "folder": f"/mnt/ccgpu/models/org--name/{_COMMIT}",
        "bytes": size,
        "fetched": size,
    }
    assert content_of(vm) == _CONTENT
    last = capsys.readouterr().err.splitlines()[-1]
    assert json.loads(last) == {"progress": "fetch", "done": size, "total": size}
    assert {one[2] for one in there.requests} == {None}
    before = len(there.requests)
    assert fetch(vm, wanted(there))["fetched"] == 0
    assert len(there.requests) == before


def test_the_token_goes_to_the_hub_alone(vm, there, pem, capsys):
    with running_hub(pem) as other:
        other.content = {"/weights": _WEIGHTS}
        moved = {"Location": f"{other.base}/weights?sign=1"}
        there.answers["deep/model 1.safetensors"] = [(302, moved, b"")]
        fetch(vm, wanted(there, token="hf-token"))
        assert [one[2] for one in other.requests] == [None]
        assert other.requests[0][0] == "/weights?sign=1"
    assert {one[2] for one in there.requests} == {f"Bearer {_TOKEN}"}
    assert content_of(vm) == _CONTENT
    told = capsys.readouterr()
    assert _TOKEN not in told.out + told.err


def test_a_redirect_of_the_hub_to_itself_is_followed(vm, there):
    there.answers["config.json"] = [(307, {"Location": "/cdn/config.json"}, b"")]
    fetch(vm, wanted(there))
    assert "/cdn/config.json" in [one[0] for one in there.requests]


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/x", "ftp://h/x", "file:///etc/passwd"])
def test_no_redirect_leaves_tls(vm, there, target):
    there.always(302, {"Location": target})
    assert refusal(vm, wanted(there)) == "fetch.redirect"


def test_redirects_end(vm, there):
    there.always(302, {"Location": f"/org/name/resolve/{_COMMIT}/config.json"})
    assert refusal(vm, wanted(there)) == "fetch.failed"


def test_a_hub_without_tls_is_refused(vm, there):
    from dataclasses import replace

    http_ = there.base.replace("https", "http")
    assert refusal(vm, replace(wanted(there), base=http_)) == "request"


def test_a_hub_of_another_authority_is_refused(vm, there):
    from dataclasses import replace

    assert refusal(replace(vm, authorities=None), wanted(there)) == "fetch.failed"
    assert there.requests == []


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "fetch.refused"), (403, "fetch.refused"), (404, "fetch.absent"), (400, "fetch.failed")],
)
def test_a_refusal_of_the_hub_is_final(vm, there, status, code):
    there.always(status)
    assert refusal(vm, wanted(there)) == code
    assert len(there.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503, 416])
def test_a_busy_hub_is_asked_again(vm, there, status):
    there.answers["config.json"] = [(status, {}, b"")] * (hub.TRIES - 1)
    fetch(vm, wanted(there))
    assert content_of(vm) == _CONTENT


def test_a_hub_that_stays_busy_is_an_error(vm, there):
    there.always(503)
    assert refusal(vm, wanted(there)) == "fetch.failed"
    assert len(there.requests) == hub.TRIES


def test_what_was_cut_off_is_continued(vm, there):
    name = "deep/model 1.safetensors"
    there.cut[name] = [1_000_000, 500_000, 0]
    fetch(vm, wanted(there))
    assert content_of(vm) == _CONTENT
    starts = [int((one or "bytes=0-")[6:-1]) for one in there.ranges_of("safetensors")]
    assert starts == [0, 1_000_000, 1_500_000, 1_500_000]


def test_another_run_continues(vm, there):
    part = folder_of(vm) / "deep/model 1.safetensors.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(_WEIGHTS[:1000])
    assert fetch(vm, wanted(there))["fetched"] == sum(map(len, _CONTENT.values())) - 1000
    assert there.ranges_of("safetensors") == ["bytes=1000-"]
    assert content_of(vm) == _CONTENT


@pytest.mark.parametrize("old", [b"x" * 1000, b"x" * (len(_WEIGHTS) + 1)], ids=["other", "long"])
def test_a_beginning_that_is_wrong_does_not_stay(vm, there, old):
    part = folder_of(vm) / "deep/model 1.safetensors.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(old)
    if len(old) == 1000:
        assert refusal(vm, wanted(there)) == "fetch.content"
        assert not part.exists()
    fetch(vm, wanted(there))
    assert content_of(vm) == _CONTENT


def test_a_hub_that_cannot_continue_begins_anew(vm, there):
    there.ranges = False
    there.cut["deep/model 1.safetensors"] = [1000]
    fetch(vm, wanted(there))
    assert content_of(vm) == _CONTENT


def test_another_part_than_asked_for_is_not_taken(vm, there):
    name = "deep/model 1.safetensors"
    there.cut[name] = [1000]
    there.answers[name] = [
        (200, {}, _WEIGHTS),
        *[(206, {"Content-Range": "bytes 7-9/10"}, b"abc")] * 99,
    ]
    assert refusal(vm, wanted(there)) == "fetch.failed"


@pytest.mark.slow
@pytest.mark.parametrize("data", [b"[]", b"{} "], ids=["other", "longer"])
def test_other_content_gets_no_name(vm, there, data):
    there.content["config.json"] = data
    assert refusal(vm, wanted(there)) == "fetch.content"
    assert "config.json" not in content_of(vm)


@pytest.mark.slow
def test_shorter_content_gets_no_name(vm, there):
    there.content["config.json"] = b"{"
    assert refusal(vm, wanted(there)) == "fetch.failed"
    assert "config.json" not in content_of(vm)


def test_what_is_not_listed_goes(vm, there):
    folder = folder_of(vm)
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/other.py").write_text("import os")
    (folder / "config.json").symlink_to("/etc/passwd")
    fetch(vm, wanted(there))
    assert content_of(vm) == _CONTENT


def test_a_file_that_changed_is_fetched_again(vm, there):
    fetch(vm, wanted(there))
    file = folder_of(vm) / "config.json"
    file.unlink()
    file.write_bytes(b"[]")
    assert fetch(vm, wanted(there))["fetched"] == 2
    assert content_of(vm) == _CONTENT


def test_what_does_not_fit_is_not_begun(vm, there):
    from dataclasses import replace

    large = HashedFile("large", 2**49, "0" * 64)
    one = wanted(there)
    assert refusal(vm, replace(one, files=(*one.files, large))) == "storage.space"
    assert there.requests == []


def test_a_token_that_is_not_there_is_an_error(vm, there):
    assert refusal(vm, wanted(there, token="other")) == "secret.absent"
    assert there.requests == []


def test_one_download_of_a_model_at_a_time(vm, there):
    from ccgpu.templates.guest.workload.models import locked_model, parse_model

    model = parse_model(request_of(wanted(there)))
    with locked_model(vm, model, shared=True):
        assert refusal(vm, wanted(there)) == "busy"


def test_a_hub_that_falls_silent_is_an_error_in_time(vm, there):
    from dataclasses import replace

    quick = replace(vm, limits={**vm.limits, "silence": 0.1})
    there.answers["config.json"] = [(200, {"Content-Length": "99"}, b"{")] * 99
    assert refusal(quick, wanted(there)) == "fetch.failed"
