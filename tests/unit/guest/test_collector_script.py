"""Parts of the collector's script, with canned bytes."""

import ast
import base64
import contextlib
import fcntl
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest import binding
from ccgpu.domain import hostkey
from ccgpu.fakeguest.evidence import hcl
from ccgpu.guest import collector
from ccgpu.scheduling.clock import RealClock
from ccgpu.templates.guest.collector import binding as own_binding
from ccgpu.templates.guest.collector import child, identity, tpm, vtpm
from ccgpu.templates.guest.collector import claims as own_claims
from ccgpu.templates.guest.collector.settings import LIMITS, CollectorError, Settings
from support import tpm_double
from support.paravisor import HCL, Paravisor, Served, read_message
from support.repository import ROOT
from support.slow import mostly_slow
from support.tpm_double import TpmDouble
from support.vms import HOST_KEY, vm

_FOLDER = ROOT / "templates" / "guest" / "collector"
_GUID = st.uuids().map(str)
_BYTES32 = st.binary(min_size=32, max_size=32)


@pytest.fixture
def double():
    """A TPM in memory."""
    return TpmDouble(vm().ak, vm().pcrs)


@pytest.fixture
def paravisor(double):
    """A paravisor with 2600 bytes of claims."""
    return Paravisor(vm().amd, vm().ak.public_key(), double.exchange)


def tpm_of(served, seconds=5.0):
    return tpm.RawTpm(served.descriptor, seconds)


# --- It computes what the verifier computes ---


@given(_BYTES32, st.sampled_from([b"", bytes(32), b"\x01" * 32]), _GUID)
def test_its_binding_is_the_verifiers(nonce, recipient_key, vm_id):
    ours = binding.binding(nonce, HOST_KEY, recipient_key, vm_id)
    assert own_binding.bind(nonce, HOST_KEY, recipient_key, vm_id) == ours


@given(st.binary(min_size=64, max_size=64), st.binary(min_size=256, max_size=256))
def test_its_gpu_nonce_is_the_verifiers(bound, modulus):
    assert own_binding.nonce_of_gpu(bound, modulus) == binding.gpu_nonce(bound, modulus)


@given(st.lists(st.binary(max_size=40), min_size=6, max_size=6))
def test_its_qualifying_data_is_the_verifiers(pieces):
    ours = binding.qualifying_data(bytes(64), binding.encode_collected(*pieces))
    assert own_binding.qualifying_data(bytes(64), *pieces) == ours


def test_it_reads_the_key_that_the_client_pins():
    line = (
        b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH root@vm"
    )
    assert identity.parse_host_key(line) == hostkey.parse(line) == HOST_KEY


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"ssh-ed25519", b"ssh-ed25519 !", b"ssh-rsa AAAA"),
        b"ssh-ed25519 " + base64.b64encode(HOST_KEY + b"\x07"),
        b"ssh-ed25519 " + base64.b64encode(HOST_KEY[:-1]),
    ],
)
def test_other_host_keys_are_refused(line):
    with pytest.raises(CollectorError, match="no ssh-ed25519 key"):
        identity.parse_host_key(line)


# --- The TPM ---


def test_a_blob_of_2600_bytes_is_read_in_parts(paravisor):
    with Served(paravisor) as served:
        there = tpm_of(served)
        assert there.nv_size(HCL) == 2600
        assert there.nv_read(HCL, 2600) == paravisor.blob
    assert paravisor.commands == [0x169, 0x14E, 0x14E, 0x14E]


def test_a_part_of_another_size_is_an_error(paravisor):
    short = tpm_double.response(0, b"\0\1a", sessions=True)
    paravisor.fault = lambda code, _body: short if code == tpm_double.NV_READ else None
    with Served(paravisor) as served, pytest.raises(CollectorError, match="less than it was asked"):
        tpm_of(served).nv_read(HCL, 2600)


