"""Evidence that is a folder of raw files, as tools write them; and folders of collateral.

Every file is taken for what its bytes are. Two files of one kind, where there can be one, are
refused: which of them was meant is not ours to guess. Of certificates, revocation lists, manifests
and OCSP answers there may be those of several machines; the verdict chooses.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ccgpu.domain.evidence import (
    CallerCollateral,
    CpuEvidence,
    Evidence,
    GpuCollateral,
    GpuEvidence,
    NamedManifest,
)
from ccgpu.store.evidence import pem, single
from ccgpu.store.evidence.kinds import Kind, kind_of, loaded
from ccgpu.store.evidence.limits import MAX_FILES, content, refused

# Copies of what the blobs hold, and notes: never read.
_PASSED_OVER = ("expected.json", "runtime-data.json", "manifest.json")
_CPU: tuple[Kind, ...] = (
    "hcl", "report", "quote", "signature", "pcr_file", "event_log", "ak", "thim",
)  # fmt: skip
_MANY: tuple[Kind, ...] = ("rim", "ocsp", "json", "vek", "chain", "crl")


class _Pieces:
    """What was found in a folder, by kind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.one: dict[Kind, bytes] = {}
        self.many: dict[Kind, list[bytes]] = {kind: [] for kind in _MANY}
        self.manifest_names: list[str] = []
        self.ignored: list[str] = []
        for file in _files(path):
            self._sort(file)

    def _sort(self, file: Path) -> None:
        data = content(file)
        kind = None if file.name in _PASSED_OVER else kind_of(file.name, data)
        if kind is None:
            self.ignored.append(str(file.relative_to(self.path)))
        elif kind in _MANY:
            self.many[kind].append(data)
            if kind == "rim":
                self.manifest_names.append(file.stem)
        elif kind in self.one:
            raise refused(self.path, f"holds two files of the kind {kind}, one is {file.name}")
        else:
            self.one[kind] = data


def _files(path: Path) -> Iterator[Path]:
    """The files of a folder and of its folders, in order."""
    try:
        found = sorted(
            entry for pattern in ("*", "*/*") for entry in path.glob(pattern) if entry.is_file()
        )
    except OSError as err:
        raise refused(path, f"cannot be listed: {err.strerror}") from err
    if len(found) > MAX_FILES:
        raise refused(path, f"holds more than {MAX_FILES} files")
    return iter(found)


def read(path: Path) -> Evidence:
    """The evidence in a folder. `InvalidFile` if there is none."""
    pieces = _Pieces(path)
    found = _of_documents(pieces) or Evidence("folder")
    cpu, gpu = _cpu(pieces), _gpu(pieces)
    if cpu is not None:
        found = replace(found, cpu=cpu)
    if gpu is not None:
        found = replace(found, gpus=(gpu,))
    if found.cpu is None and not found.gpus:
        raise refused(path, "holds no evidence in a known format")
    if (nonce := pieces.one.get("nonce")) is not None:
        found = replace(found, claimed=replace(found.claimed, nonce=_unhexed(nonce)))
    return _with_own(found, pieces)


def add(found: Evidence, path: Path) -> Evidence:
    """`found`, given the certificates, manifests and answers of a folder of collateral."""
    if not path.is_dir():
        raise refused(path, "is no folder of collateral")
    pieces = _Pieces(path)
    veks, chains = _amd(pieces)
    manifests = zip(pieces.manifest_names, pieces.many["rim"], strict=True)
    given = CallerCollateral(
        veks=veks,
        chains=chains,
        crls=tuple(pieces.many["crl"]),
        rims=tuple(NamedManifest(name, xml) for name, xml in manifests),
        ocsp=tuple(pieces.many["ocsp"]),
    )
    return replace(found, given=found.given + given, ignored=(*found.ignored, *pieces.ignored))


def _with_own(found: Evidence, pieces: _Pieces) -> Evidence:
    """`found` with the certificates, manifests and answers that lie in its own folder."""
    collateral = GpuCollateral(
        (*found.collateral.rims, *pieces.many["rim"]),
        (*found.collateral.ocsp, *pieces.many["ocsp"]),
        found.collateral.ocsp_nonces,
    )
    cpu = found.cpu
    if cpu is not None:
        veks, chains = _amd(pieces)
        if len(pieces.many["chain"]) > 1:
            raise refused(pieces.path, "holds two files of the kind chain")
        all_veks = (*_one(cpu.vek), *cpu.veks, *veks)
        crls = (*_one(cpu.crl), *cpu.crls, *pieces.many["crl"])
        cpu = replace(
            cpu,
            vek=next(iter(all_veks), None),
            veks=all_veks[1:],
            chain=cpu.chain or next(iter(chains), None),
            crl=next(iter(crls), None),
            crls=crls[1:],
        )
    return replace(found, cpu=cpu, collateral=collateral, ignored=tuple(pieces.ignored))


def _one(data: bytes | None) -> tuple[bytes, ...]:
    return () if data is None else (data,)


def _of_documents(pieces: _Pieces) -> Evidence | None:
    documents = pieces.many["json"]
    if len(documents) > 1:
        raise refused(pieces.path, "holds two JSON documents: which is the evidence?")
    return single.document(pieces.path, documents[0]) if documents else None


def _cpu(pieces: _Pieces) -> CpuEvidence | None:
    fields: dict[str, Any] = {kind: pieces.one[kind] for kind in _CPU if kind in pieces.one}
    if "pcrs" in pieces.one:
        fields["pcrs"] = _pcrs(pieces)
    return CpuEvidence(**fields) if fields else None


def _pcrs(pieces: _Pieces) -> dict[int, bytes]:
    try:
        return {int(i): bytes.fromhex(v) for i, v in loaded(pieces.one["pcrs"]).items()}
    except (TypeError, ValueError) as err:
        raise refused(pieces.path, f"holds PCR values that are not hex: {err}") from err


def _amd(pieces: _Pieces) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The certificates of chips, and those above them: from one file, or from two."""
    halves = [pem.split(data) for data in pieces.many["vek"]]
    chains = [rest.lstrip() for _, rest in halves if rest] + pieces.many["chain"]
    return tuple(vek for vek, _ in halves), tuple(dict.fromkeys(chains))


def _gpu(pieces: _Pieces) -> GpuEvidence | None:
    report = pieces.one.get("gpu_report")
    if report is None:
        return None
    raw = _unhexed(report) if report[:1] == b"1" else report
    return GpuEvidence("HOPPER", raw, pieces.one.get("gpu_chain", b""), nonce=None)


def _unhexed(text: bytes) -> bytes:
    return bytes.fromhex(text.decode("ascii"))
