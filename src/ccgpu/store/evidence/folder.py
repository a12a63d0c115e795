"""Evidence in a folder of raw files, as tools write them; and folders of collateral.

The kind of each file is detected from its bytes. Two files of a kind that must be unique are
refused. Certificates, revocation lists, manifests and OCSP answers may be those of several
machines; the appraisal selects.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ccgpu.domain.evidence import (
    AttestationTokens,
    CallerCollateral,
    CpuEvidence,
    Evidence,
    GpuCollateral,
    GpuEvidence,
    NamedManifest,
)
from ccgpu.store.evidence import pem, single, thim
from ccgpu.store.evidence.kinds import Kind, load_json
from ccgpu.store.evidence.limits import MAX_BYTES, MAX_TOTAL_BYTES, invalid_evidence, read_bytes
from ccgpu.store.evidence.listing import list_files

# Notes of test vectors, never read.
_SKIPPED_NAMES = ("expected.json", "manifest.json")
_CPU: tuple[Kind, ...] = (
    "hcl", "report", "quote", "signature", "pcr_file", "event_log", "ak", "thim", "runtime",
    "workload_log",
)  # fmt: skip
# Kinds that alone are no evidence of a machine.
_NOT_EVIDENCE = {"thim", "runtime", "workload_log"}
_PCR_NAMES = frozenset(map(str, range(24)))
_REPEATABLE: tuple[Kind, ...] = ("rim", "ocsp", "json", "vek", "chain", "crl")


class _Pieces:
    """The contents of a folder, by kind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.one: dict[Kind, bytes] = {}
        self.names: dict[Kind, str] = {}
        self.many: dict[Kind, list[bytes]] = {kind: [] for kind in _REPEATABLE}
        self.manifest_names: list[str] = []
        self.room = MAX_TOTAL_BYTES
        found = list_files(path)
        self.ignored = [f"{name} (a link that leads out of the folder)" for name in found.links]
        for name, file in found.files:
            self._sort(name, file)
        if "hcl" in self.one and self.one.pop("runtime", None) is not None:
            self.ignored.append(self.names["runtime"])  # a copy of what the blob holds

    def _sort(self, name: str, file: Path) -> None:
        data = self._content(file)
        passed_over = file.name in _SKIPPED_NAMES
        kind = None if passed_over else single.detect_kind(self.path, name, data)
        if kind is None:
            self.ignored.append(name)
        elif kind in _REPEATABLE:
            self.many[kind].append(data)
            if kind == "rim":
                self.manifest_names.append(file.stem)
        elif kind in self.one:
            raise invalid_evidence(self.path, f"holds two files of the kind {kind}, one is {name}")
        else:
            self.one[kind], self.names[kind] = data, name

    def _content(self, file: Path) -> bytes:
        """The bytes of a file; `InvalidFile` if all files together are too large."""
        data = read_bytes(file, MAX_BYTES)
        self.room -= len(data)
        if self.room < 0:
            raise invalid_evidence(self.path, f"holds more than {MAX_TOTAL_BYTES} bytes")
        return data


def read_folder(path: Path) -> Evidence:
    """The evidence in a folder. `InvalidFile` if there is none, or if it is ambiguous."""
    pieces = _Pieces(path)
    evidence = _merge_documents(pieces)
    evidence = replace(
        evidence, cpu=_cpu(pieces, evidence.cpu), tokens=_tokens(pieces, evidence.tokens)
    )
    if (gpu := _gpu(pieces)) is not None:
        if evidence.gpus:
            raise invalid_evidence(path, "holds evidence of GPUs twice: in JSON, and as a report")
        evidence = replace(evidence, gpus=(gpu,))
    if evidence.cpu is None and not evidence.gpus and evidence.tokens == AttestationTokens():
        raise invalid_evidence(
            path, f"holds no evidence in a known format{_describe_contents(pieces)}"
        )
    if (nonce := pieces.one.get("nonce")) is not None:
        evidence = replace(evidence, claimed=replace(evidence.claimed, nonce=_from_hex(nonce)))
    return _add_own_collateral(evidence, pieces)


def add_collateral(evidence: Evidence, path: Path) -> Evidence:
    """Add the caller's folder of certificates, manifests and OCSP answers to the evidence."""
    if not path.is_dir():
        raise invalid_evidence(path, "is not a folder of collateral")
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
    return replace(
        evidence, given=evidence.given + given, ignored=(*evidence.ignored, *pieces.ignored)
    )


def _describe_contents(pieces: _Pieces) -> str:
    """What a folder without evidence holds, for the error message."""
    kinds = [*pieces.one, *(kind for kind in _REPEATABLE if pieces.many[kind])]
    known = f"; of known kinds there are: {', '.join(kinds)}" if kinds else ""
    unknown = pieces.ignored
    if not unknown:
        return known
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    return f"{known}; of no known kind: {', '.join(unknown[:5])}{more}"