def test_an_index_is_defined_once_and_written(double, paravisor):
    with Served(paravisor) as served:
        there = tpm_of(served)
        assert there.nv_size(0x01400002) is None
        for data in (b"\x01" * 64, b"\x02" * 64):
            vtpm.write_index(there, 0x01400002, data)
            assert double.nv == {0x01400002: data}
    assert paravisor.commands.count(0x12A) == 1


def test_an_index_of_another_size_is_left_alone(double, paravisor):
    double.nv[0x01400002] = bytes(32)
    problem = "has 32 bytes instead of 64"
    with Served(paravisor) as served, pytest.raises(CollectorError, match=problem):
        vtpm.write_index(tpm_of(served), 0x01400002, bytes(64))
    assert double.nv == {0x01400002: bytes(32)}


def test_all_pcrs_are_read(paravisor):
    with Served(paravisor) as served:
        assert tpm_of(served).pcrs() == [vm().pcrs[index] for index in range(24)]


def test_a_tpm_without_a_whole_bank_is_refused(paravisor):
    paravisor.fault = lambda _code, _body: tpm_double.response(0, bytes(18))
    with Served(paravisor) as served, pytest.raises(CollectorError, match="complete"):
        tpm_of(served).pcrs()


def test_pcrs_that_never_rest_are_an_error(double, paravisor):
    def extend(code, _body):
        if code == tpm_double.PCR_READ:
            double.pcrs[16] = hashlib.sha256(double.pcrs[16]).digest()

    paravisor.fault = extend
    with Served(paravisor) as served, pytest.raises(CollectorError, match="all the time"):
        vtpm.quote_pcrs(tpm_of(served), bytes(32))


@pytest.mark.parametrize("code", [0x908, 0x90A, 0x922])
def test_a_tpm_that_stays_busy_is_an_error_in_time(paravisor, code):
    paravisor.fault = lambda _code, _body: tpm_double.response(code)
    with Served(paravisor) as served, pytest.raises(tpm.TpmError) as caught:
        tpm_of(served, 0.1).nv_size(HCL)
    assert caught.value.rc == code
    assert len(paravisor.commands) > 1


def test_another_code_is_an_error_at_once(paravisor):
    paravisor.fault = lambda _code, _body: tpm_double.response(0x921)
    with Served(paravisor) as served, pytest.raises(tpm.TpmError, match="0x921"):
        tpm_of(served).nv_size(HCL)
    assert paravisor.commands == [0x169]


