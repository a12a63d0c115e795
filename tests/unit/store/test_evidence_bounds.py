"""Bounds on evidence: by count and size, named where they refuse; a small machine is enough."""

import base64
import json
import os
import resource
import subprocess
import sys
from dataclasses import replace

import pytest

from ccgpu.domain.evidence import (
    AttestationTokens,
    CpuEvidence,
    Evidence,
    GpuCollateral,
    GpuEvidence,
)
from ccgpu.errors import InvalidFile
from ccgpu.store import evidence
from ccgpu.store.evidence import bounds, limits
from support import gpus
from support.slow import mostly_slow
from support.vms import AT, Judge

_MEGABYTE = 1024 * 1024
_REPORT = b"\x03\x00\x00\x00" + bytes(1180)
_GPU = GpuEvidence("HOPPER", b"\x11", b"")


def _make_evidence(**parts):
    return Evidence("bundle", **parts)


_AT_THE_BOUND = {
    "gpus": _make_evidence(gpus=(_GPU,) * bounds.MAX_GPUS),
    "rims": _make_evidence(collateral=GpuCollateral(rims=(b"<",) * bounds.MAX_RIMS)),
    "ocsp": _make_evidence(collateral=GpuCollateral(ocsp=(b"0",) * bounds.MAX_OCSP_ANSWERS)),
    "nonces": _make_evidence(
        collateral=GpuCollateral(ocsp_nonces=(b"0",) * bounds.MAX_OCSP_NONCES)
    ),
    "roots": _make_evidence(simulated_roots={str(n): b"" for n in range(bounds.MAX_ROOTS)}),
    "chain": _make_evidence(cpu=CpuEvidence(chain=b"-----BEGIN " * bounds.MAX_CERTIFICATES)),
    "log": _make_evidence(cpu=CpuEvidence(event_log=bytes(_MEGABYTE))),
    "workloads": _make_evidence(cpu=CpuEvidence(workload_log=bytes(_MEGABYTE))),
    "hcl": _make_evidence(cpu=CpuEvidence(hcl=bytes(65536))),
    "pcrs": _make_evidence(cpu=CpuEvidence(pcrs={0: bytes(65536)})),
    "maa": _make_evidence(tokens=AttestationTokens(maa=bytes(128 * 1024))),
}


@pytest.mark.parametrize("found", _AT_THE_BOUND.values(), ids=_AT_THE_BOUND)
def test_input_at_each_limit_is_read(tmp_path, found):
    assert bounds.check_bounds(tmp_path, found) is found


_BEYOND = {
    "17 GPUs": _make_evidence(gpus=(_GPU,) * (bounds.MAX_GPUS + 1)),
    "33 reference manifests": _make_evidence(
        collateral=GpuCollateral(rims=(b"<",) * (bounds.MAX_RIMS + 1))
    ),
    "129 OCSP answers": _make_evidence(
        collateral=GpuCollateral(ocsp=(b"0",) * (bounds.MAX_OCSP_ANSWERS + 1))
    ),
    "129 OCSP nonces": _make_evidence(
        collateral=GpuCollateral(ocsp_nonces=(b"0",) * (bounds.MAX_OCSP_NONCES + 1))
    ),
    "17 simulated roots": _make_evidence(
        simulated_roots={str(n): b"" for n in range(bounds.MAX_ROOTS + 1)}
    ),
    "17 certificates in one chain": _make_evidence(
        gpus=(replace(_GPU, chain=b"-----BEGIN " * (bounds.MAX_CERTIFICATES + 1)),)
    ),
    "cpu.event_log has 1048577 bytes": _make_evidence(
        cpu=CpuEvidence(event_log=bytes(_MEGABYTE + 1))
    ),
    "cpu.hcl has 65537 bytes": _make_evidence(cpu=CpuEvidence(hcl=bytes(65537))),
    "cpu.pcrs has 65537 bytes": _make_evidence(cpu=CpuEvidence(pcrs={0: bytes(65537)})),
    f"cpu.workload_log has {_MEGABYTE + 1} bytes": _make_evidence(
        cpu=CpuEvidence(workload_log=bytes(_MEGABYTE + 1))
    ),
    "cpu.runtime has 65537 bytes": _make_evidence(cpu=CpuEvidence(runtime=bytes(65537))),
    "the report of GPU 0 has 65537 bytes": _make_evidence(
        gpus=(replace(_GPU, report=bytes(65537)),)
    ),
    "the state document of GPU 0 has 65537 bytes": _make_evidence(
        gpus=(replace(_GPU, state_document=bytes(65537)),)
    ),
    "OCSP answer 0 has 65537 bytes": _make_evidence(collateral=GpuCollateral(ocsp=(bytes(65537),))),
    "reference manifest 1 has 262145 bytes": _make_evidence(
        collateral=GpuCollateral(rims=(b"<", bytes(262145)))
    ),
    "reference manifests of 2359296 bytes": _make_evidence(
        collateral=GpuCollateral(rims=(bytes(262144),) * 9)
    ),
    "simulated root 0 has 65537 bytes": _make_evidence(simulated_roots={"ark": bytes(65537)}),
    "NVIDIA's token has 2228225 bytes": _make_evidence(
        tokens=AttestationTokens(nras=bytes(2228225))
    ),
    "Microsoft's token has 131073 bytes": _make_evidence(
        tokens=AttestationTokens(maa=bytes(131073))
    ),
    "evidence of 8454144 bytes": _make_evidence(
        collateral=GpuCollateral(ocsp=(bytes(65536),) * 128), cpu=CpuEvidence(hcl=bytes(65536))
    ),
}


