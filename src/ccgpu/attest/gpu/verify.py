"""Verifies a GPU's report with the key of its certificates.

Steps: 1 the signature by the leaf's key · 2 the nonce · 3 that leaf and report are of one firmware.
The caller must still check measurements, revocation, and the policy (mode, driver).
"""

import hmac

from ccgpu.attest.check import Checks, Outcome, Rule, Unverified
from ccgpu.attest.gpu import signatures
from ccgpu.attest.gpu.chain import DeviceChain
from ccgpu.attest.gpu.spdm import GpuReport

_SPDM = "DMTF DSP0274 (SPDM) 1.1, MEASUREMENTS"
_FRESH = "RFC 9334, 10.2; DMTF DSP0274 (SPDM) 1.1, GET_MEASUREMENTS, Nonce"
_DICE = "TCG Implicit Identity Based Device Attestation; NVIDIA nvtrust, local_gpu_verifier"

SIGNATURE = Rule("gpu.signature", "the report is signed by the key of the leaf", _SPDM)
NONCE_UNASKED = Rule("gpu.nonce.unasked", "the nonce of the GPU is known", _FRESH)
NONCE_SIZE = Rule("gpu.nonce.size", "a GPU is asked with 32 bytes", _FRESH)
NONCE_OTHER = Rule("gpu.nonce.other", "the report answers what was asked, in full", _FRESH)
NONCE_CLAIMED = Rule(
    "gpu.nonce.claimed", "the nonce that stands beside the report is the one asked with", _FRESH
)
NONCE_KNOWN = Rule("gpu.nonce.known", "the nonce is not one that NVIDIA published", _FRESH)
FWID_ABSENT = Rule("gpu.fwid.absent", "the report says which firmware made it", _DICE)
FWID = Rule("gpu.fwid", "leaf and report are of one firmware", _DICE)

NONCE_BYTES = 32
KNOWN_NONCES = frozenset(
    bytes.fromhex(known)
    for known in (
        # Of the sample report that NVIDIA's Python verifier ships (nv-local-gpu-verifier 2.7.3,
        # verifier/samples); also seen in two users' logs, github.com/NVIDIA/nvtrust, 99 and 144.
        "931d8dd0add203ac3d8b4fbde75e115278eefcdceac5b87671a748f32364dfcb",
        # The constant for tests in the same verifier, as Azure's onboarding package has it
        # (github.com/Azure/az-cgpu-onboarding 4.3.3, verifier/config.py).
        "4cff7f5380ead8fad8ec2c531c110aca4302a88f603792801a8ca29ee151af2e",
    )
)


def verify(
    report: GpuReport,
    chain: Outcome[DeviceChain] | None,
    nonce: bytes | None,
    checks: Checks,
    *,
    allow_known_nonce: bool = False,
) -> Outcome[GpuReport]:
    """The report, verified if its certificates are, their leaf signed it, and it answers `nonce`.

    `chain`: the result of `chain.verify`. `nonce`: 32 bytes; None if it is not known.
    `allow_known_nonce`: accept published nonces, with which anybody can replay old evidence.
    """
    since = checks.checkpoint()
    if chain is not None:
        _check_signature(report, chain.value, checks)  # 1
    _check_nonce(report.nonce, nonce, checks)  # 2
    if not allow_known_nonce:
        known = report.nonce in KNOWN_NONCES
        checks.record(NONCE_KNOWN, not known, "not published", report.nonce)
    _check_fwid(report.opaque.fwid, chain, checks)  # 3
    return Unverified(report) if chain is None else checks.conclude(report, since, chain)


def _check_signature(report: GpuReport, chain: DeviceChain, checks: Checks) -> None:
    signed = signatures.is_signed_by(chain.key, report.signature, report.signed)
    actual = chain.ueid if signed else "another key, or other bytes"
    checks.record(SIGNATURE, signed, chain.ueid, actual)


def _check_nonce(actual: bytes, expected: bytes | None, checks: Checks) -> None:
    """Record one check, under the rule that describes the difference best."""
    if not expected:
        checks.record(NONCE_UNASKED, False, "a nonce", None)
        return
    rule = NONCE_OTHER if len(expected) == NONCE_BYTES else NONCE_SIZE
    checks.record(rule, hmac.compare_digest(actual, expected), expected, actual)


def _check_fwid(actual: bytes | None, chain: Outcome[DeviceChain] | None, checks: Checks) -> None:
    checks.record(FWID_ABSENT, actual is not None, "FWID", actual)
    expected = chain.value.fwid if chain else None
    if actual is not None and expected is not None:
        checks.record(FWID, hmac.compare_digest(actual, expected), expected, actual)
