"""The answer of Azure's certificate service (THIM): a VCEK and its chain, in JSON."""

from dataclasses import replace

from ccgpu.domain.evidence import CpuEvidence
from ccgpu.store.evidence import pem
from ccgpu.store.evidence.kinds import load_json


def certificates(answer: bytes) -> tuple[bytes | None, bytes | None]:
    """The VCEK and the chain (PEM) in an answer; None for one that is absent or no PEM."""
    try:
        value = load_json(answer)
    except ValueError:
        return None, None
    if not isinstance(value, dict):
        return None, None
    return _vcek(value.get("vcekCert")), _pem(value.get("certificateChain"))


def complete_certificates(part: CpuEvidence) -> CpuEvidence:
    """Use the certificates in the THIM answer if the evidence has no VEK of its own."""
    if part.thim is None or part.vek is not None:
        return part
    vek, chain = certificates(part.thim)
    return part if vek is None else replace(part, vek=vek, chain=part.chain or chain)


def _vcek(value: object) -> bytes | None:
    """The first certificate of the text, if it is a VCEK."""
    text = _pem(value)
    if text is None or (found := pem.first_certificate(text)) is None:
        return None
    return pem.split_first(text)[0] if pem.common_name(found).startswith("SEV-VCEK") else None


def _pem(value: object) -> bytes | None:
    if not isinstance(value, str) or "-----BEGIN CERTIFICATE-----" not in value:
        return None
    return value.strip().encode("utf-8", "surrogatepass") + b"\n"