def answered_with(*parts):
    """What the script makes of a TPM that sends these bytes and is silent."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        thread = threading.Thread(target=lambda: [read_message(ours), *map(ours.sendall, parts)])
        thread.start()
        try:
            return tpm.RawTpm(theirs.fileno(), 0.2).command("NV_ReadPublic", [1], sessions=False)
        finally:
            thread.join()


def test_an_answer_in_pieces_is_put_together():
    whole = tpm_double.response(0, b"abc")
    assert answered_with(whole[:3], whole[3:11], whole[11:]) == b"abc"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x80\x01\x00\x00",
        tpm_double.response(0, b"abc")[:-1],
        tpm_double.response(0, b"abc") + b"d",
        struct.pack(">HII", 0x8001, 9, 0),
        struct.pack(">HII", 0x8001, 1 << 20, 0),
    ],
)
def test_a_malformed_answer_is_an_error_in_time(raw):
    with pytest.raises(CollectorError) as caught:
        answered_with(raw)
    assert caught.value.code == "tpm.error"


def test_a_closed_connection_is_an_error():
    ours, theirs = socket.socketpair()
    ours.close()
    with theirs, pytest.raises(CollectorError, match="TPM"):
        tpm.RawTpm(theirs.fileno(), 5.0).nv_size(HCL)


def test_a_part_that_is_too_short_is_an_error():
    with pytest.raises(CollectorError, match="too short"):
        tpm.sized(b"\x00\x05abcd")


# --- The claims ---


def test_the_claims_of_a_real_form_are_read(paravisor):
    claims = own_claims.parse_claims(paravisor.blob)
    assert claims.vm_id == hcl.VM_UNIQUE_ID.lower()
    assert claims.modulus == vm().ak.public_key().public_numbers().n.to_bytes(256, "big")
    assert (claims.user_data, claims.whole) == (bytes(64), True)


def test_real_blobs_are_read(vectors):
    blobs = [file.read_bytes() for file in vectors.glob("attest/azure-*/hcl-report.bin")]
    assert [len(blob) for blob in blobs] == [2600, 2600, 2600]
    for blob in blobs:
        claims = own_claims.parse_claims(blob)
        assert (len(claims.modulus), len(claims.vm_id), claims.whole) == (256, 36, True)


def test_claims_under_another_report_are_not_whole(paravisor):
    old = paravisor.blob
    paravisor.renew(b"\x01" * 64)
    torn = old[:1024] + paravisor.blob[1024:]
    assert own_claims.parse_claims(torn).user_data == b"\x01" * 64
    assert not own_claims.parse_claims(torn).whole


def test_claims_that_stay_inconsistent_are_left_to_the_verifier(paravisor):
    paravisor.changes = {"report_data": bytes(64)}
    paravisor.renew(bytes(64))
    with Served(paravisor) as served:
        blob, claims = own_claims.read_bound_claims(tpm_of(served), bytes(64), 0.0)
    assert (blob, claims.whole) == (paravisor.blob, False)


@pytest.mark.parametrize(
    "claims",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"keys": [], "vm-configuration": {"vmUniqueId": "a"}}',
        b'{"keys": [{"kid": "HCLAkPub", "n": 1}], "vm-configuration": {"vmUniqueId": "a"}}',
        b'{"keys": [{"kid": "HCLAkPub", "n": "AA"}], "vm-configuration": {"vmUniqueId": 1}}',
        b'{"keys": [{"kid": "HCLAkPub", "n": "AA"}], "vm-configuration": {"vmUniqueId": "a"}, '
        b'"user-data": "xy"}',
        b"[" * 1300,
    ],
)
def test_unreadable_claims_are_an_error(claims):
    blob = hcl.HclBlob(bytes(1184), claims).raw
    with pytest.raises(CollectorError) as caught:
        own_claims.parse_claims(blob)
    assert caught.value.code == "claims.malformed"


# --- The child ---

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="only on Linux: it reads /proc")


@only_linux
def test_the_result_of_a_child_comes_back():
    assert child.call_in_child(lambda: {"a": "b" * 100_000}, 10.0) == {"a": "b" * 100_000}


@only_linux
def test_an_error_of_a_child_is_raised():
    def fail():
        raise CollectorError("gpu.absent", "no GPU")

    with pytest.raises(CollectorError, match="no GPU") as caught:
        child.call_in_child(fail, 10.0)
    assert caught.value.code == "gpu.absent"


@only_linux
def test_a_child_that_dies_is_an_error():
    with pytest.raises(CollectorError, match="ended the process"):
        child.call_in_child(lambda: os._exit(0), 10.0)


@only_linux
def test_a_child_keeps_nothing_open_but_its_answer(tmp_path):
    def list_open():
        listed = sorted(Path("/proc/self/fd").iterdir())  # the listing itself is one of them
        null = [file.name for file in listed if file.exists() and file.samefile("/dev/null")]
        return {"count": str(len(listed)), "null": " ".join(null)}

    with (tmp_path / "lock").open("w"):
        assert child.call_in_child(list_open, 10.0) == {"count": "5", "null": "0 1 2"}


@only_linux
def test_a_child_that_is_late_is_killed(tmp_path):
    def hang():
        (tmp_path / "pid").write_text(str(os.getpid()))
        RealClock().sleep(20.0)
        return {}

    with pytest.raises(CollectorError, match="no answer within 1 seconds"):
        child.call_in_child(hang, 1.0)
    with contextlib.suppress(ChildProcessError):  # it has ended, and was waited for
        _, status = os.waitpid(int((tmp_path / "pid").read_text()), 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


# --- The log of workloads ---


@pytest.fixture
def workload_log(tmp_path):
    """The log of workloads of a VM at `tmp_path`."""
    file = tmp_path / identity.WORKLOAD_LOG
    file.parent.mkdir(parents=True)
    return file


def read_log(root):
    settings = Settings(root, None, ("", 0), {"lock": 0.1})
    with identity.locked_workload_log(settings) as log:
        return log


def test_the_log_of_workloads_is_read_if_there_is_one(tmp_path, workload_log):
    assert read_log(tmp_path) == b""
    workload_log.write_bytes(b"{}\n")
    assert read_log(tmp_path) == b"{}\n"


def test_nothing_is_started_while_the_log_is_quoted(tmp_path, workload_log):
    workload_log.touch()
    settings = Settings(tmp_path, None, ("", 0), {"lock": 0.1})
    with workload_log.open() as other:
        with identity.locked_workload_log(settings), pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with pytest.raises(CollectorError, match="a workload is being started") as caught:
            read_log(tmp_path)
    assert caught.value.code == "busy"


def test_a_log_of_workloads_is_a_file_of_1_mib_at_most(tmp_path, workload_log):
    workload_log.write_bytes(bytes(identity.WORKLOAD_LOG_LIMIT + 1))
    with pytest.raises(CollectorError) as caught:
        read_log(tmp_path)
    assert caught.value.code == "workload-log.large"
    workload_log.unlink()
    workload_log.symlink_to("/etc/hostname")
    with pytest.raises(CollectorError) as caught:
        read_log(tmp_path)
    assert caught.value.code == "workload-log.error"


# --- The script as a whole ---


def test_it_imports_the_standard_library_alone():
    nodes = [
        node for file in _FOLDER.glob("*.py") for node in ast.walk(ast.parse(file.read_text()))
    ]
    names = {one.module or "" for one in nodes if isinstance(one, ast.ImportFrom)}
    names |= {name.name for one in nodes if isinstance(one, ast.Import) for name in one.names}
    ours = ("ccgpu.templates.guest.collector.", "ccgpu.templates.guest.release.memory")
    others = {name for name in names if not name.startswith(ours)}
    assert {name.split(".")[0] for name in others} <= sys.stdlib_module_names


def test_its_syntax_is_that_of_python_3_10():
    for file in _FOLDER.glob("*.py"):
        assert ast.parse(file.read_text(), feature_version=(3, 10)).body


def test_the_script_holds_every_part_and_each_is_small():
    files = list(_FOLDER.glob("*.py"))
    assert all(repr(file.read_text()) in collector.script().decode() for file in files)
    assert all(len(file.read_text().splitlines()) <= 200 for file in files)


def test_its_limits_add_up_to_less_than_the_clients():
    limits = LIMITS
    assert sum(limits.values()) + limits["claims"] + limits["openssl"] < collector.TIMEOUT


def test_the_script_is_small():
    assert len(collector.script()) < 50_000


@pytest.mark.slow
def test_a_limit_of_no_step_is_refused():
    options = [json.dumps({"nonce": "00" * 32, "release": False}), "--limit", "gup=1"]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-", collector.NAME, *options],
        input=collector.script(),
        capture_output=True,
        check=False,
    )
    assert json.loads(done.stdout)["code"] == "request"


@pytest.mark.slow
@pytest.mark.parametrize(
    "request_text",
    mostly_slow(
        [
            "",
            "{}",
            "[]",
            '{"nonce": "00", "release": false}',
            '{"nonce": 1, "release": false}',
            '{"nonce": "' + "00" * 32 + '", "release": 1}',
            '{"nonce": "' + "00" * 32 + '"}',
            '{"nonce": "' + "00" * 32 + '", "release": false, "vm_id": "other"}',
        ],
        4,
    ),
)
def test_another_request_is_refused(request_text):
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-", collector.NAME, request_text],
        input=collector.script(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    assert b'"code": "request"' in done.stdout
