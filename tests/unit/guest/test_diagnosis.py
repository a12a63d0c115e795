"""The doctor's own checks, and what it mends."""

import pytest

from ccgpu.guest.diagnosis import FIXES, diagnose, fixes_for
from ccgpu.guest.probe import DRIFT, SETUP
from ccgpu.guest.readiness import GuestExpectations, GuestState
from ccgpu.guest.report import read_report
from support.guest_answers import answer, setup_file

WANTED = GuestExpectations()


def found(outputs=None, files=None):
    report = read_report(answer(outputs, files))
    checks = diagnose(report, WANTED)
    return checks, [fix.what for fix in fixes_for(report, checks)]


def test_a_good_guest_needs_nothing():
    checks, fixes = found()
    assert {one.state for one in checks} == {GuestState.READY}
    assert fixes == []


@pytest.mark.parametrize(
    ("outputs", "step", "state"),
    [
        ({"held": ""}, "holds", GuestState.WARNING),
        ({"held": "linux-image-azure-fde"}, "holds", GuestState.WARNING),
        ({"held": (1, "")}, "holds", GuestState.WARNING),
        ({"held": "linux-image nvidia-driver openssh-server"}, "updates", GuestState.WARNING),
        ({"space": "Mounted Avail Use%\n/ 5368709120 95%"}, "space", GuestState.WARNING),
        ({"space": "Mounted Avail Use%\n/ 1048576 100%"}, "space", GuestState.FAILED),
        ({"space": ""}, "space", GuestState.WARNING),
        ({"swap": "/swapfile file"}, "swap", GuestState.FAILED),
        ({"swap": (None, "")}, "swap", GuestState.WARNING),
    ],
)
def test_what_will_go_wrong_is_named(outputs, step, state):
    checks, _ = found(outputs)
    assert [(one.step, one.state) for one in checks if one.state is not GuestState.READY] == [
        (step, state)
    ]


@pytest.mark.parametrize(
    ("outputs", "files", "fixes"),
    [
        ({"gpus": (18, "mismatch")}, {}, ["driver", "gpu"]),
        ({"gpus": "NVIDIA H100 NVL, 595.71.05, 1, Disabled, A"}, {}, ["gpu"]),
        ({}, {DRIFT: '{"problems": [{"what": "a", "expected": "b", "found": "c"}]}'}, ["drift"]),
        ({}, {SETUP: setup_file("failed", "docker", docker="failed")}, ["set-up"]),
        ({"held": "", "space": "x\n/ 1 99%"}, {}, ["holds", "space"]),
        ({"cc-status": "CC status: OFF"}, {}, []),
        ({"dev-tools": "DevTools Mode: ON"}, {}, []),
        ({"swap": "/swapfile file"}, {}, []),
    ],
)
def test_only_what_is_safe_is_mended(outputs, files, fixes):
    assert found(outputs, files)[1] == [FIXES[step].what for step in fixes]


def test_no_fix_touches_the_ready_state_or_deletes_data():
    words = {word for fix in FIXES.values() for command in fix.commands for word in command}
    assert not words & {"-srs", "rm", "mkfs", "cryptsetup", "umount", "purge", "remove"}
