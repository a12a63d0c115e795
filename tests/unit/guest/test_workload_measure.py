"""What will run is told to PCR 13 and to the log, and the two tell the same, whatever goes wrong.

The TPM is one in memory. `tests/real/test_workload_script.py` asks a real one.
"""

import hashlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccgpu.templates.guest.collector import tpm as collector_tpm
from ccgpu.templates.guest.collector.settings import CollectorError
from ccgpu.templates.guest.workload import measure
from ccgpu.templates.guest.workload.base import WorkloadError
from support import tpm_double
from support.paravisor import Paravisor, Served
from support.tpm_double import PCR_EXTEND, PCR_READ, TpmDouble
from support.vms import vm as simulated
from support.workload_parts import vm_at

_FAILURE = 0x101  # TPM_RC_FAILURE


class Machine:
    """A VM with its TPM. `fault`: as of `Paravisor`."""

    def __init__(self, root):
        self.root = root
        self.double = TpmDouble(None, {**simulated().pcrs, 13: bytes(32)})
        self.paravisor = Paravisor(
            simulated().amd, simulated().ak.public_key(), self.double.exchange
        )
        self.log = root / "run/ccgpu/workloads.log"

    def measure(self, line):
        with Served(self.paravisor) as served:
            return measure.measure(vm_at(self.root, served.descriptor, tpm=0.3), line)

    def refusal(self, line):
        with pytest.raises((WorkloadError, CollectorError)) as caught:
            self.measure(line)
        assert isinstance(caught.value, WorkloadError | CollectorError)
        return caught.value.code

    @property
    def is_consistent(self):
        lines = self.log.read_bytes().split(b"\n")
        assert lines.pop() == b""
        return replayed(lines) == self.double.pcrs[13]


def replayed(lines):
    """What the verifier computes (TPM2_PCR_Extend)."""
    value = bytes(32)
    for line in lines:
        value = hashlib.sha256(value + hashlib.sha256(line).digest()).digest()
    return value


@pytest.fixture
def machine(tmp_path):
    """A VM that has just booted."""
    return Machine(tmp_path)


def test_each_event_extends_pcr_13_and_the_log(machine):
    values = [machine.measure(line) for line in (b"{1}", b"{2}", b"{1}")]
    assert machine.log.read_bytes() == b"{1}\n{2}\n{1}\n"
    assert values[-1] == machine.double.pcrs[13] == replayed([b"{1}", b"{2}", b"{1}"])
    assert machine.log.stat().st_mode & 0o7777 == 0o600


@pytest.mark.slow
@given(st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line), max_size=5))
@settings(max_examples=20, deadline=None)
def test_the_log_replays_to_the_pcr(lines):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as name:
        one = Machine(Path(name))
        for line in lines:
            one.measure(line)
        assert not lines or one.is_consistent


@pytest.mark.parametrize("before", [[], [b"{1}"]])
def test_a_tpm_that_refuses_leaves_the_log_as_it_was(machine, before):
    for line in before:
        machine.measure(line)
    machine.paravisor.fault = lambda code, _: (
        tpm_double.response(_FAILURE) if code == PCR_EXTEND else None
    )
    assert machine.refusal(b"{2}") == "tpm.error"
    assert machine.is_consistent
    machine.paravisor.fault = None
    machine.measure(b"{2}")
    assert machine.is_consistent


def test_an_extension_whose_answer_is_lost_counts(machine):
    def lost(code, body):
        if code != PCR_EXTEND:
            return None
        whole = struct.pack(">I", 13) + bytes.fromhex("00000009 40000009 0000 00 0000") + body[4:]
        machine.double.exchange(struct.pack(">HII", 0x8002, 10 + len(whole), code) + whole)
        return tpm_double.response(_FAILURE)

    machine.paravisor.fault = lost
    assert machine.measure(b"{1}") == replayed([b"{1}"])
    assert machine.is_consistent


def test_a_pcr_that_another_extends_meanwhile_is_refused(machine):
    def other(code, _body):
        if code == PCR_EXTEND:
            machine.double.pcrs[13] = hashlib.sha256(b"other").digest()

    machine.paravisor.fault = other
    assert machine.refusal(b"{1}") == "measure.mismatch"
    machine.paravisor.fault = None
    assert machine.refusal(b"{1}") == "measure.mismatch"


def test_a_tpm_that_cannot_be_asked_after_a_failure_leaves_the_log_ahead(machine):
    def silent(code, _body):
        if PCR_EXTEND in machine.paravisor.commands and code in (PCR_EXTEND, PCR_READ):
            return tpm_double.response(_FAILURE)
        return None

    machine.paravisor.fault = silent
    assert machine.refusal(b"{1}") == "tpm.error"
    assert not machine.is_consistent  # so that every verifier refuses it
    machine.paravisor.fault = None
    machine.measure(b"{2}")  # the line that was never extended is taken back first
    assert machine.log.read_bytes() == b"{2}\n"
    assert machine.is_consistent


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (b"{1}\n{2}\n", b"{1}\n"),
        (b"{1}\n{2", b"{1}\n"),
        (b"{1}\n", b"{1}\n"),
        (b"{1}\n\n", b"{1}\n"),
    ],
    ids=["line", "half", "none", "blank"],
)
def test_a_script_that_was_killed_before_it_extended_leaves_no_trace(machine, left, kept):
    machine.measure(b"{1}")
    machine.log.write_bytes(left)
    machine.measure(b"{3}")
    assert machine.log.read_bytes() == kept + b"{3}\n"
    assert machine.is_consistent


@pytest.mark.parametrize(
    "log", [b"", b"{1}\n", b"{2}\n{1}\n", b"{1}\n{2}\n{3}\n{4}\n", b"{1}\n{x}\n"]
)
def test_a_log_that_somebody_changed_is_refused(machine, log):
    machine.measure(b"{1}")
    machine.measure(b"{2}")
    machine.log.write_bytes(log)
    value = machine.double.pcrs[13]
    assert machine.refusal(b"{3}") == "measure.mismatch"
    assert (machine.log.read_bytes(), machine.double.pcrs[13]) == (log, value)


def test_a_pcr_13_that_the_boot_has_extended_is_refused(machine):
    machine.double.pcrs[13] = b"\x01" * 32
    assert machine.refusal(b"{1}") == "measure.mismatch"


def test_the_log_is_bounded(machine):
    lines = [b"x" * 1000] * measure.EVENTS
    machine.double.pcrs[13] = replayed(lines)
    machine.log.parent.mkdir(parents=True)
    machine.log.write_bytes(b"\n".join(lines) + b"\n")
    assert machine.refusal(b"{1}") == "log.full"
    lines = [b"x" * 65536] * 15
    machine.double.pcrs[13] = replayed(lines)
    machine.log.write_bytes(b"\n".join(lines) + b"\n")
    assert machine.refusal(b"x" * 65536) == "log.full"
    machine.measure(b"x" * 1000)
    assert machine.is_consistent


def test_a_log_that_is_a_link_is_not_written(machine, tmp_path):
    machine.log.parent.mkdir(parents=True)
    machine.log.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        machine.measure(b"{1}")


def test_the_raw_command_is_tcgs():
    assert collector_tpm.COMMANDS["PCR_Extend"] == PCR_EXTEND == 0x182  # TPM 2.0 Part 2, §6.5.2
