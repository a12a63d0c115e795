"""Bounds on evidence that was read: how many pieces of each kind there may be, and how large.

A verdict's time, memory and length grow with them. Real evidence stays far below every one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path

from ccgpu.domain.evidence import MAX_MANIFEST, CpuEvidence, Evidence
from ccgpu.store.evidence.limits import refused

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
_LARGER = {"event_log": 1024 * _KB, "crl": 1024 * _KB}
_NRAS = 17 * 128 * _KB  # a token of the platform and one of each of 16 GPUs
_MAA = 128 * _KB

_Piece = tuple[str, bytes, int]  # its name, what it is, how large it may be


def check(path: Path, found: Evidence) -> Evidence:
    """`found`, or `InvalidFile` naming the bound that it exceeds."""
    for name, count, at_most in _counts(found):
        if count > at_most:
            raise refused(path, f"holds {count} {name}: at most {at_most} are read")
    rims = sum(map(len, (*found.collateral.rims, *(each.xml for each in found.given.rims))))
    if rims > MAX_RIMS_BYTES:
        raise refused(
            path, f"holds reference manifests of {rims} bytes: at most {MAX_RIMS_BYTES} are read"
        )
    total = 0
    for name, data, at_most in _pieces(found):
        total += len(data)
        if len(data) > at_most:
            raise refused(path, f"{name} has {len(data)} bytes: at most {at_most} are read")
    if total > MAX_PIECES_BYTES:
        raise refused(path, f"holds evidence of {total} bytes: at most {MAX_PIECES_BYTES} are read")
    return found


def _counts(found: Evidence) -> Iterator[tuple[str, int, int]]:
    yield "GPUs", len(found.gpus), MAX_GPUS
    given = found.given
    yield "reference manifests", len(found.collateral.rims) + len(given.rims), MAX_RIMS
    yield "OCSP answers", len(found.collateral.ocsp) + len(given.ocsp), MAX_OCSP_ANSWERS
    yield "OCSP nonces", len(found.collateral.ocsp_nonces), MAX_OCSP_NONCES
    yield "simulated roots", len(found.simulated_roots or ()), MAX_ROOTS
    yield "certificates of chips", len(given.veks), MAX_CERTIFICATES
    yield "revocation lists", len(given.crls), MAX_CERTIFICATES
    chains = [gpu.chain for gpu in found.gpus]
    if found.cpu is not None:
        chains.append(found.cpu.chain or b"")
        yield "certificates of chips", len(found.cpu.veks), MAX_CERTIFICATES
        yield "revocation lists", len(found.cpu.crls), MAX_CERTIFICATES
    chains += found.given.chains
    for chain in chains:
        yield "certificates in one chain", chain.count(b"-----BEGIN "), MAX_CERTIFICATES


def _pieces(found: Evidence) -> Iterator[_Piece]:
    if found.cpu is not None:
        yield from _of_cpu(found.cpu)
    for number, gpu in enumerate(found.gpus):
        yield f"the report of GPU {number}", gpu.report, _PIECE
        yield f"the certificate chain of GPU {number}", gpu.chain, _PIECE
        yield f"the state document of GPU {number}", gpu.state_document or b"", _PIECE
    yield from _each("reference manifest", found.collateral.rims, MAX_MANIFEST)
    yield from _each("OCSP answer", found.collateral.ocsp, _OCSP)
    given = found.given
    yield from _each("given reference manifest", [each.xml for each in given.rims], MAX_MANIFEST)
    yield from _each("given OCSP answer", given.ocsp, _OCSP)
    yield from _each("given certificate", [*given.veks, *given.chains], _PIECE)
    yield from _each("given revocation list", given.crls, _LARGER["crl"])
    yield from _each("simulated root", [*(found.simulated_roots or {}).values()], _PIECE)
    yield "NVIDIA's token", found.tokens.nras or b"", _NRAS
    yield "Microsoft's token", found.tokens.maa or b"", _MAA


def _of_cpu(part: CpuEvidence) -> Iterator[_Piece]:
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, bytes):
            yield f"cpu.{field.name}", value, _LARGER.get(field.name, _PIECE)
    yield from _each("cpu.veks", part.veks, _PIECE)
    yield from _each("cpu.crls", part.crls, _LARGER["crl"])
    yield "cpu.pcrs", b"".join((part.pcrs or {}).values()), _PIECE


def _each(name: str, pieces: Sequence[bytes], at_most: int) -> Iterator[_Piece]:
    for number, data in enumerate(pieces):
        yield f"{name} {number}", data, at_most
