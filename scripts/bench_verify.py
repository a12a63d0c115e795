"""What a verdict costs in process, after import: medians in ms, one line for each figure.

Run by `make bench`; the CPU's evidence is written to a bundle where one is named. Real evidence
where CCGPU_VECTORS has it, simulated evidence elsewhere. The CPU chain is the whole appraisal: HCL
blob, SNP report and chain, quote, PCRs, policy. The GPU's is the report, its chain and both
manifests, without OCSP, beside its bare signature checks in that run.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from ccgpu.attest import simulated
from ccgpu.attest.appraise import Question, appraise
from ccgpu.attest.roots import Roots
from ccgpu.domain import bundle
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.policy import Policy
from ccgpu.store import bundles, evidence, policies

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


@dataclass(frozen=True)
class Case:
    """Evidence that is accepted, and when."""

    found: Evidence
    at: datetime
    roots: Roots | None = None

    def judging(self, policy: Policy) -> Callable[[], None]:
        """The whole verdict."""

        def judge() -> None:
            found_now = replace(self.found)  # nothing is kept between two verdicts but constants
            if appraise(found_now, policy, Question(self.at), self.roots).verdict != "accepted":
                sys.exit("error: the evidence was not accepted")

        return judge


def main(arguments: list[str]) -> None:
    """Print the figures, each with its limit."""
    folder = _ROOT / os.environ.get("CCGPU_VECTORS", "../shared/vectors")
    real = (folder / "attest" / "azure-genoa-v3").is_dir()
    cpu, gpu = _real(folder) if real else _simulated()
    took = _median(cpu.judging(policies.load("cpu-only")))
    print(f"CPU verdict (HCL, report, chain, quote, PCRs), ms{'' if real else ', simulated'}")
    print(f"  {took:.2f} (limit 2.5)")
    print("the same report and certificate by tinfoil, without HCL, quote and policy, ms")
    print(f"  {_peer(folder) if real else 'not measured: it believes no simulated root'}")
    policy = policies.load("gpu-only").loosened(skip_ocsp=True, known_nonce=True)
    took = _median(gpu.judging(policy))
    bare = _median(_bare_signatures)
    print("GPU verdict (report, chain, both manifests), ms, and ÷ its bare signature checks")
    print(f"  {took:.2f} (limit 20); {took / bare:.2f} (limit 2.5)")
    for name in arguments:
        bundles.write(Path(name), bundle.of(cpu.found, made_at=cpu.at, tool="ccgpu bench"))


def _real(folder: Path) -> tuple[Case, Case]:
    """Of an Azure VM on Genoa, and of NVIDIA's own H100."""
    cpu = evidence.read(folder / "attest" / "azure-genoa-v3")
    return Case(cpu, _CPU_AT), Case(evidence.read(folder / "gpu" / "h100-550.90.07"), _GPU_AT)


def _simulated() -> tuple[Case, Case]:
    """What the tests make; keys first, which take seconds."""
    sys.path.insert(0, str(_ROOT / "tests"))
    from support import gpus, vms

    made = vms.asked(vms.vm()), gpus.asked(gpus.gpu())
    cpu, gpu = (Case(found, vms.AT, simulated.roots_of(found)) for found in made)
    return cpu, gpu


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
    main(sys.argv[1:])