@pytest.mark.parametrize(("said", "found"), _BEYOND.items(), ids=_BEYOND)
def test_input_over_a_limit_is_refused_naming_it(tmp_path, said, found):
    with pytest.raises(InvalidFile, match=f"{said}: at most [0-9]+ are read") as caught:
        bounds.check_bounds(tmp_path, found)
    assert caught.value.exit_code == 3


def test_collateral_from_a_folder_counts_towards_the_limits(tmp_path):
    found = _make_evidence(collateral=GpuCollateral(ocsp=(b"0",) * bounds.MAX_OCSP_ANSWERS))
    (tmp_path / "answer").write_bytes(bytes.fromhex("30030a0106"))

    with pytest.raises(InvalidFile, match="129 OCSP answers"):
        evidence.add_collateral(found, tmp_path)


@pytest.mark.slow
def test_a_verdict_on_maximal_input_stays_short():
    """The most GPUs with the most answers: each check is one line of the verdict."""
    one = gpus.nonce_evidence(gpus.gpu())
    ocsp = (one.collateral.ocsp * bounds.MAX_OCSP_ANSWERS)[: bounds.MAX_OCSP_ANSWERS]
    rims = (one.collateral.rims * bounds.MAX_RIMS)[: bounds.MAX_RIMS]
    most = replace(
        one,
        gpus=one.gpus * bounds.MAX_GPUS,
        collateral=replace(one.collateral, ocsp=ocsp, rims=rims),
    )

    checks = Judge("gpu-only")(most).checks
    assert len(checks) < 10_000
    assert sum(len(each.expected) + len(each.actual) for each in checks) < 2 * _MEGABYTE


def test_the_total_size_of_a_folder_is_limited(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}").write_bytes(bytes(limits.MAX_BYTES))

    with pytest.raises(InvalidFile, match=f"more than {limits.MAX_TOTAL_BYTES} bytes"):
        evidence.read_evidence(tmp_path)


def test_the_number_of_other_entries_in_a_folder_is_limited(tmp_path):
    for number in range(limits.MAX_ENTRIES + 1):
        (tmp_path / f"{number}").mkdir()

    with pytest.raises(InvalidFile, match=f"more than {limits.MAX_ENTRIES} entries"):
        evidence.read_evidence(tmp_path)


def test_the_size_of_a_key_set_is_limited(tmp_path):
    (tmp_path / "keys").write_bytes(b"12345")

    with pytest.raises(InvalidFile, match="larger than 4 bytes"):
        limits.read_bytes(tmp_path / "keys", 4)


# Links

_OUTSIDE = "a link that leads out of the folder"


