"""The collector meets trouble: it waits, asks again, or names what is wrong, in time."""

import fcntl
import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ccgpu.attest import binding
from ccgpu.guest import collector
from support.attested import judge, running_vm
from support.cli import Shell
from support.collecting import CollectingVm, collecting_vm
from support.nvml import LIBRARY
from support.paravisor import HCL, Paravisor
from support.slow import mostly_slow
from support.swtpm import software_tpm
from support.tpm_double import ABSENT, NV_READ, PCR_READ, QUOTE, RETRY, response
from support.vms import HOST_KEY, vm

_NV_HCL = struct.pack(">I", HCL)
_EXTEND_PCR_16 = bytes.fromhex(
    "8002 00000041 00000182 00000010 00000009 40000009 0000 00 0000 00000001 000b" + "11" * 32
)  # TPM 2.0 Part 3, TPM2_PCR_Extend


@pytest.fixture
def shell(tmp_path):
    """The user's machine."""
    return Shell(tmp_path)


@pytest.mark.slow
def test_a_busy_tpm_is_asked_again(machine):
    seen: list[int] = []

    def busy_twice(code: int, _body: bytes) -> bytes | None:
        seen.append(code)
        return response(RETRY) if seen.count(code) <= 2 else None

    machine.paravisor.fault = busy_twice
    assert machine.run().exit_code == 0
    assert {NV_READ, QUOTE} <= set(seen)


@pytest.mark.slow
def test_without_an_attestation_key_it_says_so(tmp_path):
    with software_tpm(tmp_path) as bare, bare.connected() as connection:
        there = Paravisor(vm().amd, vm().ak.public_key(), connection.exchange)
        with collecting_vm(there) as machine:
            assert machine.refusal()[0] == "tpm.error"


@pytest.mark.slow
def test_a_tpm_without_claims_is_none_of_azures(tmp_path):
    with software_tpm(tmp_path) as bare, bare.connected() as connection:
        there = Paravisor(vm().amd, vm().ak.public_key(), connection.exchange)
        there.fault = lambda _code, body: response(ABSENT) if body == _NV_HCL else None
        with collecting_vm(there) as machine:
            assert machine.refusal()[0] == "claims.absent"


def late(machine: CollectingVm) -> None:
    """The claims never change."""
    machine.paravisor.ignored = None


def no_gpu(machine: CollectingVm) -> None:
    """There is no GPU."""
    machine.gpu.count = 0


def two_gpus(machine: CollectingVm) -> None:
    """There are two GPUs."""
    machine.gpu.count = 2


def no_driver(machine: CollectingVm) -> None:
    """The driver is not loaded."""
    machine.gpu.codes["I"] = 9


def no_library(machine: CollectingVm) -> None:
    """The driver is not installed."""
    (machine.root / LIBRARY).unlink()


def no_cc(machine: CollectingVm) -> None:
    """The GPU makes no reports."""
    machine.gpu.codes["R"] = 3


def hung_gpu(machine: CollectingVm) -> None:
    """The driver hangs."""
    machine.gpu.silent = True


def slow_imds(machine: CollectingVm) -> None:
    """The metadata service is slow."""
    machine.imds.delay = 60.0


def busy_imds(machine: CollectingVm) -> None:
    """The metadata service is overloaded for ever."""
    machine.imds.answers = [(429, b"")]


def no_imds(machine: CollectingVm) -> None:
    """Nothing listens there."""
    machine.imds.port = 1


def foreign_imds(machine: CollectingVm) -> None:
    """The metadata service knows no certificates."""
    machine.imds.answers = [(404, b"")]


def large_imds(machine: CollectingVm) -> None:
    """The metadata service says too much."""
    machine.imds.answers = [(200, bytes(65537))]


def no_host_key(machine: CollectingVm) -> None:
    """The host key is of another type."""
    (machine.root / "etc/ssh/ssh_host_ed25519_key.pub").write_text("ssh-rsa AAAA\n")


def unreadable_claims(machine: CollectingVm) -> None:
    """The claims are not JSON."""
    machine.paravisor.blob = bytes(2600)


