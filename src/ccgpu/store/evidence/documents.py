"""Evidence in JSON, as other tools write it. The format is detected from its keys.

Sources: confidential-containers/trustee (az-snp-vtpm, nvidia), confidential-dot-ai/attestation-rs,
NVIDIA attestation-sdk (`nvattest`), and the request body of NVIDIA's Remote Attestation Service.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ccgpu.domain.evidence import (
    AttestationTokens,
    CpuEvidence,
    Evidence,
    EvidenceFormat,
    GpuEvidence,
)
from ccgpu.domain.plain_text import one_line
from ccgpu.errors import InvalidFile, Problem
from ccgpu.store.evidence.limits import invalid_evidence

_ARCHITECTURE = re.compile(r"[A-Za-z0-9_-]{0,32}")
_PCRS = 24
_MAX_PROBLEMS = 20  # that one error names
_GPU_REPORT_HEX = "11e0"  # SPDM 1.1 GET_MEASUREMENTS: trustee writes evidence in hex, too


@dataclass(frozen=True, slots=True)
class DocumentFormat:
    """One format of JSON: its name, whether a value is in it, and its parser."""

    name: EvidenceFormat
    fits: Callable[[Any], bool]
    read: Callable[[Any], Evidence]


class _Unusable(Exception):
    """The document is valid, but holds no evidence; the text says why."""


def format_of(value: object) -> DocumentFormat | None:
    """The format of a JSON value; None if unknown."""
    return next((each for each in _FORMATS if each.fits(value)), None)


def parse_evidence(path: Path, value: Any) -> Evidence:
    """The evidence in a JSON value. `InvalidFile` if it is in no known format, or damaged."""
    form = format_of(value)
    if form is None:
        raise invalid_evidence(path, f"is JSON, but not in a known format: {_describe(value)}")
    try:
        return _naming_what_is_left(form.read(value), value)
    except _Unusable as err:
        raise invalid_evidence(path, str(err)) from err
    except KeyError as err:
        raise invalid_evidence(
            path, f"is damaged: {form.name} JSON without {err.args[0]!r}"
        ) from err
    except (TypeError, ValueError) as err:
        if form.name == "bundle" and (problems := _problems(err)):
            hint = "`ccgpu schema bundle` prints every field"
            raise InvalidFile(one_line(str(path)), problems, hint=hint) from err
        raise invalid_evidence(path, f"is damaged: {form.name} JSON, {err}") from err


def _naming_what_is_left(found: Evidence, value: Any) -> Evidence:
    """Trustee's evidence of further devices is not read; the verdict says so."""
    if isinstance(value, Mapping) and value.get("additional_evidence"):
        return replace(found, ignored=(*found.ignored, "additional_evidence"))
    return found


def _describe(value: object) -> str:
    if isinstance(value, Mapping):
        names = [str(key)[:40] for key in value][:8]
        return f"an object with {', '.join(names)}" if names else "an empty object"
    if isinstance(value, list):
        return f"a list of {len(value)} values"
    return f"a single {type(value).__name__}"