def test_symlinks_out_of_a_folder_are_listed_as_not_read(tmp_path):
    outside, folder = tmp_path / "outside", tmp_path / "evidence"
    (outside / "more").mkdir(parents=True)
    folder.mkdir()
    (outside / "hcl").write_bytes(b"HCLA")
    (outside / "more" / "hcl").write_bytes(b"HCLA")
    (folder / "report").write_bytes(_REPORT)
    (folder / "file").symlink_to(outside / "hcl")
    (folder / "folder").symlink_to(outside / "more")
    (folder / "nowhere").symlink_to(outside / "nothing")
    (folder / "loop").symlink_to("loop")
    (folder / "parent").symlink_to("..")
    found = evidence.read_evidence(folder)

    assert found.cpu == CpuEvidence(report=_REPORT)
    names = ("file", "folder", "loop", "nowhere", "parent")
    assert found.ignored == tuple(f"{name} ({_OUTSIDE})" for name in names)


def test_symlinks_within_a_folder_and_to_it_are_followed(tmp_path):
    folder = tmp_path / "evidence"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "report").write_bytes(_REPORT)
    (folder / "nonce").symlink_to("data/nonce.hex")
    (folder / "data" / "nonce.hex").write_bytes(b"5f" * 32)
    (tmp_path / "link").symlink_to(folder)

    with pytest.raises(InvalidFile, match="two files of the kind nonce"):
        evidence.read_evidence(folder)
    (folder / "data" / "nonce.hex").rename(folder / "data" / "nonce.txt")
    (folder / "nonce").unlink()
    assert evidence.read_evidence(tmp_path / "link").claimed.nonce == b"\x5f" * 32


def test_symlinks_out_of_a_folder_of_collateral_are_not_followed(tmp_path):
    (tmp_path / "collateral").mkdir()
    (tmp_path / "crl").write_bytes(b"-----BEGIN X509 CRL-----\n")
    (tmp_path / "collateral" / "crl").symlink_to(tmp_path / "crl")
    found = _make_evidence(cpu=CpuEvidence(report=_REPORT))
    with_it = evidence.add_collateral(found, tmp_path / "collateral")

    assert with_it.cpu == found.cpu
    assert with_it.ignored == (f"crl ({_OUTSIDE})",)


def test_pipes_in_a_folder_are_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "report").write_bytes(_REPORT)

    assert evidence.read_evidence(tmp_path).cpu == CpuEvidence(report=_REPORT)


# A small machine

_EIGHT = 8 * _MEGABYTE


def _bundle(**parts):
    document = {"schema": "ccgpu.bundle/1", "tool": "x", "made_at": AT.isoformat(), **parts}
    return json.dumps(document).encode()


_HUGE = {
    "hex": (b"5f" * (_EIGHT // 2), "text in hex of 8388608 bytes: at most 32768"),
    "answers": (_bundle(collateral={"ocsp": ["AA=="] * 40_000}), "40000 OCSP answers: at most"),
    "lists": (b"[" + b"[],[],[]," * (_EIGHT // 10) + b"0]", "more than 100000 JSON values"),
    "depth": (b"[" * _EIGHT, "more than 100000 JSON values"),
    "fields": (
        b"{" + b",".join(b'"%d":0' % n for n in range(600_000)) + b"}",
        "more than 100000 JSON values",
    ),
    "log": (
        _bundle(cpu={"event_log": base64.b64encode(bytes(5 * _MEGABYTE)).decode()}),
        "cpu.event_log has 5242880 bytes: at most 1048576",
    ),
    "certificates": (
        (b"-----BEGIN CERTIFICATE-----\nQUFB\n-----END CERTIFICATE-----\n" * _MEGABYTE)[:_EIGHT],
        "certificates of 8388608 bytes: at most 1048576",
    ),
    "file": (bytes(_EIGHT + 1), "larger than 8388608 bytes"),
}


def _limit_this_process() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    resource.setrlimit(resource.RLIMIT_DATA, (300 * _MEGABYTE, 300 * _MEGABYTE))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "said"),
    mostly_slow([pytest.param(*case, id=name) for name, case in _HUGE.items()], 8),
)
def test_huge_input_is_refused_within_10_s_and_300_mb(tmp_path, data, said):
    file = tmp_path / "evidence"
    file.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-m", "ccgpu", "verify", str(file), "--at", "bundle"],
        env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
        preexec_fn=_limit_this_process,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 3, done.stderr[-500:]
    assert said in done.stderr
    assert len(done.stdout) + len(done.stderr) < 5_000
