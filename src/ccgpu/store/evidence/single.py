"""Evidence that is one file: a bundle, another project's JSON, a bare report, or a token."""

from pathlib import Path

from ccgpu.domain.evidence import AttestationTokens, CpuEvidence, Evidence
from ccgpu.errors import InvalidFile
from ccgpu.store.evidence import documents
from ccgpu.store.evidence.kinds import Kind, kind_of, load_json
from ccgpu.store.evidence.limits import LimitExceeded, invalid_evidence

# Kinds that are no evidence alone, in words.
_PIECES: dict[Kind, str] = {
    "quote": "a vTPM quote",
    "signature": "the signature of a quote",
    "pcrs": "PCR values",
    "pcr_file": "PCR values",
    "event_log": "a TCG event log",
    "ak": "a public key",
    "vek": "AMD's certificate of a chip",
    "chain": "AMD's certificates",
    "crl": "a certificate revocation list",
    "thim": "an answer of Azure's certificate service (THIM)",
    "nonce": "a nonce, or another text in hex",
    "gpu_report": "the report of a GPU",
    "gpu_chain": "a certificate chain",
    "rim": "a reference manifest",
    "ocsp": "an OCSP answer",
    "runtime": "Azure's runtime data",
    "workload_log": "a log of workloads",
}


def parse_file(path: Path, data: bytes) -> Evidence:
    """The evidence in a file of these bytes. `InvalidFile` if it is in no known format."""
    kind = detect_kind(path, path.name, data)
    match kind:
        case "hcl":
            return Evidence("hcl-report", cpu=CpuEvidence(hcl=data))
        case "report":
            return Evidence("snp-report", cpu=CpuEvidence(report=data))
        case "nras":
            return Evidence("token", tokens=AttestationTokens(nras=data.strip()))
        case "maa":
            return Evidence("token", tokens=AttestationTokens(maa=data.strip()))
        case "json":
            return read_document(path, data)
        case _:
            raise _unknown(path, kind, data)


def detect_kind(path: Path, name: str, data: bytes) -> Kind | None:
    """The kind of `data`; None if unknown. `InvalidFile` if it is beyond a bound."""
    try:
        return kind_of(name, data)
    except LimitExceeded as err:
        raise invalid_evidence(path, str(err) if path.name == name else f"{name} {err}") from err


def read_document(path: Path, data: bytes) -> Evidence:
    """The evidence in a JSON document."""
    try:
        value = load_json(data)
    except ValueError as err:
        raise invalid_evidence(path, f"is not JSON: {err}") from err
    return documents.parse_evidence(path, value)


def _unknown(path: Path, kind: Kind | None, data: bytes) -> InvalidFile:
    """The error that says what the file looks like, and what was looked for."""
    if kind is not None:
        what = _PIECES[kind]
        return invalid_evidence(path, f"is only {what}: give a folder that also has the rest")
    if data[:256].lstrip().startswith((b"{", b"[")):
        try:
            read_document(path, data)
        except InvalidFile as err:
            return err
    if not data:
        return invalid_evidence(path, "is empty")
    return invalid_evidence(
        path,
        f"is not in a known format: {len(data)} bytes that begin with {data[:8].hex(' ')};"
        " no report, quote, log, certificate, JSON, XML or token begins so",
    )
