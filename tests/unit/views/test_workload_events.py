"""The workloads of a verdict, as text, as JSON and on the report's page."""

from dataclasses import replace

import pytest
from rich.console import Console

from ccgpu.attest.workload_log import parse
from ccgpu.views import verdict, workload_events
from ccgpu.views.verdict import AppraisedEvidence
from support.reports import accepted, page
from support.workload_events import MODEL, event, log_of

_DIGEST = event()["image_digest"]
_HOSTILE = "\x1b]0;x\x07\x1b[2J\r\n\u202e\u200b\x9b31m"


def _events(*documents, replayed=True):
    events = parse(log_of(*documents)).events
    return tuple(replace(each, replayed=replayed) for each in events)


def _print(part) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as found:
        console.print(part)
    return "\n".join(line.rstrip() for line in found.get().splitlines())


def test_each_workload_is_shown_with_its_image_and_model():
    text = _print(workload_events.as_text(_events(event("a"), event("b", model=None))))
    image = f"    image: registry.example/server:1.2 {_DIGEST}"
    assert text.splitlines() == [
        "workloads that were started, as the log of workloads tells it (PCR 13):",
        "  a",
        image,
        f"    model: {MODEL['repository']}@{MODEL['commit']}",
        "  b",
        image,
    ]


def test_verbose_shows_all_of_a_workload():
    text = _print(
        workload_events.as_text(
            _events(event("a", command=["run", "a b"], environment=["X", "Y"])), verbose=True
        )
    )
    assert text.splitlines()[3:] == [
        f"    model: {MODEL['repository']}@{MODEL['commit']}",
        f"    manifest: {MODEL['manifest']}",
        "    command: run 'a b'",
        "    mount: /mnt/ccgpu/models/m:/models:ro",
        "    variables: X, Y",
    ]
    bare = event(model=None, environment=[], mounts=[])
    text = _print(workload_events.as_text(_events(bare), verbose=True))
    assert [line.partition(":")[0].strip() for line in text.splitlines()[2:]] == [
        "image",
        "command",
    ]


def test_what_is_not_replayed_is_marked():
    text = _print(workload_events.as_text(_events(event("a"), replayed=False)))
    assert text.splitlines()[1] == "  a (not replayed to PCR 13: not to be relied on)"


@pytest.mark.parametrize("verbose", [True, False])
def test_no_control_character_of_a_log_reaches_a_terminal(verbose):
    hostile = event(command=["sh", "-c", _HOSTILE], mounts=[_HOSTILE])
    text = _print(workload_events.as_text(_events(hostile), verbose=verbose))
    assert text.replace("\n", "").isprintable()
    assert ("\\x1b" in text) is verbose


@pytest.mark.slow
def test_a_verdict_shows_workloads_only_if_there_are_any():
    shown = _print(verdict.as_text(AppraisedEvidence(accepted(), "e.json", "bundle")))
    assert f"  chat\n    image: registry.example/server:1.2 {_DIGEST}\n" in shown
    assert "    command: " not in shown
    verbose = verdict.as_text(AppraisedEvidence(accepted(), "e.json", "bundle"), verbose=True)
    assert "    command: run --rm --name ccgpu-chat" in _print(verbose)
    none = replace(accepted(), workloads=())
    assert "workloads that" not in _print(
        verdict.as_text(AppraisedEvidence(none, "e.json", "bundle"))
    )


def test_the_document_has_every_member_of_a_workload():
    document = verdict.as_json(AppraisedEvidence(accepted(), "e.json", "bundle"))
    (event_,) = parse(log_of(event())).events
    expected = {name: value for name, value in event().items() if name != "schema"}
    assert document["workloads"] == [expected | {"sha256": event_.digest.hex(), "replayed": True}]
    none = replace(accepted(), workloads=_events(event(model=None), replayed=False))
    (one,) = verdict.as_json(AppraisedEvidence(none, "e.json", "bundle"))["workloads"]
    assert (one["model"], one["replayed"]) == (None, False)


@pytest.mark.slow
def test_the_report_has_a_section_of_workloads():
    found = page(accepted())
    assert found.parts["workloads"] == "simulated"
    for text in (
        "Workloads that were started",
        "It replays to PCR 13 of the quote",
        _DIGEST,
        MODEL["manifest"],
        "run --rm --name ccgpu-chat",
        "/mnt/ccgpu/models/m:/models:ro",
        "HF_HOME",
    ):
        assert text in found.text, text


@pytest.mark.slow
def test_the_report_believes_no_log_that_does_not_replay_and_none_of_refused_evidence():
    unlike = page(replace(accepted(), workloads=_events(event(), replayed=False)))
    assert "It does not replay to PCR 13 of a verified quote" in unlike.text
    refused = page(replace(accepted(), verdict="rejected"))
    assert "It replays to PCR 13 of the quote" not in refused.text
    assert "Workloads that were started" in refused.text


def test_the_report_has_no_such_section_without_workloads():
    assert "Workloads that were started" not in page(replace(accepted(), workloads=())).text
