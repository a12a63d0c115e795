"""Measures verdicts in process, after import, beside their own signature checks alone.

Run by `dev.py bench`, and prints its rows; `--bundle FILE` only writes the CPU's evidence to a
bundle. Real evidence where CCGPU_VECTORS has it, simulated evidence elsewhere. The CPU chain is the
whole appraisal: HCL blob, SNP report and chain, quote, PCRs, policy. The GPU's is the report, its
chain and both manifests, without OCSP. CCGPU_PEER names a Python that has tinfoil, whose own check
of the same report and certificate then stands beside ours.

The signature checks are of the same keys, bytes and signatures, by turns in blocks. Of each the
best block counts, by its median: that is the one which other work on the machine disturbed least.
First the certificates and manifests are known from a verdict before, as in `verify --each`; then
they are new, and have to be decoded.
"""

import gc
import os
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench_rows import Row, tell
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
# With certificates and manifests that are known from a verdict before, and with new ones.
_LIMITS = (1.8, 4.0)
_LIMITS_OF_SIMULATED = (4.0, 6.0)
_LIMIT_OF_PEER = 1.0
_BLOCK = 10  # runs of one kind in a row, before the other kind has its turn

# tinfoil's own steps on one report and certificate, as its verify_attestation makes them.
_PEER = """
import statistics, sys, time
from tinfoil.attestation.abi_sev import Report
from tinfoil.attestation.verify_sev import CertificateChain, verify_attestation
raw, vcek = (open(name, "rb").read() for name in sys.argv[1:3])
taken = []
for _ in range(60):
    start = time.process_time()
    report = Report(raw)
    assert verify_attestation(CertificateChain.from_report(report, vcek_der=vcek), report)
    taken.append(time.process_time() - start)
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


def main() -> None:
    """Print the rows, or write the bundle."""
    parser = ArgumentParser()
    parser.add_argument("--bundle", type=Path)
    wanted = parser.parse_args()
    gc.set_threshold(100_000)  # as `ccgpu` runs: cli/process.py
    folder = _ROOT / os.environ.get("CCGPU_VECTORS", "../shared/vectors")
    real = (folder / "attest" / "azure-genoa-v3").is_dir()
    cpu, gpu = _real(folder) if real else _simulated()
    if wanted.bundle is not None:
        made = bundle.from_evidence(cpu.found, made_at=cpu.at, tool="ccgpu bench")
        bundles.write(wanted.bundle, made)
        return
    # Simulated evidence has small keys, whose signatures take less of a verdict.
    of, limits = ("", _LIMITS) if real else (", simulated", _LIMITS_OF_SIMULATED)
    policy = policies.load("gpu-only").with_overrides(Overrides(skip_ocsp=True, known_nonce=True))
    judging = cpu.judging(policies.load("cpu-only"))
    tell(
        [
            *_rows(f"CPU verdict (HCL, report, chain, quote, PCRs{of})", judging, limits),
            *_rows(f"GPU verdict (report, chain, manifests{of})", gpu.judging(policy), limits),
            *(_peer(folder, judging) if real else ()),
        ]
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


def _rows(what: str, judge: Callable[[], None], limits: tuple[float, float]) -> list[Row]:
    bare = signature_checks(judge)
    again, alone = _taking_turns(judge, bare)
    first, alone_too = _taking_turns(judge, bare, before=forget)
    of = "÷ its bare signature checks"
    return [
        Row(f"{what} {of}", again / alone, limits[0]),
        Row(f"the same with certificates that are new {of}", first / alone_too, limits[1]),
    ]


def signature_checks(judge: Callable[[], None]) -> Callable[[], None]:
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
    """Seconds of CPU, the best block of each; the first fills caches and does not count."""
    best: tuple[list[float], list[float]] = ([], [])
    for _ in range(_BLOCKS + 1):
        for medians, run in zip(best, (work, bare), strict=True):
            medians.append(statistics.median(_timed(run, before) for _ in range(_BLOCK)))
    return min(best[0][1:]), min(best[1][1:])


def _timed(run: Callable[[], None], before: Callable[[], None]) -> float:
    before()
    start = time.process_time()
    run()
    return time.process_time() - start


def _peer(folder: Path, judge: Callable[[], None]) -> list[Row]:
    """Our whole verdict ÷ that of a peer (`pip install tinfoil`), if there is one."""
    python = os.environ.get("CCGPU_PEER")
    if python is None:
        return []
    case = folder / "attest" / "azure-genoa-v3"
    files = [str(case / "snp-report.bin"), str(case / "vcek.der")]
    done = subprocess.run(
        [python, "-W", "ignore", "-c", _PEER, *files], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"error: {python}: {done.stderr.strip()[-200:]}")
    ours = statistics.median(_timed(judge, lambda: None) for _ in range(_BLOCKS))
    what = "CPU verdict ÷ tinfoil's check of the same report, without HCL, quote and policy"
    return [Row(what, ours / float(done.stdout), _LIMIT_OF_PEER)]


if __name__ == "__main__":
    main()
