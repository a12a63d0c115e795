"""The report to Azure that a VM is up; the host's answers are not trusted."""

from typing import Any

import pytest

from ccgpu.templates.guest.image import config, metadata, ready
from ccgpu.templates.guest.image.metadata import NoAzureAnswer, ask_patiently

_STATE = (
    b"<GoalState><Incarnation>7</Incarnation><Container><ContainerId>c-1</ContainerId>"
    b"<RoleInstanceList><RoleInstance><InstanceId>i.2_demo</InstanceId></RoleInstance>"
    b"</RoleInstanceList></Container></GoalState>"
)


@pytest.fixture
def asked(monkeypatch):
    """The requests; the first is answered by what is put in `answers`."""
    requests: list[tuple[Any, ...]] = []
    answers = [_STATE]

    def ask(host, method, path, headers, body=b""):
        requests.append((host, method, path, dict(headers), body))
        return answers[0]

    monkeypatch.setattr(ready, "ask_patiently", ask)
    return requests, answers


def test_the_report_names_what_the_goal_state_names(asked):
    requests, _ = asked
    assert ready.main([]) == 0
    (host, method, path, headers, _), (_, posted, health, more, body) = requests
    assert (host, method, path) == ("168.63.129.16", "GET", "/machine?comp=goalstate")
    assert headers["x-ms-version"] == more["x-ms-version"] == "2012-11-30"
    assert (posted, health) == ("POST", "/machine?comp=health")
    assert b"<GoalStateIncarnation>7<" in body
    assert b"<ContainerId>c-1</ContainerId>" in body
    assert b"<InstanceId>i.2_demo</InstanceId><Health><State>Ready</State>" in body


@pytest.mark.parametrize("answer", [b"", b"<x>", _STATE.replace(b"c-1", b"c 1&x;"), _STATE[:60]])
def test_another_answer_is_not_reported_on(asked, answer):
    requests, answers = asked
    answers[0] = answer
    assert ready.main([]) == 1
    assert len(requests) == 1


def test_the_service_is_asked_again_and_not_for_ever(monkeypatch):
    answers: list[Any] = [(500, b""), NoAzureAnswer("late"), (200, b"here")]

    def ask(*_):
        found = answers.pop(0) if answers else (500, b"")
        if isinstance(found, Exception):
            raise found
        return found

    waited: list[float] = []
    monkeypatch.setattr(metadata, "ask", ask)
    monkeypatch.setattr("time.sleep", waited.append)
    assert ask_patiently("h", "GET", "/", {}) == b"here"
    assert waited == [metadata.PAUSE] * 2
    with pytest.raises(NoAzureAnswer, match="h answers 500"):
        ask_patiently("h", "GET", "/", {})
    assert len(waited) == 2 + metadata.TRIES


@pytest.mark.parametrize(("text", "found"), [(b"", b""), (b"aGk=\n", b"hi")])
def test_user_data_comes_in_base64(monkeypatch, text, found):
    monkeypatch.setattr(config, "ask_patiently", lambda *_: text)
    assert config.fetch_config() == found


def test_user_data_that_is_not_in_base64_is_refused(monkeypatch):
    monkeypatch.setattr(config, "ask_patiently", lambda *_: b"<html>")
    with pytest.raises(config.ConfigRefused):
        config.fetch_config()
