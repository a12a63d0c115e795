"""Pinning a model: one lookup, small files hashed here, everything else refused; and lock files."""

import hashlib
import json

import pytest

from ccgpu.cli.backends import simulated_backend
from ccgpu.domain.events import Event
from ccgpu.domain.hub_listing import HOST, blob_id
from ccgpu.errors import InvalidFile, ModelUnavailable, UsageProblem
from ccgpu.fakearm import FakeArm, FakeTransport
from ccgpu.fakearm.wire import FakeGap, Request, Response
from ccgpu.fakeguest.hub import SimulatedHub, commit_of, files_of
from ccgpu.net.fetch import Web
from ccgpu.scheduling.scheduler import InlineExecutor, Scheduler
from ccgpu.store import model_lock
from ccgpu.workflows.pin_model import Hub, locked_model, pin_model
from support.output_schemas import require_valid
from support.services import UNREACHABLE, Services, VirtualTime, WebResponse

_NAME = "openai-community/gpt2"
_COMMIT = commit_of(_NAME)
_API = f"https://{HOST}/api/models/{_NAME}/revision/main?blobs=true"


def _simulated(token=None, state="good"):
    transport = FakeTransport(SimulatedHub(lambda: state))
    scheduler = Scheduler(VirtualTime(0.0), InlineExecutor())
    return Hub(lambda: Web((HOST,), transport), scheduler, token)


@pytest.fixture
def services():
    return Services()


@pytest.fixture
def hub(services):
    """The hub of `services`, which answers what a test says."""
    scheduler = Scheduler(services.clock, InlineExecutor())
    return Hub(lambda: Web((HOST,), services.transport()), scheduler)


def _listing(*files, **changes):
    one = {"id": _NAME, "sha": _COMMIT, "gated": False, "siblings": [*files]}
    return WebResponse(json.dumps(one | changes).encode())


def _small(path, content):
    return {"rfilename": path, "size": len(content), "blobId": blob_id(content)}


def _large(path, size=9, sha256="ab" * 32):
    lfs = {"sha256": sha256, "size": size, "pointerSize": 1}
    return {"rfilename": path, "size": size, "blobId": "00", "lfs": lfs}


def test_a_name_becomes_a_manifest_of_true_hashes():
    events: list[Event] = []
    manifest = pin_model(_NAME, _simulated(), events.append)
    files = files_of(_NAME)
    assert (manifest.repository, manifest.commit) == (_NAME, _COMMIT)
    assert [file.path for file in manifest.files] == [
        *("config.json", "model.safetensors", "tokenizer.json"),
    ]
    for file in manifest.files:
        assert file.size == len(files[file.path])
        assert file.sha256 == hashlib.sha256(files[file.path]).hexdigest()
    assert manifest.weights == len(files["model.safetensors"])
    assert events[0].text == f"{_NAME} is pinned to {_COMMIT}; licence: simulated"


def test_main_and_its_commit_are_the_same():
    by_name = pin_model(_NAME, _simulated())
    assert pin_model(f"{_NAME}@main", _simulated()) == by_name
    assert pin_model(f"{_NAME}@{_COMMIT}", _simulated()) == by_name
    assert pin_model("other/model", _simulated()).digest != by_name.digest


def test_a_gated_model_needs_a_token():
    with pytest.raises(ModelUnavailable, match="401") as caught:
        pin_model("meta-llama/Llama-2-7b-chat-hf", _simulated())
    assert "secret hf-token" in str(caught.value.hint)
    events: list[Event] = []
    manifest = pin_model("meta-llama/Llama-2-7b-chat-hf", _simulated("hf_x"), events.append)
    assert manifest.weights > 0
    assert events[0].text.endswith("(gated)")
    with pytest.raises(ModelUnavailable) as refused:
        pin_model("meta-llama/Llama-2-7b-chat-hf", _simulated("other"))
    assert "accept the licence" in str(refused.value.hint)
    assert "other" not in str(refused.value)


