"""The image server: its interface over a painter of the test, and the check of images on it."""

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from ccgpu.domain.workload.known_answers import CheckAnswer
from ccgpu.domain.workload.known_images import KnownImages
from ccgpu.templates.workloads import image_server
from support.png import make_png
from support.repository import ROOT

_FILE = ROOT / "templates/workloads/image_server.py"
_WHERE = "/v1/images/generations"


class _Painter:
    """Pictures whose pattern depends on the seed. It notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[image_server.Wanted] = []
        self.failure: Exception | None = None

    def paint(self, wanted):
        self.asked.append(wanted)
        if self.failure is not None:
            raise self.failure
        seeds = [wanted.seed + index for index in range(wanted.count)]
        return [(_picture(wanted, seed), seed) for seed in seeds]


def _picture(wanted, seed):
    row = [(x // 3 + seed * 60) % 200 for x in range(wanted.width)]
    rows = [bytes((value + y // 5) % 250 for value in row) for y in range(wanted.height)]
    return make_png(rows, 1)


@pytest.fixture
def painter():
    return _Painter()


@pytest.fixture
def server(painter):
    with image_server.ImageServer(("127.0.0.1", 0), "org/name", 2) as one:
        one.painter = painter
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield one
        one.shutdown()
        thread.join()


def _ask(server, method, path, body=None, headers=None):
    """Status and document of an answer."""
    connection = http.client.HTTPConnection(*server.server_address[:2])
    raw = json.dumps(body).encode() if isinstance(body, dict | list) else body
    try:
        connection.request(method, path, raw, headers or {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_health_is_503_until_the_model_is_loaded(server):
    assert _ask(server, "GET", "/health") == (200, {"status": "ok"})
    server.painter = None
    assert _ask(server, "GET", "/health") == (503, {"status": "loading"})
    assert _ask(server, "POST", _WHERE, {"prompt": "x"})[0] == 503
    with pytest.raises(RuntimeError, match="being loaded"):
        server.paint(image_server.Wanted("x", "", 1, 64, 64, 0, 1, None))


def test_it_names_its_model(server):
    status, document = _ask(server, "GET", "/v1/models")
    assert (status, document["data"][0]["id"]) == (200, "org/name")


def test_an_image_is_made_as_asked(server, painter):
    body = {
        "prompt": "an apple",
        "negative_prompt": "a pear",
        "n": 2,
        "size": "128x64",
        "seed": 7,
        "num_inference_steps": 5,
        "guidance_scale": 3,
        "model": "org/name",
    }
    status, document = _ask(server, "POST", _WHERE, body)
    assert status == 200
    assert [one["seed"] for one in document["data"]] == [7, 8]
    assert base64.b64decode(document["data"][0]["b64_json"]).startswith(b"\x89PNG")
    assert painter.asked == [
        image_server.Wanted("an apple", "a pear", 2, 128, 64, 7, 5, 3.0),
    ]


def test_without_a_seed_each_image_has_a_new_one(server, painter):
    for _ in range(2):
        assert _ask(server, "POST", _WHERE, {"prompt": "x", "size": "64x64"})[0] == 200
    assert painter.asked[0].seed != painter.asked[1].seed
    assert painter.asked[0].guidance is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "prompt must be a text"),
        ({"prompt": "  "}, "prompt must be a text"),
        ({"prompt": 5}, "prompt must be a text"),
        ({"prompt": "x" * 8001}, "at most 8000 characters"),
        ({"prompt": "x", "negative_prompt": []}, "negative_prompt must be a text"),
        ({"prompt": "x", "n": 3}, "n must be a whole number from 1 to 2"),
        ({"prompt": "x", "n": True}, "n must be a whole number"),
        ({"prompt": "x", "size": "100x100"}, "a multiple of 8"),
        ({"prompt": "x", "size": "64"}, "WIDTHxHEIGHT"),
        ({"prompt": "x", "size": "64x4096"}, "from 64 to 2048"),
        ({"prompt": "x", "size": 64}, "WIDTHxHEIGHT"),
        ({"prompt": "x", "size": "٦٤x64"}, "WIDTHxHEIGHT"),
        ({"prompt": "x", "seed": -1}, "seed must be a whole number"),
        ({"prompt": "x", "seed": 2**32}, "seed must be a whole number"),
        ({"prompt": "x", "num_inference_steps": 151}, "num_inference_steps"),
        ({"prompt": "x", "guidance_scale": "5"}, "guidance_scale must be a number"),
        ({"prompt": "x", "response_format": "url"}, "response_format must be b64_json"),
        ({"prompt": "x", "output_format": "jpeg"}, "output_format must be png"),
        ([], "must be a JSON object"),
        (b"{", "is not JSON"),
        (b"[" * 60_000, "is not JSON"),
    ],
)
def test_a_bad_request_is_refused_with_its_field(server, painter, body, words):
    status, document = _ask(server, "POST", _WHERE, body)
    assert status == 400
    assert words in document["error"]["message"]
    assert document["error"]["type"] == "invalid_request_error"
    assert painter.asked == []


def test_a_large_body_is_not_read(server):
    status, document = _ask(server, "POST", _WHERE, b"x" * (64 * 1024 + 1))
    assert status == 413
    assert "65536" in document["error"]["message"]
    headers = {"Transfer-Encoding": "chunked"}
    assert _ask(server, "POST", _WHERE, b"0\r\n\r\n", headers)[0] == 411


def test_other_paths_are_404(server):
    assert _ask(server, "GET", "/other")[0] == 404
    assert _ask(server, "POST", "/v1/completions", {})[0] == 404


def test_a_failure_of_the_model_is_told_and_the_server_stays(server, painter, capsys):
    painter.failure = ValueError("secret words of the prompt")
    status, document = _ask(server, "POST", _WHERE, {"prompt": "x", "size": "64x64"})
    assert (status, document["error"]["message"]) == (500, "the model failed: ValueError")
    assert "secret words" not in "".join(capsys.readouterr())
    painter.failure = None
    assert _ask(server, "POST", _WHERE, {"prompt": "x", "size": "64x64"})[0] == 200


def test_no_prompt_is_logged(server, capsys):
    _ask(server, "POST", _WHERE, {"prompt": "my secret", "size": "64x64"})
    server.shutdown()
    server.server_close()
    shown = "".join(capsys.readouterr())
    assert "my secret" not in shown
    assert "200 after" in shown


def test_requests_wait_for_their_turn(server, painter):
    answers = []

    def ask():
        answers.append(_ask(server, "POST", _WHERE, {"prompt": "x", "size": "64x64"})[0])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    with server.turn:
        for thread in threads:
            thread.start()
        assert _ask(server, "GET", "/health")[0] == 200
        assert painter.asked == []
    for thread in threads:
        thread.join()
    assert answers == [200] * 4


@pytest.mark.slow
def test_the_known_image_check_passes_on_it_and_fails_on_black(server, painter):
    check = KnownImages(0, "org/name")

    def answers():
        for each in check.requests():
            status, document = _ask(server, "POST", each.path, dict(each.body))
            raw = json.dumps(document).encode()
            assert len(raw) <= each.limit
            yield CheckAnswer(status, raw, 1.0)

    assert check.judge(list(answers())).is_good
    painter.paint = lambda wanted: [
        (make_png([bytes(wanted.width)] * wanted.height, 1), wanted.seed)
    ]
    assert not check.judge(list(answers())).is_good


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _start(port):
    words = [str(_FILE), "--model", "/nowhere", "--name", "a/b", "--port", str(port)]
    return subprocess.Popen(
        [sys.executable, "-I", *words, "--host", "127.0.0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_ends_the_process():
    process = _start(_free_port())
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the model cannot be loaded" in err


_WITH_PAINTER = f"""
import runpy, sys
server = runpy.run_path({str(_FILE)!r}, run_name="server")
class Painter:
    def paint(self, wanted):
        return []
server["main"](sys.argv[1:], Painter)
"""


@pytest.mark.slow
def test_sigterm_ends_it_with_0():
    port = _free_port()
    words = ["--model", "m", "--name", "a/b", "--port", str(port), "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", _WITH_PAINTER, *words], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("the model is loaded after")
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    process.stdout.close()
