"""Measures verdicts in process, after import, in ms: one line for each figure.

Run by `make bench`; the CPU's evidence is written to a bundle where one is named. Real evidence
where CCGPU_VECTORS has it, simulated evidence elsewhere. The CPU chain is the whole appraisal: HCL
blob, SNP report and chain, quote, PCRs, policy. The GPU's is the report, its chain and both
manifests, without OCSP.

Each stands beside its own signature checks alone: the same keys, bytes and signatures, by turns in
blocks. Of each the best block counts, by its median: that is the one which other work on the
machine disturbed least. `again`: the certificates and manifests are known from a verdict before, as
in `verify --each`; `first`: they are new, and have to be decoded.
"""

import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ccgpu.attest import certificates, simulated
from ccgpu.attest.appraise import AppraisalInputs, appraise
from ccgpu.attest.gpu import rim, usage
from ccgpu.attest.gpu import signatures as nvidia
from ccgpu.attest.roots import Roots
from ccgpu.attest.snp import signatures as amd
from ccgpu.attest.snp import tcb, vek
from ccgpu.attest.vtpm import verify as vtpm
from ccgpu.domain import bundle
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.overrides import Overrides
from ccgpu.domain.policy import Policy
from ccgpu.store import bundles, evidence, policies

_ROOT = Path(__file__).resolve().parent.parent
_BLOCKS = 20
_CPU_AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
_GPU_AT = datetime(2025, 9, 15, 12, tzinfo=UTC)
_BLOCK = 10  # runs of one kind in a row, before the other kind has its turn

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
            if (
                appraise(found_now, policy, AppraisalInputs(self.at), self.roots).verdict
                != "accepted"
            ):
                sys.exit("error: the evidence was not accepted")

        return judge


def main(arguments: list[str]) -> None:
    """Print the figures, each with its limit."""
    gc.set_threshold(100_000)  # as `ccgpu` runs: cli/process.py
    folder = _ROOT / os.environ.get("CCGPU_VECTORS", "../shared/vectors")
    real = (folder / "attest" / "azure-genoa-v3").is_dir()
    cpu, gpu = _real(folder) if real else _simulated()
    of = "" if real else ", simulated"
    print(f"CPU verdict (HCL, report, chain, quote, PCRs), ms, and ÷ its bare signature checks{of}")
    _print(cpu.judging(policies.load("cpu-only")), limit=2.5)
    print("the same report and certificate by tinfoil, without HCL, quote and policy, ms")
    print(f"  {_peer(folder) if real else 'not measured: it believes no simulated root'}")
    policy = policies.load("gpu-only").with_overrides(Overrides(skip_ocsp=True, known_nonce=True))
    print("GPU verdict (report, chain, both manifests), ms, and ÷ its bare signature checks")
    _print(gpu.judging(policy), limit=20)
    for name in arguments:
        bundles.write(
            Path(name), bundle.from_evidence(cpu.found, made_at=cpu.at, tool="ccgpu bench")
        )


def _real(folder: Path) -> tuple[Case, Case]:
    """Of an Azure VM on Genoa, and of NVIDIA's own H100."""
    cpu = evidence.read_evidence(folder / "attest" / "azure-genoa-v3")
    return Case(cpu, _CPU_AT), Case(
        evidence.read_evidence(folder / "gpu" / "h100-550.90.07"), _GPU_AT
    )


def _simulated() -> tuple[Case, Case]:
    """What the tests make; keys first, which take seconds."""
    sys.path.insert(0, str(_ROOT / "tests"))
    from support import gpus, vms

    made = vms.nonce_evidence(vms.vm()), gpus.nonce_evidence(gpus.gpu())
    cpu, gpu = (Case(found, vms.AT, simulated.simulated_roots(found)) for found in made)
    return cpu, gpu


def _print(judge: Callable[[], None], limit: float) -> None:
    bare = _bare(judge)
    again, alone = _taking_turns(judge, bare)
    first, alone_too = _taking_turns(judge, bare, before=forget)
    print(f"  again: {again:.2f} (limit {limit:g}); {again / alone:.2f} (limit 1.8)")
    print(f"  first: {first:.2f}; {first / alone_too:.2f}")


def _bare(judge: Callable[[], None]) -> Callable[[], None]:
    """The signature checks that one verdict makes, and nothing else."""
    made: list[Callable[[], object]] = []
    kept = {place: getattr(*place) for place in SIGNATURE_CHECKS}
    for (module, name), verify in kept.items():
        setattr(module, name, partial(_noted, made, verify))
    try:
        judge()
    finally:
        for (module, name), verify in kept.items():
            setattr(module, name, verify)

    def run() -> None:
        for check in made:
            check()

    return run


SIGNATURE_CHECKS = (
    (amd, "is_signed_by_authority"),
    (amd, "is_signed_by_chip"),
    (nvidia, "_is_valid"),
    (vtpm, "_is_signed"),
)


def _noted(made: list[Callable[[], object]], verify: Callable[..., bool], *given: object) -> bool:
    made.append(partial(verify, *given))
    return verify(*given)


def forget() -> None:
    """Empty the caches of the verifier, but for the keys that are built in."""
    certificates.parse.cache_clear()
    certificates.public_key.cache_clear()
    certificates.serial.cache_clear()
    certificates.anchor_of.cache_clear()
    usage.describe.cache_clear()
    rim.parse.cache_clear()
    tcb.decode.cache_clear()
    vek.parse.cache_clear()


def _taking_turns(
    work: Callable[[], None], bare: Callable[[], None], before: Callable[[], None] = lambda: None
) -> tuple[float, float]:
    """The best block of each, in ms; the first fills caches and does not count."""
    best: tuple[list[float], list[float]] = ([], [])
    for _ in range(_BLOCKS + 1):
        for medians, run in zip(best, (work, bare), strict=True):
            medians.append(statistics.median(_timed(run, before) for _ in range(_BLOCK)))
    return min(best[0][1:]), min(best[1][1:])


def _timed(run: Callable[[], None], before: Callable[[], None]) -> float:
    before()
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) * 1000


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