@pytest.mark.parametrize(
    ("reference", "state", "words", "hint"),
    [
        ("a/missing", "good", "401", "check the name"),
        (f"{_NAME}@v9", "good", "404", "check the name and the revision"),
        (f"{_NAME}@{'0' * 40}", "good", "404", "check the name and the revision"),
        (_NAME, "down", "503", "--model-lock"),
    ],
)
def test_what_cannot_be_looked_up_is_told(reference, state, words, hint):
    with pytest.raises(ModelUnavailable, match=words) as caught:
        pin_model(reference, _simulated(state=state))
    assert hint in str(caught.value.hint)


def test_one_failure_is_tried_again(services, hub):
    config = b"{}"
    services.publish(
        _API,
        WebResponse(status=503),
        UNREACHABLE,
        _listing(_small("config.json", config), _large("model.safetensors")),
    )
    services.publish(f"https://{HOST}/{_NAME}/resolve/{_COMMIT}/config.json", WebResponse(config))
    assert pin_model(_NAME, hub).files[0].sha256 == hashlib.sha256(config).hexdigest()
    assert services.urls[:3] == [_API] * 3


def test_a_revision_is_one_part_of_the_path(services, hub):
    where = f"https://{HOST}/api/models/{_NAME}/revision/refs%2Fpr%2F1?blobs=true"
    services.publish(where, _listing(_large("model.safetensors")))
    assert pin_model(f"{_NAME}@refs/pr/1", hub).commit == _COMMIT


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (WebResponse(b"<html>"), "answered with no JSON"),
        (_listing(), "has no weights|0 files"),
        (_listing(_large("README.md")), "0 files"),
        (_listing(_large("config.json")), "has no weights"),
        (_listing(_large("model.safetensors"), id="other/name"), "is called other/name now"),
        (_listing(_large("model.safetensors", sha256="x")), "has no SHA-256"),
        (_listing(_large("../model.safetensors")), "leads elsewhere"),
        (_listing({**_small("config.json", b""), "size": 12 * 2**20}), "without a SHA-256"),
        (_listing(*({**_small(f"{n}.json", b""), "size": 10**7} for n in range(8))), "80000000"),
        (WebResponse(status=307, headers={"Location": "/api/models/new/name"}), "redirects"),
    ],
)
def test_what_is_no_such_model_is_refused(services, hub, answer, words):
    services.publish(_API, answer)
    with pytest.raises(ModelUnavailable, match=words):
        pin_model(_NAME, hub)


def test_another_commit_than_the_one_that_was_asked_for_is_refused(services, hub):
    other = "f" * 40
    where = f"https://{HOST}/api/models/{_NAME}/revision/{other}?blobs=true"
    services.publish(where, _listing(_large("model.safetensors")))
    with pytest.raises(ModelUnavailable, match="another commit"):
        pin_model(f"{_NAME}@{other}", hub)


@pytest.mark.parametrize("sent", [b"{ }", b"[]", b""])
def test_a_small_file_that_is_not_the_listed_one_is_refused(services, hub, sent):
    services.publish(_API, _listing(_small("config.json", b"{}"), _large("model.safetensors")))
    services.publish(f"https://{HOST}/{_NAME}/resolve/{_COMMIT}/config.json", WebResponse(sent))
    with pytest.raises(ModelUnavailable, match=r"sent another config\.json"):
        pin_model(_NAME, hub)


def test_the_token_goes_to_the_hub_alone(services):
    services.publish(_API, _listing(_small("a.json", b"1"), _large("model.safetensors")))
    services.publish(
        f"https://{HOST}/{_NAME}/resolve/{_COMMIT}/a.json",
        WebResponse(status=302, headers={"Location": "https://cdn.example/a.json"}),
    )
    scheduler = Scheduler(services.clock, InlineExecutor())
    hub = Hub(lambda: Web((HOST,), services.transport()), scheduler, "hf_x")
    with pytest.raises(ModelUnavailable, match=r"cdn\.example"):
        pin_model(_NAME, hub)
    assert {one.headers["Authorization"] for one in services.requests} == {"Bearer hf_x"}
    assert all(url.startswith(f"https://{HOST}/") for url in services.urls)


