"""Selects AMD's certificates and revocation lists for one report.

A folder may hold those of several machines: a VCEK is selected by chip id and TCB, a chain and
revocation lists by product. The caller's come before the evidence's. Nothing is verified here:
`snp.verify` checks what was selected.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ccgpu.attest import certificates
from ccgpu.attest.check import Checks, Malformed
from ccgpu.attest.roots import AmdRoots
from ccgpu.attest.snp import chain as authorities
from ccgpu.attest.snp import crl as revocation
from ccgpu.attest.snp import vek as veks
from ccgpu.attest.snp.report import SnpReport
from ccgpu.attest.snp.vek import Vek
from ccgpu.domain.evidence import CallerCollateral, CpuEvidence

_CHAIN_LIMIT = 8


@dataclass(frozen=True, slots=True)
class SelectedCollateral:
    """The collateral for one report; `vek` is None if there is no certificate to use."""

    vek: bytes | None
    chain: bytes | None
    crls: tuple[bytes, ...]


def select(
    report: SnpReport,
    part: CpuEvidence,
    given: CallerCollateral,
    roots: Mapping[str, AmdRoots],
    at: datetime,
) -> SelectedCollateral:
    """Select from what came with the report (`part`) and what the caller gives (`given`)."""
    own = tuple(each for each in (part.vek, *part.veks) if each is not None)
    vek = _vek(report, (*given.veks, *own), own, roots, at)
    product = report.product or _product(vek)
    anchors = roots.get(product or "")
    chain = next((each for each in given.chains if _is_chain_of(each, anchors)), part.chain)
    lists = (*given.crls, part.crl, *part.crls)
    there = tuple(dict.fromkeys(each for each in lists if each is not None))
    return SelectedCollateral(vek, chain, _crls(there, (part.crl, *part.crls), anchors))


def _vek(
    report: SnpReport,
    every: Sequence[bytes],
    own: Sequence[bytes],
    roots: Mapping[str, AmdRoots],
    at: datetime,
) -> bytes | None:
    """The certificate of the chip at its TCB, preferably one that AMD signed.

    If there is none, the evidence's first certificate, which `snp.verify` then refuses.
    """
    if len(every) == 1 and own:
        return own[0]
    of_chip = [(raw, vek) for raw, vek in _parse_all(every) if _is_for(vek, report)]
    if len(of_chip) > 1:
        signed = [raw for raw, vek in of_chip if _is_signed(vek, roots, at)]
        of_chip = of_chip if not signed else [pair for pair in of_chip if pair[0] == signed[0]]
    if of_chip:
        return of_chip[0][0]
    return own[0] if own else None


def _parse_all(every: Sequence[bytes]) -> Iterator[tuple[bytes, Vek]]:
    for raw in dict.fromkeys(every):
        try:
            yield raw, veks.parse(raw)
        except Malformed:
            continue


def _is_for(vek: Vek, report: SnpReport) -> bool:
    """Whether kind, TCB and chip match the report. A VLEK names no chip."""
    if (vek.kind, vek.tcb) != (report.key_info.signing_key, report.reported_tcb):
        return False
    size = len(report.chip_id)
    return vek.hwid is None or vek.hwid.ljust(size, b"\0") == report.chip_id


def _is_signed(vek: Vek, roots: Mapping[str, AmdRoots], at: datetime) -> bool:
    checks = Checks()
    authorities.verify(vek, None, roots.get(vek.product), at, checks)
    return all(check.ok for check in checks.made)


def _product(vek: bytes | None) -> str | None:
    try:
        return None if vek is None else veks.parse(vek).product
    except Malformed:
        return None


def _is_chain_of(chain: bytes, anchors: AmdRoots | None) -> bool:
    """Whether a chain (PEM) begins with an authority of this product."""
    if anchors is None:
        return False
    try:
        certs = certificates.load_chain(chain, authorities.CHAIN, _CHAIN_LIMIT)
    except Malformed:
        return False
    signers = {anchor.subject for anchor in (anchors.ask, anchors.asvk) if anchor}
    return certs[0].subject.rfc4514_string() in signers


def _crls(
    there: Sequence[bytes], own: Sequence[bytes | None], anchors: AmdRoots | None
) -> tuple[bytes, ...]:
    """All lists except those that the caller gives for other products."""
    if anchors is None:
        return tuple(there)
    return tuple(raw for raw in there if raw in own or not _is_of_another_product(raw, anchors))


def _is_of_another_product(raw: bytes, anchors: AmdRoots) -> bool:
    try:
        return revocation.parse(raw).issuer != anchors.ark.subject
    except Malformed:
        return False
