"""What a verdict costs in process, after import: medians in ms, one line for each figure.

Run by `make bench`. Real evidence where CCGPU_VECTORS has it, simulated evidence elsewhere. The CPU
chain is the whole appraisal: HCL blob, SNP report and chain, quote, PCRs, policy. The GPU's is the
report, its chain and both manifests, without OCSP, beside its bare signature checks in that run.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ccgpu.attest.appraise import Question, appraise
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.policy import Policy
from ccgpu.store import evidence, policies

_ROOT = Path(__file__).resolve().parent.parent
_ROUNDS = 60
_CPU_AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
_GPU_AT = datetime(2025, 9, 15, 12, tzinfo=UTC)
_SIGNATURES = 1 + 4 + 2 * (1 + 3)  # report, device chain, and each manifest with its chain

# tinfoil's own steps on one report and certificate, as its verify_attestation makes them.
_PEER = """
import statistics, sys, time
from tinfoil.attestation.abi_sev import Report
from tinfoil.attestation.verify_sev import CertificateChain, verify_attestation
raw, vcek = (open(name, "rb").read() for name in sys.argv[1:3])
taken = []
for _ in range(60):
    start = time.perf_counter()
    report = Report(raw)
    assert verify_attestation(CertificateChain.from_report(report, vcek_der=vcek), report)
    taken.append((time.perf_counter() - start) * 1000)
print(statistics.median(taken))
"""


def main() -> None:
    """Print the figures, each with its limit."""
    folder = _ROOT / os.environ.get("CCGPU_VECTORS", "../shared/vectors")
    if not folder.is_dir():
        print("  no vectors folder (CCGPU_VECTORS): nothing real to judge")
        return
    cpu = evidence.read(folder / "attest" / "azure-genoa-v3")
    took = _median(_judging(cpu, policies.load("cpu-only"), _CPU_AT))
    print(f"CPU verdict (HCL, report, chain, quote, PCRs), ms\n  {took:.2f} (limit 2.5)")
    print("the same report and certificate by tinfoil, without HCL, quote and policy, ms")
    print(f"  {_peer(folder)}")
    gpu = evidence.read(folder / "gpu" / "h100-550.90.07")
    policy = policies.load("gpu-only").loosened(skip_ocsp=True, known_nonce=True)
    took = _median(_judging(gpu, policy, _GPU_AT))
    bare = _median(_bare_signatures)
    print("GPU verdict (report, chain, both manifests), ms, and ÷ its bare signature checks")
    print(f"  {took:.2f} (limit 20); {took / bare:.2f} (limit 2.5)")


def _judging(found: Evidence, policy: Policy, at: datetime) -> Callable[[], None]:
    def judge() -> None:
        found_now = replace(found)  # nothing is kept between two verdicts but pinned constants
        if appraise(found_now, policy, Question(at)).verdict != "accepted":
            sys.exit("error: the evidence was not accepted")

    return judge


_KEY = ec.generate_private_key(ec.SECP384R1())
_DATA = bytes(4096)
_SIGNED = _KEY.sign(_DATA, ec.ECDSA(hashes.SHA384()))


def _bare_signatures() -> None:
    """As many ECDSA P-384 checks as the GPU's evidence has signatures."""
    for _ in range(_SIGNATURES):
        _KEY.public_key().verify(_SIGNED, _DATA, ec.ECDSA(hashes.SHA384()))


def _median(work: Callable[[], None]) -> float:
    """In ms; the first rounds fill caches and do not count."""
    taken = []
    for _ in range(_ROUNDS + 5):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken[5:])


def _peer(folder: Path) -> str:
    """What a peer takes; CCGPU_PEER names a Python that has it (`pip install tinfoil`)."""
    python = os.environ.get("CCGPU_PEER")
    if python is None:
        return "not measured: CCGPU_PEER names no Python that has tinfoil"
    case = folder / "attest" / "azure-genoa-v3"
    files = [str(case / "snp-report.bin"), str(case / "vcek.der")]
    done = subprocess.run(
        [python, "-W", "ignore", "-c", _PEER, *files], capture_output=True, text=True, check=False
    )
    return (
        f"{float(done.stdout):.2f}"
        if done.returncode == 0
        else f"failed: {done.stderr.strip()[-200:]}"
    )


if __name__ == "__main__":
    main()
