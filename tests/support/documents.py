"""Simulated evidence in the file formats of other tools."""

import base64
import json
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ccgpu.domain.evidence import CpuEvidence, GpuEvidence
from ccgpu.fakeguest.evidence.pki import pem


def b64(data: bytes) -> str:
    """Base64, the usual encoding of bytes."""
    return base64.b64encode(data).decode()


def entry(gpu: GpuEvidence, nonce: bytes | None = None) -> dict[str, Any]:
    """One GPU in the lists of NVIDIA's tools."""
    found = {"arch": gpu.arch, "evidence": b64(gpu.report), "certificate": b64(gpu.chain)}
    return found if nonce is None else found | {"nonce": nonce.hex()}


def nvattest(gpus: Sequence[GpuEvidence], nonce: bytes, **changes: Any) -> dict[str, Any]:
    """What `nvattest collect-evidence --format json` prints."""
    evidences = [
        entry(gpu, nonce) | {"driver_version": "595.71.05", "version": "1.0"} for gpu in gpus
    ]
    return {"result_code": 0, "result_message": "Ok", "evidences": evidences} | changes


def device_list(gpus: Sequence[GpuEvidence], *, as_hex: bool) -> dict[str, Any]:
    """Trustee's evidence of NVIDIA devices. Older releases encoded the reports in hex."""
    return {
        "device_evidence_list": [
            {
                "arch": gpu.arch.capitalize(),
                "uuid": "GPU-00000000-0000-0000-0000-000000000000",
                "evidence": gpu.report.hex() if as_hex else b64(gpu.report),
                "certificate": b64(gpu.chain),
            }
            for gpu in gpus
        ]
    }


def nras_request(gpus: Sequence[GpuEvidence], nonce: bytes) -> dict[str, Any]:
    """The body of a request to NVIDIA's Remote Attestation Service."""
    evidence = [{"evidence": b64(gpu.report), "certificate": b64(gpu.chain)} for gpu in gpus]
    body = {"nonce": nonce.hex(), "arch": "HOPPER", "evidence_list": evidence}
    return body | {"claims_version": "3.0"}


def trustee(cpu: CpuEvidence) -> dict[str, Any]:
    """Trustee's az-snp-vtpm evidence."""
    quote = {
        "signature": (cpu.signature or b"").hex(),
        "message": (cpu.quote or b"").hex(),
        "pcrs": [value.hex() for _, value in sorted((cpu.pcrs or {}).items())],
    }
    return {
        "version": 1,
        "tpm_quote": quote,
        "hcl_report": base64.urlsafe_b64encode(cpu.hcl or b"").decode().rstrip("="),
        "vcek": pem(cpu.vek or b"").decode(),
    }


def attestation_rs_snp(report: bytes, vek: bytes | None, chain: bytes) -> dict[str, Any]:
    """The envelope of attestation-rs around a bare SNP report."""
    ask, ark = x509.load_pem_x509_certificates(chain)
    certificates = {
        "vcek": b64(vek or b""),
        "ask": b64(ask.public_bytes(Encoding.DER)),
        "ark": b64(ark.public_bytes(Encoding.DER)),
    }
    inner = {"attestation_report": b64(report), "cert_chain": certificates if vek else None}
    return {"platform": "snp", "evidence": inner}


def thim(vek: bytes, chain: bytes) -> bytes:
    """The response of Azure's certificate service inside a VM."""
    answer = {
        "vcekCert": pem(vek).decode(),
        "tcbm": "54170000000000a",
        "certificateChain": chain.decode(),
        "cacheControl": "86400",
    }
    return json.dumps(answer).encode()