def test_a_lock_file_is_written_and_then_takes_the_place_of_the_lookup(tmp_path):
    lock = tmp_path / "model.lock"
    manifest = locked_model(_NAME, _simulated(), lock)
    assert lock.read_bytes() == manifest.to_bytes() + b"\n"
    require_valid(json.loads(lock.read_bytes()), ("model-manifest",))
    nobody = _simulated(state="down")
    assert locked_model(_NAME, nobody, lock) == manifest
    assert locked_model(f"{_NAME}@{_COMMIT}", nobody, lock) == manifest
    assert locked_model(f"{_NAME}@main", nobody, lock) == manifest
    assert locked_model(_NAME, _simulated(), None) == manifest


@pytest.mark.parametrize(
    ("reference", "words"),
    [("other/name", "and not other/name"), (f"{_NAME}@{'f' * 40}", "and not f")],
)
def test_a_lock_file_of_another_model_is_refused(tmp_path, reference, words):
    lock = tmp_path / "model.lock"
    locked_model(_NAME, _simulated(), lock)
    with pytest.raises(UsageProblem, match=words):
        locked_model(reference, _simulated(), lock)


def test_a_lock_file_that_was_changed_has_another_digest_or_is_refused(tmp_path):
    lock = tmp_path / "model.lock"
    manifest = locked_model(_NAME, _simulated(), lock)
    raw = lock.read_bytes()
    lock.write_bytes(raw.replace(manifest.files[0].sha256.encode(), b"0" * 64))
    assert locked_model(_NAME, _simulated(), lock).digest != manifest.digest
    for broken in (b"", raw[:-5], raw.replace(b"config.json", b"../fig.json")):
        lock.write_bytes(broken)
        with pytest.raises(InvalidFile, match="1 problem"):
            model_lock.read(lock)


def test_a_lock_that_cannot_be_read_or_written_is_told(tmp_path):
    with pytest.raises(InvalidFile, match="cannot be read"):
        model_lock.read(tmp_path)
    with pytest.raises(UsageProblem, match="cannot be written"):
        locked_model(_NAME, _simulated(), tmp_path / "none" / "model.lock")


def _asked(path, **headers):
    return Request("GET", f"https://{HOST}{path}", headers)


def test_the_simulated_hub_has_no_answer_to_what_is_not_known():
    hub = SimulatedHub()
    resolve = f"/{_NAME}/resolve/{_COMMIT}"
    for bad in (
        Request("POST", f"https://{HOST}/api/models/{_NAME}/revision/main"),
        Request("GET", "https://other.example/"),
        _asked("/api/datasets/a/b"),
        _asked(f"/api/models/{_NAME}/revision/main"),
    ):
        with pytest.raises(FakeGap):
            hub.send(bad)
    assert hub.send(_asked(f"{resolve}/model.safetensors")).status == 302
    assert hub.send(_asked(f"/api/resolve-cache/models/{_NAME}/{_COMMIT}/no.json")).status == 404
    other = f"/api/resolve-cache/models/{_NAME}/{'0' * 40}/config.json"
    assert hub.send(_asked(other)).status == 404
    gated = f"/google/x/resolve/{commit_of('google/x')}/config.json"
    assert hub.send(_asked(gated)).status == 401
    allowed = hub.send(_asked(gated, Authorization="Bearer hf_x"))
    assert allowed == Response(200, files_of("google/x")["config.json"], allowed.headers)


def test_a_model_that_is_too_large_is_listed_with_its_size():
    hub = _simulated("hf_x")
    manifest = pin_model("meta-llama/Llama-2-70b-chat-hf", hub)
    assert manifest.weights > 130 * 10**9


def test_the_simulated_back_end_has_a_hub(tmp_path):
    backend = simulated_backend(FakeArm(), tmp_path, dict)  # type: ignore[arg-type]
    assert pin_model(_NAME, backend.hub()).commit == _COMMIT
