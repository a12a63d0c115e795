"""What the gate refuses, and that no byte of a secret leaves then.

The numbers are those of the negative tests of a release gate: 91 an exception, 92 no verdict, 93 a
verdict that was edited on disk, 94 a weaker policy, 95 a part that was skipped, 96 another boot.
"""

import json
import shutil
from dataclasses import replace

import pytest
import yaml

from ccgpu.errors import (
    CcgpuError,
    EvidenceRejected,
    EvidenceUnavailable,
    GuestNotReady,
    StateUnusable,
    TimedOut,
    UsageProblem,
)
from ccgpu.guest.channel import Completed
from support.attesting import SET_UP, WrappedChannel
from support.cloud import Machine, make_spec
from support.gate_refusals import TOKEN, after_verdict, answering, printed, refuse
from support.hostile_guests import saying
from support.repository import ROOT
from support.slow import mostly_slow

_MAN_IN_THE_MIDDLE = bytes.fromhex("0000000b7373682d6564323535313900000020") + b"\x5a" * 32
_POLICIES = ROOT / "templates" / "policies"


# --- 91: an exception, anywhere ---


class _Broken(Exception):
    """What nobody expects."""


@pytest.mark.parametrize(
    "error",
    [_Broken("boom"), KeyError("x"), MemoryError(), RecursionError(), AssertionError(), OSError(5)],
    ids=lambda one: type(one).__name__,
)
def test_91_an_exception_in_the_verdict_is_no_verdict(releaser, error):
    def fail(_):
        raise error

    releaser.means = lambda means: replace(means, fetcher=fail)
    refuse(releaser, type(error))


def test_91_an_exception_in_the_roots_is_no_verdict(releaser):
    def fail():
        raise _Broken("no roots")

    releaser.means = lambda means: replace(means, roots=fail)
    refuse(releaser, _Broken)


def test_91_a_challenge_that_cannot_be_recorded_is_not_sent(releaser):
    challenges = releaser.shell.state / "challenges"
    shutil.rmtree(challenges, ignore_errors=True)
    challenges.parent.mkdir(exist_ok=True)
    challenges.write_text("in the way")
    refuse(releaser, StateUnusable)
    assert b"ccgpu-collect" not in releaser.sent


# The boot, the evidence; the boot, the GPU's state, its setting, its state; the boot, and again.
_BEFORE_RELEASE = 8


def test_91_the_opener_is_the_last_to_be_called(releaser):
    calls = count_calls(releaser)
    releaser.release(TOKEN)
    assert ["ccgpu-release" in argv for argv in calls] == [*([False] * _BEFORE_RELEASE), True]


def count_calls(releaser):
    calls = []

    def wrap(inner):
        def run(argv, stdin, timeout):
            calls.append(list(argv))
            return inner.run(argv, stdin, timeout=timeout)

        return WrappedChannel(inner, run)

    releaser.wrap = wrap
    return calls


@pytest.mark.parametrize("number", mostly_slow(range(_BEFORE_RELEASE), 3))
@pytest.mark.parametrize("error", mostly_slow([_Broken("cut"), TimedOut("late")], 2))
def test_91_a_channel_that_fails_at_any_time_releases_nothing(releaser, number, error):
    calls = []

    def wrap(inner):
        def run(argv, stdin, timeout):
            calls.append(list(argv))
            if len(calls) > number:
                raise error
            return inner.run(argv, stdin, timeout=timeout)

        return WrappedChannel(inner, run)

    releaser.wrap = wrap
    refuse(releaser, (type(error), GuestNotReady))
    assert not any("ccgpu-release" in argv for argv in calls)


# --- 92: warnings, and no verdict ---


def test_92_without_collateral_there_is_no_verdict_and_no_release(releaser):
    releaser.shell("fake scenario vendors-down")
    refuse(releaser, EvidenceUnavailable, "no verdict")


def test_92_a_gpu_that_does_not_become_ready_is_no_release(releaser):
    def wrap(inner):
        def run(argv, stdin, timeout):
            if "-srs" in argv:
                return Completed(1, b"", b"Failed")
            return inner.run(argv, stdin, timeout=timeout)

        return WrappedChannel(inner, run)

    releaser.wrap = wrap
    refuse(releaser, GuestNotReady, "the GPU has not become ready")


@pytest.mark.parametrize(
    "scenario", mostly_slow(["devtools", "old-paravisor", "debuggable", "gpu-firmware"], 2)
)
def test_92_what_is_rejected_gets_nothing(releaser, scenario):
    releaser.shell(f"fake scenario {scenario}")
    refuse(releaser, CcgpuError)


@pytest.mark.parametrize("scenario", mostly_slow(["collector-busy", "gpu-hung", "cc-off"], 3))
def test_92_without_evidence_there_is_no_release(releaser, scenario):
    releaser.shell(f"fake scenario {scenario}")
    refuse(releaser, EvidenceUnavailable)


# --- 93: a verdict on disk ---


@pytest.mark.slow
def test_93_no_verdict_on_disk_counts(releaser):
    """The record of an accepted verdict is put back after the VM has become another one."""
    assert releaser.shell("attest demo --backend fake").code == 0
    folder = releaser.shell.state / "attestations"
    kept = {path: path.read_bytes() for path in releaser.shell.state.rglob("*") if path.is_file()}
    releaser.shell("fake scenario old-paravisor")
    assert releaser.shell("attest demo --backend fake").code == 9
    for path, content in kept.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    refuse(releaser, EvidenceRejected, "evidence rejected")
    assert not folder.is_file()