def _add_own_collateral(evidence: Evidence, pieces: _Pieces) -> Evidence:
    """`found` with the certificates, manifests and answers that lie in its own folder."""
    collateral = GpuCollateral(
        (*evidence.collateral.rims, *pieces.many["rim"]),
        (*evidence.collateral.ocsp, *pieces.many["ocsp"]),
        evidence.collateral.ocsp_nonces,
    )
    cpu = evidence.cpu
    if cpu is not None:
        veks, chains = _amd(pieces)
        if len(pieces.many["chain"]) > 1:
            raise invalid_evidence(pieces.path, "holds two files of the kind chain")
        all_veks = (*_as_tuple(cpu.vek), *cpu.veks, *veks)
        crls = (*_as_tuple(cpu.crl), *cpu.crls, *pieces.many["crl"])
        cpu = replace(
            cpu,
            vek=next(iter(all_veks), None),
            veks=all_veks[1:],
            chain=cpu.chain or next(iter(chains), None),
            crl=next(iter(crls), None),
            crls=crls[1:],
        )
    ignored = (*evidence.ignored, *pieces.ignored)
    return replace(evidence, cpu=cpu, collateral=collateral, ignored=ignored)


def _as_tuple(data: bytes | None) -> tuple[bytes, ...]:
    return () if data is None else (data,)


def _merge_documents(pieces: _Pieces) -> Evidence:
    """Merge the JSON documents: CPU, GPUs and each token may come from one of them only."""
    documents = [single.read_document(pieces.path, data) for data in pieces.many["json"]]
    if len(documents) < 2:
        return documents[0] if documents else Evidence("folder")
    if any(each.format == "bundle" for each in documents):
        raise invalid_evidence(
            pieces.path, "has a bundle and another JSON document: keep only the evidence"
        )
    cpus = [each.cpu for each in documents if each.cpu is not None]
    gpus = [each.gpus for each in documents if each.gpus]
    if len(cpus) > 1 or len(gpus) > 1:
        raise invalid_evidence(
            pieces.path, "has two JSON documents of one kind: keep only the evidence"
        )
    return Evidence(
        "folder",
        cpu=next(iter(cpus), None),
        gpus=next(iter(gpus), ()),
        tokens=_merge_tokens(pieces.path, [each.tokens for each in documents]),
        ignored=tuple(name for each in documents for name in each.ignored),
    )


def _merge_tokens(path: Path, tokens: Sequence[AttestationTokens]) -> AttestationTokens:
    nras = [each.nras for each in tokens if each.nras is not None]
    maa = [each.maa for each in tokens if each.maa is not None]
    if len(nras) > 1 or len(maa) > 1:
        raise invalid_evidence(path, "has two tokens of one service: keep one")
    return AttestationTokens(next(iter(nras), None), next(iter(maa), None))


def _tokens(pieces: _Pieces, documented: AttestationTokens) -> AttestationTokens:
    bare = AttestationTokens(*(_strip(pieces.one.get(kind)) for kind in ("nras", "maa")))
    return _merge_tokens(pieces.path, [documented, bare])


def _strip(data: bytes | None) -> bytes | None:
    return None if data is None else data.strip()


def _cpu(pieces: _Pieces, documented: CpuEvidence | None) -> CpuEvidence | None:
    """Merge the raw files with the CPU evidence of a document; no piece may be in both."""
    raw: dict[str, Any] = {kind: pieces.one[kind] for kind in _CPU if kind in pieces.one}
    if "pcrs" in pieces.one:
        raw["pcrs"] = _pcrs(pieces)
    if documented is None:
        return CpuEvidence(**raw) if raw.keys() - _NOT_EVIDENCE else None
    present = {
        each.name for each in fields(documented) if getattr(documented, each.name) is not None
    }
    if twice := sorted(present & raw.keys()):
        raise invalid_evidence(pieces.path, f"holds {twice[0]} twice: in JSON, and as a file")
    return replace(documented, **raw)


def _pcrs(pieces: _Pieces) -> dict[int, bytes]:
    values = load_json(pieces.one["pcrs"])
    if others := [index for index in values if index not in _PCR_NAMES]:
        raise invalid_evidence(pieces.path, f"holds a value of PCR {others[0]}: there are 0 to 23")
    try:
        return {int(index): bytes.fromhex(value) for index, value in values.items()}
    except (TypeError, ValueError) as err:
        raise invalid_evidence(pieces.path, f"holds PCR values that are not hex: {err}") from err


def _amd(pieces: _Pieces) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """VEK certificates and chains: from one file, from two, or from THIM's answer."""
    halves = [pem.split_first(data) for data in pieces.many["vek"]]
    chains = [rest.lstrip() for _, rest in halves if rest] + pieces.many["chain"]
    veks = [vek for vek, _ in halves]
    vek_of_thim, chain_of_thim = thim.certificates(pieces.one.get("thim", b"{}"))
    veks += _as_tuple(vek_of_thim) if not veks else ()
    chains += _as_tuple(chain_of_thim) if not chains else ()
    return tuple(veks), tuple(dict.fromkeys(chains))


def _gpu(pieces: _Pieces) -> GpuEvidence | None:
    report = pieces.one.get("gpu_report")
    if report is None:
        return None
    raw = _from_hex(report) if report[:1] == b"1" else report
    return GpuEvidence("HOPPER", raw, pieces.one.get("gpu_chain", b""), nonce=None)


def _from_hex(text: bytes) -> bytes:
    return bytes.fromhex(text.decode("ascii"))
