"""Requests to the script of workloads: boots, progress, and lines of a log."""

from types import SimpleNamespace
from typing import Any

import pytest

from ccgpu.errors import GuestNotReady, WorkloadFailed
from ccgpu.guest.workload_answers import AllWorkloads, ModelFetched, OneWorkload
from ccgpu.guest.workload_requests import (
    NEVER,
    FetchModel,
    FollowWorkload,
    ListWorkloads,
    StatusOfWorkload,
)
from ccgpu.workflows.run.starting import start_container
from ccgpu.workflows.run.streams import LineReader
from unit.workflows.run.conftest import workload

_FETCHED = {"folder": "/f", "bytes": 10, "fetched": 10}


def test_an_answer_of_another_boot_is_refused(scripted):
    made = scripted(lambda _: {"boot": "another", "workloads": []})
    with pytest.raises(GuestNotReady, match="has been started anew"):
        made.guest.ask(ListWorkloads(), AllWorkloads, 5.0)


def test_an_error_of_the_script_is_one_of_ours(scripted):
    error = {"schema": "ccgpu.workload-error/1", "code": "busy", "message": "wait a little"}
    made = scripted(lambda _: error)
    with pytest.raises(WorkloadFailed, match="wait a little") as caught:
        made.guest.ask(ListWorkloads(), AllWorkloads, 5.0)
    assert caught.value.reason == "busy"


def test_a_hint_names_the_deployment_and_the_workload(scripted):
    error = {"schema": "ccgpu.workload-error/1", "code": "start.failed", "message": "no"}
    made = scripted(lambda _: error)
    with pytest.raises(WorkloadFailed) as caught:
        made.guest.ask(StatusOfWorkload(name="one"), OneWorkload, 5.0)
    assert caught.value.hint == "`ccgpu logs demo --workload one` shows what it printed"


def _progress(done: int, total: int = 10_000_000_000) -> bytes:
    return f'{{"progress":"fetching","done":{done},"total":{total}}}\n'.encode()


def test_progress_is_told_in_steps(scripted):
    lines = [_progress(part * 10**8) for part in range(101)]
    made = scripted(lambda _: _FETCHED, errors=[*lines, b"noise\n", _progress(0, 0)])
    fetch = FetchModel(repository="o/n", commit="c" * 40, files=())
    assert made.guest.ask(fetch, ModelFetched, 5.0).bytes == 10
    shares = [text for text in made.texts if text.startswith("fetching (")]
    assert (shares[0], shares[-1]) == ("fetching (0% of 10.0 GB)", "fetching (100% of 10.0 GB)")
    assert 15 < len(shares) <= 21
    assert made.texts[-1] == "fetching"


def test_a_log_comes_line_by_line_whatever_its_pieces(scripted):
    lines: list[str] = []
    made = scripted(lambda _: {"workload": workload()}, log=b"one\r\ntwo\nthr\xff")
    seen = made.guest.follow(FollowWorkload(name="one"), lines.append, None)
    assert isinstance(seen, OneWorkload)
    assert lines == ["one", "two", "thr\ufffd"]


def test_a_reader_joins_pieces_and_cuts_endless_lines():
    lines: list[str] = []
    reader = LineReader(lines.append)
    for piece in (b"a", b"b\nc", b"\n", b"x" * (1 << 20), b"y\n"):
        reader.write(piece)
    reader.close()
    assert lines[:2] == ["ab", "c"]
    assert "".join(lines[2:]) == "x" * (1 << 20) + "y"


@pytest.mark.slow
def test_a_reader_without_a_listener_keeps_so_much_and_no_more():
    reader = LineReader()
    for _ in range(5):
        assert reader.write(bytes(10 << 20)) == 10 << 20
    assert len(reader.kept) == 40 << 20


def test_a_container_is_not_started_in_another_boot(scripted):
    made = scripted(lambda _: {"boot": "another", "workloads": []})
    plan = SimpleNamespace(
        name="one", image="r/i", options=(), command=(), secrets=(), outputs=None, restart=NEVER
    )
    request: Any = SimpleNamespace(plan=plan, texts=(), model=None, os_disk=False, replace=False)
    with pytest.raises(GuestNotReady, match="started anew"):
        start_container(made.guest, request)
    assert [one["action"] for one in made.channel.asked] == ["list"]