@pytest.mark.parametrize(
    ("broken", "code"),
    mostly_slow(
        [
            pytest.param(late, "claims.late"),
            pytest.param(no_gpu, "gpu.absent"),
            pytest.param(two_gpus, "gpu.count"),
            pytest.param(no_driver, "gpu.absent"),
            pytest.param(no_library, "gpu.absent"),
            pytest.param(no_cc, "gpu.error"),
            pytest.param(hung_gpu, "gpu.hung"),
            pytest.param(slow_imds, "imds.slow"),
            pytest.param(busy_imds, "imds.slow"),
            pytest.param(no_imds, "imds.slow"),
            pytest.param(foreign_imds, "imds.error"),
            pytest.param(large_imds, "imds.error"),
            pytest.param(no_host_key, "host-key.absent"),
            pytest.param(unreadable_claims, "claims.malformed"),
        ],
        4,
    ),
)
def test_what_is_broken_is_named_in_time(tpm, broken, code):
    with running_vm(tpm, 2600) as machine:
        machine.limits = {"claims": 0.5, "gpu": 1.0, "imds": 1.0}
        broken(machine)
        found, seconds = machine.refusal()
        assert found == code
        assert seconds < 8


@pytest.mark.slow
def test_the_vm_is_told_of_an_absent_tpm(machine):
    assert machine.refusal(tpm=False)[0] == "tpm.absent"


@pytest.mark.slow
def test_a_second_collection_waits_for_the_first(machine):
    machine.limits["lock"] = 0.3
    key = machine.root / "etc/ssh/ssh_host_ed25519_key"
    with key.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        assert machine.refusal()[0] == "busy"
        machine.limits["lock"] = 20.0
        threading.Timer(0.5, fcntl.flock, (held, fcntl.LOCK_UN)).start()
        assert machine.run().exit_code == 0


@pytest.mark.slow
def test_two_collections_at_once_do_not_disturb_each_other(machine):
    nonces = [bytes([number]) * 32 for number in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        bundles = [collector.parse(done) for done in pool.map(machine.run, nonces)]
    for nonce, bundle in zip(nonces, bundles, strict=True):
        assert bundle.cpu is not None
        value = binding.binding(nonce, HOST_KEY, b"", machine.paravisor.vm_id)
        assert value.hex().upper().encode() in (bundle.cpu.hcl or b"")
    assert machine.paravisor.renewals == 2


@pytest.mark.slow
def test_a_hung_driver_holds_neither_the_lock_nor_the_streams(machine):
    machine.limits["gpu"] = 0.5
    machine.gpu.silent = True
    assert machine.refusal()[0] == "gpu.hung"  # it returns at the end of both streams
    machine.gpu.silent = False
    machine.limits = {"lock": 0.0}
    assert machine.run().exit_code == 0


@pytest.mark.slow
def test_a_blob_that_changes_while_it_is_read_is_read_again(tpm, shell):
    with running_vm(tpm, 2600) as machine:
        machine.paravisor.between = True
        assert judge(shell, machine, collector.parse(machine.run())).code == 0
        assert machine.paravisor.commands.count(NV_READ) == 2 + 3 + 3


@pytest.mark.slow
def test_a_slow_vm_is_waited_for(tpm, shell):
    with running_vm(tpm, 2600) as machine:
        machine.paravisor.ignored = 3
        assert judge(shell, machine, collector.parse(machine.run())).code == 0
        assert machine.paravisor.commands.count(NV_READ) == 2 + 4 * 3


@pytest.mark.slow
def test_the_first_look_renews_nothing_so_that_the_second_need_not_wait(machine):
    assert machine.run().exit_code == 0
    assert machine.paravisor.renewals == 1
    assert machine.paravisor.commands.count(NV_READ) == 2 + 3


@pytest.mark.slow
def test_a_pcr_that_changes_meanwhile_is_quoted_again(machine, shell):
    changed: list[bytes] = []

    def extend(code: int, _body: bytes) -> bytes | None:
        if code == PCR_READ and not changed:
            changed.append(machine.paravisor.exchange(_EXTEND_PCR_16))
        return None

    machine.paravisor.fault = extend
    assert judge(shell, machine, collector.parse(machine.run())).code == 0
    assert changed[0][6:10] == bytes(4)
    once = [QUOTE, PCR_READ, PCR_READ, PCR_READ]  # before it, swtpm may want a command again
    assert machine.paravisor.commands[-8:] == once * 2
