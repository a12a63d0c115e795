"""Bounds on the number and size of pieces of evidence, after reading.

They bound time, memory and length of a verdict. Real evidence stays far below each of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from ccgpu.domain.evidence import MAX_MANIFEST, CpuEvidence, Evidence
from ccgpu.store.evidence.limits import invalid_evidence

_KB = 1024
MAX_GPUS = 16
MAX_RIMS = 32
MAX_OCSP_ANSWERS = 128
MAX_OCSP_NONCES = 128
MAX_CERTIFICATES = 16  # of one chain
MAX_ROOTS = 16
MAX_RIMS_BYTES = 2 * _KB * _KB
MAX_PIECES_BYTES = 8 * _KB * _KB  # of everything together

_PIECE = 64 * _KB
_OCSP = 64 * _KB
_LARGER = {"event_log": 1024 * _KB, "crl": 1024 * _KB, "workload_log": 1024 * _KB}
_NRAS = 17 * 128 * _KB  # a token of the platform and one of each of 16 GPUs
_MAA = 128 * _KB

_Piece = tuple[str, bytes, int]  # name, content, bound in bytes


def check_bounds(path: Path, evidence: Evidence) -> Evidence:
    """Return `evidence`, or raise `InvalidFile` naming the bound that it exceeds."""
    for name, count, at_most in _counts(evidence):
        if count > at_most:
            raise invalid_evidence(path, f"holds {count} {name}: at most {at_most} are read")
    rims = sum(map(len, (*evidence.collateral.rims, *(each.xml for each in evidence.given.rims))))
    if rims > MAX_RIMS_BYTES:
        raise invalid_evidence(
            path, f"holds reference manifests of {rims} bytes: at most {MAX_RIMS_BYTES} are read"
        )
    total = 0
    for name, data, at_most in _pieces(evidence):
        total += len(data)
        if len(data) > at_most:
            raise invalid_evidence(
                path, f"{name} has {len(data)} bytes: at most {at_most} are read"
            )
    if total > MAX_PIECES_BYTES:
        raise invalid_evidence(
            path, f"holds evidence of {total} bytes: at most {MAX_PIECES_BYTES} are read"
        )
    return evidence


def _counts(evidence: Evidence) -> Iterator[tuple[str, int, int]]:
    yield "GPUs", len(evidence.gpus), MAX_GPUS
    given = evidence.given
    yield "reference manifests", len(evidence.collateral.rims) + len(given.rims), MAX_RIMS
    yield "OCSP answers", len(evidence.collateral.ocsp) + len(given.ocsp), MAX_OCSP_ANSWERS
    yield "OCSP nonces", len(evidence.collateral.ocsp_nonces), MAX_OCSP_NONCES
    yield "simulated roots", len(evidence.simulated_roots or ()), MAX_ROOTS
    yield "certificates of chips", len(given.veks), MAX_CERTIFICATES
    yield "revocation lists", len(given.crls), MAX_CERTIFICATES
    chains = [gpu.chain for gpu in evidence.gpus]
    if evidence.cpu is not None:
        chains.append(evidence.cpu.chain or b"")
        yield "certificates of chips", len(evidence.cpu.veks), MAX_CERTIFICATES
        yield "revocation lists", len(evidence.cpu.crls), MAX_CERTIFICATES
    chains += evidence.given.chains
    for chain in chains:
        yield "certificates in one chain", chain.count(b"-----BEGIN "), MAX_CERTIFICATES


def _pieces(evidence: Evidence) -> Iterator[_Piece]:
    if evidence.cpu is not None:
        yield from _cpu_pieces(evidence.cpu)
    for number, gpu in enumerate(evidence.gpus):
        yield f"the report of GPU {number}", gpu.report, _PIECE
        yield f"the certificate chain of GPU {number}", gpu.chain, _PIECE
        yield f"the state document of GPU {number}", gpu.state_document or b"", _PIECE
    yield from _numbered_pieces("reference manifest", evidence.collateral.rims, MAX_MANIFEST)
    yield from _numbered_pieces("OCSP answer", evidence.collateral.ocsp, _OCSP)
    given = evidence.given
    yield from _numbered_pieces(
        "given reference manifest", [each.xml for each in given.rims], MAX_MANIFEST
    )
    yield from _numbered_pieces("given OCSP answer", given.ocsp, _OCSP)
    yield from _numbered_pieces("given certificate", [*given.veks, *given.chains], _PIECE)
    yield from _numbered_pieces("given revocation list", given.crls, _LARGER["crl"])
    yield from _numbered_pieces(
        "simulated root", [*(evidence.simulated_roots or {}).values()], _PIECE
    )
    yield "NVIDIA's token", evidence.tokens.nras or b"", _NRAS
    yield "Microsoft's token", evidence.tokens.maa or b"", _MAA


def _cpu_pieces(part: CpuEvidence) -> Iterator[_Piece]:
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, bytes):
            yield f"cpu.{field.name}", value, _LARGER.get(field.name, _PIECE)
    yield from _numbered_pieces("cpu.veks", part.veks, _PIECE)
    yield from _numbered_pieces("cpu.crls", part.crls, _LARGER["crl"])
    yield "cpu.pcrs", b"".join((part.pcrs or {}).values()), _PIECE


def _numbered_pieces(name: str, pieces: Sequence[bytes], at_most: int) -> Iterator[_Piece]:
    for number, data in enumerate(pieces):
        yield f"{name} {number}", data, at_most
