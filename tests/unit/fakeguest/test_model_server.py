"""The model server of a simulated guest, through a forwarded port."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from support.simulated_guests import GuestBench
from support.workload_client import PORT, WorkloadClient


@pytest.fixture
def address(bench: GuestBench) -> Iterator[str]:
    """A server that is loaded, at a port of this machine."""
    WorkloadClient(bench.channel).serve()
    bench.az.arm.advance(100)
    with bench.channel.forward(PORT) as port:
        yield f"http://127.0.0.1:{port}"


def _ask(address: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(
        urllib.request.Request(address, data), timeout=10
    ) as answer:  # on loopback
        return json.loads(answer.read())


def _status(address: str, body: Any = None) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        _ask(address, body)
    with caught.value as refused:
        return refused.code


def test_it_speaks_the_api_that_clients_know(address):
    assert _ask(f"{address}/health") == {}
    (model,) = _ask(f"{address}/v1/models")["data"]
    assert model["id"] == "org/model"
    done = _ask(f"{address}/v1/completions", {"prompt": "12 + 30 =", "max_tokens": 5})
    assert done["choices"][0]["text"] == " 42."
    assert done["usage"] == {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
    messages = [{"role": "user", "content": "The capital of Japan is"}]
    chat = _ask(f"{address}/v1/chat/completions", {"messages": messages, "model": "org/model"})
    assert chat["choices"][0]["message"] == {"role": "assistant", "content": "Tokyo."}
    image = _ask(f"{address}/v1/images/generations", {"prompt": "a cat", "size": "64x32"})
    assert base64.b64decode(image["data"][0]["b64_json"]).startswith(b"\x89PNG\r\n\x1a\n")


def test_what_it_does_not_know_is_an_error(address):
    assert _status(f"{address}/v2/models") == 404
    assert _status(f"{address}/v1/completions") == 405
    assert _status(f"{address}/v1/completions", {"prompt": 1}) == 400
    assert _status(f"{address}/v1/completions", {"prompt": "x", "max_tokens": 0}) == 400
    assert _status(f"{address}/v1/completions", {"prompt": "x", "model": "other"}) == 404
    assert _status(f"{address}/v1/completions", []) == 400
    assert _status(f"{address}/v1/images/generations", {"prompt": "x", "size": "big"}) == 400
    assert _status(f"{address}/v1/chat/completions", {"messages": []}) == 400


def test_a_server_that_loads_is_unavailable_and_one_that_is_stopped_is_gone(bench):
    from ccgpu.guest.workload_answers import OneWorkload
    from ccgpu.guest.workload_requests import StopWorkload

    client = WorkloadClient(bench.channel)
    client.serve()
    with bench.channel.forward(PORT) as port:
        address = f"http://127.0.0.1:{port}"
        assert _status(f"{address}/health") == 503
        bench.az.arm.advance(100)
        assert _ask(f"{address}/health") == {}
        client.ask(StopWorkload(name="server"), OneWorkload)
        with pytest.raises(OSError, match=r"."):
            _ask(f"{address}/health")