def _has_keys(*keys: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and value.keys() >= {*keys}


def _platform(name: str) -> Callable[[Any], bool]:
    keys = _has_keys("platform", "evidence")
    return lambda value: keys(value) and value["platform"] == name


def _is_bundle(value: Any) -> bool:
    return _has_keys("schema")(value) and value["schema"] == "ccgpu.bundle/1"


def _is_trustee(value: Any) -> bool:
    return _has_keys("tpm_quote", "hcl_report")(value) or (
        _has_keys("quote", "report")(value) and isinstance(value["quote"], dict)
    )


def _is_entries(value: Any) -> bool:
    return (
        isinstance(value, list) and bool(value) and _has_keys("evidence", "certificate")(value[0])
    )


def _is_detached_eat(value: Any) -> bool:
    """Of RFC 9711, §5, as NVIDIA's service answers."""
    match value:
        case [["JWT", str()], dict()]:
            return True
        case _:
            return False


def _trustee(value: Mapping[str, Any]) -> Evidence:
    return Evidence("trustee", cpu=_azure(value))


def _composite(value: Mapping[str, Any]) -> Evidence:
    """Trustee's evidence of several devices: that of the VM."""
    if not _is_trustee(value["primary_evidence"]):
        raise ValueError("primary_evidence is not that of an Azure VM with SEV-SNP")
    return _trustee(value["primary_evidence"])


def _attestation_rs(value: Mapping[str, Any]) -> Evidence:
    return Evidence("attestation-rs", cpu=_azure(value["evidence"]))


def _azure(value: Mapping[str, Any]) -> CpuEvidence:
    """Trustee's az-snp-vtpm evidence, versions 0 to 2; attestation-rs wraps version 1."""
    quote = value["tpm_quote"] if "tpm_quote" in value else value["quote"]
    pcrs = [_bytes(each) for each in quote["pcrs"]]
    if len(pcrs) > _PCRS:
        raise ValueError(f"a TPM has {_PCRS} PCRs, here are {len(pcrs)}")
    return CpuEvidence(
        hcl=_bytes(value["hcl_report"] if "hcl_report" in value else value["report"]),
        vek=_certificate(value["vcek"]),
        quote=_bytes(quote["message"], text="hex"),
        signature=_bytes(quote["signature"], text="hex"),
        pcrs=dict(enumerate(pcrs)),
    )


def _snp(value: Mapping[str, Any]) -> Evidence:
    """attestation-rs's `snp`: a bare report, and the certificates if the host had them."""
    inner = value.get("evidence", value)
    chain = inner.get("cert_chain") if isinstance(inner, dict) else None
    if not isinstance(chain := chain or {}, dict):
        raise TypeError("cert_chain is a mapping")
    above = [_pem(chain[name]) for name in ("ask", "ark") if chain.get(name) is not None]
    cpu = CpuEvidence(
        report=_bytes(inner["attestation_report"], text="base64"),
        vek=None if chain.get("vcek") is None else _certificate(chain["vcek"]),
        chain=b"".join(above) or None,
    )
    return Evidence("attestation-rs", cpu=cpu)


def _pem(value: object) -> bytes:
    """A certificate as PEM, as chains are."""
    raw = _certificate(value)
    if raw.startswith(b"-----BEGIN"):
        return raw.rstrip() + b"\n"
    body = base64.encodebytes(raw)
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"


def _certificate(value: object) -> bytes:
    if isinstance(value, str) and value.startswith("-----BEGIN"):
        return value.encode()
    return _bytes(value, text="base64")


def _nvattest(value: Any) -> Evidence:
    """What `nvattest collect-evidence` prints: a list, in newer releases within an envelope."""
    if isinstance(value, dict):
        if value["result_code"] != 0:
            failure = f"{value['result_code']}: {value.get('result_message', '')}"
            raise _Unusable(
                f"nvattest says that it failed ({failure[:200]}): collect the evidence anew"
            )
        value = value["evidences"]
    return Evidence("nvattest", gpus=_gpus(value))


def _device_list(value: Mapping[str, Any]) -> Evidence:
    return Evidence("trustee", gpus=_gpus(value["device_evidence_list"]))


def _nras_request(value: Mapping[str, Any]) -> Evidence:
    """`{nonce, arch, evidence_list}`, as it is sent to NVIDIA's service."""
    gpus = _gpus(value["evidence_list"], value.get("arch"), value.get("nonce"))
    return Evidence("nras-request", gpus=gpus)


def _gpus(value: object, arch: object = None, nonce: object = None) -> tuple[GpuEvidence, ...]:
    if not isinstance(value, list):
        raise TypeError("the evidence of GPUs is a list")
    if not value:
        raise _Unusable("holds the evidence of no GPU: collect it anew, inside the confidential VM")
    return tuple(_gpu(each, arch, nonce) for each in value)


def _gpu(value: object, arch: object, nonce: object) -> GpuEvidence:
    if not isinstance(value, dict):
        raise TypeError("every entry is a mapping")
    asked = value.get("nonce", nonce)
    arch = str(value.get("arch", arch) or "")
    if not _ARCHITECTURE.fullmatch(arch):
        raise ValueError("arch is a name like HOPPER")
    return GpuEvidence(
        arch=arch.upper(),
        report=_gpu_report(value["evidence"]),
        chain=_bytes(value["certificate"], text="base64"),
        nonce=None if asked is None else _bytes(asked, text="hex"),
    )


def _gpu_report(value: object) -> bytes:
    """Base64, or hex, which a base64 decoder would accept too."""
    if isinstance(value, str) and value[:4].lower() == _GPU_REPORT_HEX:
        return _bytes(value.strip(), text="hex")
    return _bytes(value, text="base64")


def _token(value: Any) -> Evidence:
    """NVIDIA's detached EAT, bare or as `nvattest attest` prints it; or Microsoft's answer."""
    if isinstance(value, dict) and "token" in value:
        if not isinstance(value["token"], str):
            raise TypeError("a token is a text")
        return Evidence("token", tokens=AttestationTokens(maa=value["token"].encode()))
    eat = value["detached_eat"] if isinstance(value, dict) else value
    if isinstance(eat, str):
        eat = json.loads(eat)
    if not _is_detached_eat(eat):
        raise ValueError("a detached EAT is a list of two: the overall token, and each GPU's")
    return Evidence("token", tokens=AttestationTokens(nras=json.dumps(eat).encode()))


def _bytes(value: object, text: str | None = None) -> bytes:
    """Bytes out of a list of numbers, hex, or base64 of either alphabet, padded or not."""
    if isinstance(value, list):
        return bytes(value)
    if not isinstance(value, str):
        raise ValueError("expected bytes: numbers, hex or base64")  # noqa: TRY004
    if text != "base64":
        try:
            return binascii.unhexlify(value)
        except ValueError:
            if text == "hex":
                raise
    padded = value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4)
    return base64.b64decode(padded.translate(_STANDARD), validate=True)