# --- 94: a weaker policy ---


def _policy(tmp_path, **changes) -> str:
    document = yaml.safe_load((_POLICIES / "default.yaml").read_text())
    for path, value in changes.items():
        *above, last = path.split("__")
        part = document
        for name in above:
            part = part[name]
        part[last] = value
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump({**document, "name": "mine"}))
    return str(file)


_LOOSER = [
    {"cpu__require_secure_boot": False, "cpu__unsafe_allow_no_secure_boot": True},
    {"cpu__minimum_guest_svn": 1},
    {"gpu__unsafe_skip_ocsp": True, "gpu__require_ocsp": False},
    {"gpu__require_state": False},
    {"max_age": "none"},
    {"unsafe_trust_bundle_nonce": True},
    {"cpu__unsafe_allow_provisional_firmware": True},
]


@pytest.mark.parametrize("changes", mostly_slow(_LOOSER, 3), ids=str)
def test_94_a_looser_policy_is_refused_before_anything_is_asked(releaser, tmp_path, changes):
    releaser.policy = _policy(tmp_path, **changes)
    error = refuse(releaser, UsageProblem, "asks for less than `default`")
    assert "--unsafe-allow-loosened-policy" in (error.hint or "")
    assert not any(one.startswith(b"ccgpu-") for one in releaser.sent)


def test_94_who_says_so_may_use_a_looser_policy(releaser, tmp_path):
    releaser.policy = _policy(tmp_path, cpu__minimum_guest_svn=1)
    releaser.allow_loosened = True
    assert releaser.release(TOKEN)
    notes = [one.text for one in releaser.events if one.what == "note"]
    assert any("asks for less than `default` (cpu.minimum_guest_svn: 0x1 " in one for one in notes)


def test_94_who_says_so_may_do_without_the_gpu(releaser, tmp_path):
    document = yaml.safe_load((_POLICIES / "default.yaml").read_text())
    del document["gpu"]
    (tmp_path / "cpu.yaml").write_text(yaml.safe_dump({**document, "requires": ["cpu"]}))
    releaser.policy, releaser.allow_loosened = str(tmp_path / "cpu.yaml"), True
    assert releaser.release(TOKEN)
    assert any("requires: cpu instead of cpu, gpu" in one.text for one in releaser.events)


@pytest.mark.parametrize("policy", ["default", "strict"])
def test_94_a_policy_that_asks_for_as_much_is_no_looser_one(releaser, policy):
    releaser.policy = policy
    try:
        releaser.release(TOKEN)
    except UsageProblem as err:  # pragma: no cover  # it must not be the policy
        pytest.fail(str(err))
    except EvidenceRejected:
        assert policy == "strict"


def test_94_a_bare_nonce_binds_no_key(releaser, tmp_path):
    releaser.policy = _policy(tmp_path, binding="nonce")
    releaser.allow_loosened = True
    refuse(releaser, UsageProblem, "not bound to a release key")


# --- 95: a part that was skipped ---


@pytest.mark.parametrize("policy", ["cpu-only", "gpu-only"])
def test_95_a_policy_for_one_part_alone_is_refused(releaser, policy):
    releaser.policy = policy
    refuse(releaser, UsageProblem)


def test_95_without_the_cpu_no_flag_helps(releaser):
    releaser.policy, releaser.allow_loosened = "gpu-only", True
    refuse(releaser, UsageProblem, "does not look at the CPU")


def test_95_evidence_without_a_gpu_is_rejected(releaser):
    def answer(inner, argv, stdin):
        document = json.loads(inner.run(argv, stdin, timeout=60).stdout)
        return printed(saying(document, gpus=[]))

    answering(releaser, "ccgpu-collect", answer)
    refuse(releaser, EvidenceRejected)


# --- 96: another boot, another VM ---


@pytest.mark.slow
def test_96_a_boot_between_verdict_and_release_is_refused(releaser):
    releaser.between = lambda _: releaser.shell("restart demo --backend fake")
    refuse(releaser, GuestNotReady, "started anew")


@pytest.mark.slow
def test_96_a_boot_between_verdict_and_connection_is_refused(releaser):
    after_verdict(releaser, lambda: releaser.shell("restart demo --backend fake"))
    refuse(releaser, GuestNotReady, "started anew")


def _redeploy(releaser):
    machine = Machine(releaser.shell.arm, releaser.shell.folder / "another")
    assert releaser.shell("delete demo --backend fake --yes").code == 0
    machine.create(make_spec(name="demo"))
    releaser.shell.arm.advance(SET_UP)
    releaser.shell.arm.on_commit = releaser._note


@pytest.mark.slow
def test_96_a_vm_that_was_made_anew_is_refused(releaser):
    after_verdict(releaser, lambda: _redeploy(releaser))
    refuse(releaser, EvidenceRejected, "another VM has taken the place")


@pytest.mark.slow
def test_96_a_vm_that_was_made_anew_after_the_gate_gets_nothing(releaser):
    releaser.between = lambda _: _redeploy(releaser)
    refuse(releaser, CcgpuError)


def test_96_a_guest_that_does_not_tell_its_boot_is_refused(releaser):
    asked = []

    def answer(inner, argv, stdin):
        asked.append(argv)
        document = json.loads(inner.run(argv, stdin, timeout=60).stdout)
        if len(asked) > 2:
            document["commands"]["boot-id"]["stdout"] = ""
        return printed(document)

    answering(releaser, "ccgpu-probe", answer)
    refuse(releaser, GuestNotReady, "started anew")
