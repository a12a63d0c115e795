"""A rejected VM stays rejected, whatever else fails: a file that cannot be written, a query."""

from pathlib import Path

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION
from ccgpu.store.example import BUNDLE, example_folder
from support.attesting import Attester, WrappedChannel, make_demo, open_now
from support.secrets import CANARY, SecretUser
from support.slow import mostly_slow

# Files that no user can make, and a query that fits no document: each was exit code 2.
_FAILURES = ["--save /proc/b.json", "--report /proc/r.html", "--query abs(schema)"]


@pytest.fixture
def demo(shell, prepared) -> Attester:
    """A VM that is set up, with developer tools on its GPU."""
    made = Attester(prepared(shell, make_demo))
    made.scenario("devtools")
    return made


@pytest.mark.parametrize("words", _FAILURES)
def test_evidence_that_is_rejected_ends_with_9_whatever_else_fails(shell, words):
    done = shell(f"verify --example --policy strict -o json {words}")
    assert (done.code, done.error["code"]) == (9, "EvidenceRejected")
    assert "evidence rejected: " in done.error["message"]
    assert "; besides, " in done.error["message"]


def test_the_worst_of_many_verdicts_counts_whatever_else_fails(shell):
    with example_folder() as folder:
        done = shell(f"verify {folder / BUNDLE} --each -o json --query abs(schema)")
    assert (done.code, done.error["code"]) == (9, "EvidenceRejected")


@pytest.mark.slow
@pytest.mark.parametrize("words", mostly_slow(_FAILURES, 3))
def test_a_vm_that_is_rejected_ends_with_9_whatever_else_fails(demo, words):
    done = demo(words)
    assert (done.code, done.error["code"]) == (9, "EvidenceRejected")
    assert "; besides, " in done.error["message"]
    assert demo.shown["state"] == "rejected"
    if "query" not in words:
        assert done.document["verdict"] == "rejected"


def test_a_rejection_that_cannot_be_recorded_is_told(demo):
    (demo.shell.state / "journals" / FAKE_SUBSCRIPTION / "demo.bundle").mkdir()
    done = demo("--events ndjson")
    assert (done.code, done.document["verdict"]) == (9, "rejected")
    assert "cannot write the evidence" in done.err


@pytest.mark.slow
def test_an_accepted_verdict_does_not_outlive_a_rejection_that_cannot_be_recorded(demo):
    demo.scenario("usual")
    assert demo().code == 0
    demo.scenario("devtools")
    access = demo.shell.state / "journals" / FAKE_SUBSCRIPTION / "demo.access"

    def wrap(channels, target):
        inner = open_now(channels, target)

        def run(argv, stdin, timeout):
            if "ccgpu-collect" in argv:  # from now on the way to the VM cannot be recorded
                access.unlink(missing_ok=True)
                access.symlink_to("none")
            return inner.run(argv, stdin, timeout=timeout)

        return WrappedChannel(inner, run)

    done = demo.through(wrap)("--reachable --events ndjson")
    assert (done.code, "demo.access" in done.err) == (9, True)
    access.unlink()
    assert demo.shown["state"] == "ready"


@pytest.mark.slow
def test_an_accepted_verdict_that_cannot_be_recorded_is_no_success(demo):
    demo.scenario("usual")
    (demo.shell.state / "journals" / FAKE_SUBSCRIPTION / "demo.bundle").mkdir()
    assert demo().code == 4
    assert demo.shown["state"] == "ready"


@pytest.mark.slow
def test_a_release_that_is_refused_ends_with_9_whatever_else_fails(demo, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", CANARY)
    user = SecretUser(demo.shell).watched()
    done = user("put demo hf-token --from-env HF_TOKEN --save /proc/b.json -o json")
    assert (done.code, done.error["code"]) == (9, "EvidenceRejected")
    assert user.held == {}


@pytest.mark.slow
def test_a_line_that_cannot_be_written_does_not_silence_the_command_of_a_failure(demo):
    done = demo("--every 1h --on-failure 'touch ran' --query abs(schema)")
    assert Path("ran").exists()
    assert done.code == 2
