"""Evidence that is one file: a bundle, another project's JSON, or a bare report."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ccgpu.domain.evidence import CpuEvidence, Evidence, GpuEvidence
from ccgpu.errors import InvalidFile, Problem
from ccgpu.store.evidence.kinds import kind_of, loaded
from ccgpu.store.evidence.limits import content, refused


def read(path: Path) -> Evidence:
    """The evidence in a file. `InvalidFile` if it is in no known format."""
    data = content(path)
    kind = kind_of(path.name, data)
    if kind == "hcl":
        return Evidence("hcl-report", cpu=CpuEvidence(hcl=data))
    if kind == "report":
        return Evidence("snp-report", cpu=CpuEvidence(report=data))
    if kind != "json":
        raise refused(path, "is in no known format")
    return document(path, data)


def document(path: Path, data: bytes) -> Evidence:
    """The evidence in a JSON document."""
    try:
        value = loaded(data)
    except ValueError as err:
        raise refused(path, f"is not JSON: {err}") from err
    try:
        match value:
            case {"schema": "ccgpu.bundle/1"}:
                return _bundle(path, value)
            case {"platform": "az-snp", "evidence": dict(inner)}:
                return Evidence("attestation-rs", cpu=_azure(inner))
            case {"tpm_quote": dict(), "hcl_report": str()} | {"quote": dict(), "report": list()}:
                return Evidence("trustee", cpu=_azure(value))
            case [{"evidence": str(), "certificate": str()}, *_]:
                return Evidence("nvattest", gpus=tuple(_gpu(each) for each in value))
            case _:
                pass
    except (KeyError, TypeError, ValueError) as err:
        raise refused(path, f"is damaged: {err}") from err
    raise refused(path, "is JSON in no known format")


def _bundle(path: Path, value: Mapping[str, Any]) -> Evidence:
    from pydantic import ValidationError

    from ccgpu.domain.bundle import Bundle
    from ccgpu.domain.policy import problems

    try:
        return Bundle.model_validate(value).evidence()
    except ValidationError as err:
        found = [Problem(".".join(map(str, each.path)), each.message) for each in problems(err)]
        raise InvalidFile(
            str(path), found, hint="`ccgpu schema bundle` prints every field"
        ) from err


def _azure(value: Mapping[str, Any]) -> CpuEvidence:
    """Trustee's az-snp-vtpm evidence, versions 0 to 2; attestation-rs wraps version 1."""
    quote = value["tpm_quote"] if "tpm_quote" in value else value["quote"]
    pcrs = [_bytes(each) for each in quote["pcrs"]]
    return CpuEvidence(
        hcl=_bytes(value["hcl_report"] if "hcl_report" in value else value["report"]),
        vek=_certificate(value["vcek"]),
        quote=_bytes(quote["message"], text="hex"),
        signature=_bytes(quote["signature"], text="hex"),
        pcrs=dict(enumerate(pcrs)),
    )


def _certificate(value: object) -> bytes:
    if isinstance(value, str) and value.startswith("-----BEGIN"):
        return value.encode()
    return _bytes(value, text="base64")


def _gpu(value: object) -> GpuEvidence:
    """One entry of what `nvattest collect-evidence` writes."""
    if not isinstance(value, dict):
        raise TypeError("every entry is a mapping")
    nonce = value.get("nonce")
    return GpuEvidence(
        arch=str(value.get("arch", "")),
        report=_bytes(value["evidence"], text="base64"),
        chain=_bytes(value["certificate"], text="base64"),
        nonce=None if nonce is None else _bytes(nonce, text="hex"),
    )


def _bytes(value: object, text: str | None = None) -> bytes:
    """Bytes out of a list of numbers, hex, or base64 of either alphabet, padded or not."""
    if isinstance(value, list):
        return bytes(value)
    if not isinstance(value, str):
        raise ValueError("bytes are wanted: numbers, hex or base64")  # noqa: TRY004
    if text != "base64":
        try:
            return binascii.unhexlify(value)
        except ValueError:
            if text == "hex":
                raise
    padded = value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4)
    return base64.b64decode(padded.translate(_STANDARD), validate=True)


_STANDARD = str.maketrans("-_", "+/")