_STANDARD = str.maketrans("-_", "+/")


def _bundle(value: Mapping[str, Any]) -> Evidence:
    from ccgpu.domain.bundle import EvidenceBundle

    return EvidenceBundle.model_validate(value).evidence()


def _problems(err: Exception) -> Sequence[Problem]:
    """The problems of a bundle's fields, whose names come from the file and are made printable."""
    from pydantic import ValidationError

    from ccgpu.domain.policy import policy_problems

    if not isinstance(err, ValidationError):
        return ()
    return [
        Problem(one_line(".".join(map(str, each.path))), one_line(each.message))
        for each in policy_problems(err, "bundle")[:_MAX_PROBLEMS]
    ]


_FORMATS: Sequence[DocumentFormat] = (
    DocumentFormat("bundle", _is_bundle, _bundle),
    DocumentFormat("attestation-rs", _platform("az-snp"), _attestation_rs),
    DocumentFormat("attestation-rs", _platform("snp"), _snp),
    DocumentFormat("attestation-rs", _has_keys("attestation_report", "cert_chain"), _snp),
    DocumentFormat("trustee", _is_trustee, _trustee),
    DocumentFormat("trustee", _has_keys("primary_evidence"), _composite),
    DocumentFormat("trustee", _has_keys("device_evidence_list"), _device_list),
    DocumentFormat("nras-request", _has_keys("evidence_list"), _nras_request),
    DocumentFormat("token", _has_keys("detached_eat"), _token),
    DocumentFormat("nvattest", _has_keys("result_code", "evidences"), _nvattest),
    DocumentFormat("nvattest", _is_entries, _nvattest),
    DocumentFormat("token", _is_detached_eat, _token),
    DocumentFormat("token", lambda value: _has_keys("token")(value) and len(value) == 1, _token),
)
