"""Detects the kind of a piece of evidence from its bytes: the first rule that matches decides.

This sorts and does not verify: a wrong guess ends in a failed check, since every piece is parsed
and verified as what it was taken for.
"""

import base64
import json
import re
from collections.abc import Callable
from typing import Any, Literal

from ccgpu.store.evidence import documents
from ccgpu.store.evidence.limits import MAX_JSON_VALUES, LimitExceeded

Kind = Literal[
    "hcl", "report", "quote", "signature", "pcrs", "pcr_file", "event_log", "ak", "vek", "chain",
    "crl", "thim", "nonce", "gpu_report", "gpu_chain", "rim", "ocsp", "json", "runtime", "nras",
    "maa", "workload_log",
]  # fmt: skip

_SNP_SIZE = 0x4A0
_SNP_VERSIONS = range(1, 16)
_RSA_SIZES = (256, 384, 512)
_MAX_SIGNATURE = 1024
_TPMT_RSASSA = b"\x00\x14"  # TPM_ALG_RSASSA, TPM 2.0 Part 2, §6.3
_TPM_GENERATED = b"\xffTCG"  # TPM_GENERATED_VALUE, TPM 2.0 Part 2, §6.2
_SPDM_REQUEST = b"\x11\xe0\x01"  # SPDM 1.1 GET_MEASUREMENTS, signature wanted (DSP0274, §10.11)
_SPDM_RESPONSE = 37, b"\x11\x60"  # MEASUREMENTS follows the 37 bytes of the request (§10.11.1)
_XML = b"<", b"\xef\xbb\xbf<"
_NO_ACTION = b"\x00\x00\x00\x00\x03\x00\x00\x00"  # PCR 0, EV_NO_ACTION: how a TCG2 log begins
_PCR_SELECTION = b"\x01\x00\x00\x00\x0b\x00"  # one bank, SHA-256: `tpm2_quote -o`, serialized
# RFC 6960: id-pkix-ocsp-basic, which an answer says it is (4.2.1), and id-kp-OCSPSigning, what the
# certificate is for that comes with it (4.2.2.2).
_OCSP_OIDS = (b"\x2b\x06\x01\x05\x05\x07\x30\x01\x01", b"\x2b\x06\x01\x05\x05\x07\x03\x09")
_ERROR_MESSAGE = b"\x30\x03\x0a\x01"  # a responder's, before its one byte of status (4.2.1)
_HEX = re.compile(rb"\A(?:[0-9a-fA-F]{2}\s*)+\Z")
_HEX_CHARACTERS = b"0123456789abcdefABCDEF \t\r\n\v\f"
_NONCE_BYTES = range(1, 65)  # TPM2B_DATA holds at most 64
_MAX_HEX = 32 * 1024  # a GPU's report has 8.3 KB in hex
_MAX_SIGNED = 1024 * 1024  # certificates, revocation lists, OCSP answers
_MAX_TOKEN = 128 * 1024
# An event of the log of workloads is an object in canonical JSON: its first member, and its schema.
_WORKLOAD_EVENT = b'{"command":[', b'"schema":"ccgpu.workload-event/1"'
_JWT = re.compile(rb"[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*")  # RFC 7515, §3.1


def kind_of(name: str, data: bytes) -> Kind | None:
    """The kind of the file `name`; None if unknown. `LimitExceeded` if it is beyond a bound."""
    return _binary_kind(data) or _text_kind(name, data) or _certificate_kind(data)


# The first bytes of each kind; the first match decides.
_BEGINNINGS: tuple[tuple[bytes, Kind], ...] = (
    (b"HCLA", "hcl"),
    (_TPM_GENERATED, "quote"),
    (_SPDM_REQUEST, "gpu_report"),
    (_NO_ACTION, "event_log"),
    (_PCR_SELECTION, "pcr_file"),
    (_TPMT_RSASSA, "signature"),
    (b"-----BEGIN PUBLIC KEY-----", "ak"),
    (b"-----BEGIN X509 CRL-----", "crl"),
)


def _binary_kind(data: bytes) -> Kind | None:
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind
    if len(data) == _SNP_SIZE and int.from_bytes(data[:4], "little") in _SNP_VERSIONS:
        return "report"
    start, response = _SPDM_RESPONSE
    if len(data) > _MAX_SIGNATURE and data[start : start + len(response)] == response:
        return "gpu_report"  # with a damaged request, which the verdict refuses
    # Of a key and bare: any bytes, so that it may begin like a manifest. A text is none.
    if len(data) in _RSA_SIZES and not data.isascii():
        return "signature"
    return "rim" if data.startswith(_XML) else None


def _text_kind(name: str, data: bytes) -> Kind | None:
    start = data[:256].lstrip()
    if not data.translate(None, _HEX_CHARACTERS):
        return _hex_kind(data)
    if len(data) <= _MAX_TOKEN and (token := _JWT.fullmatch(data.strip())):
        return _token_kind(token[1])
    if _is_workload_log(data):
        return "workload_log"
    if start.startswith((b"{", b"[")):
        return _json_kind(data)
    return "pcr_file" if name.endswith((".yaml", ".yml")) and b"sha256" in start else None


def _is_workload_log(data: bytes) -> bool:
    """Whether it is one, or a damaged one, which the verdict refuses."""
    beginning, schema = _WORKLOAD_EVENT
    return data.startswith(beginning) or (data.startswith(b"{") and schema in data)


def _hex_kind(data: bytes) -> Kind | None:
    _require_at_most(_MAX_HEX, data, "text in hex")
    if not _HEX.match(data):
        return None
    value = bytes.fromhex(data.decode("ascii"))
    if value.startswith(_SPDM_REQUEST):
        return "gpu_report"
    return "nonce" if len(value) in _NONCE_BYTES else None


def _json_kind(data: bytes) -> Kind | None:
    try:
        value = load_json(data)
    except LimitExceeded:
        raise
    except ValueError:
        return None
    if isinstance(value, dict):
        if "vcekCert" in value:
            return "thim"
        if value and all(re.fullmatch(r"[0-9]{1,2}", key) for key in value):
            return "pcrs"
        if value.keys() >= {"keys", "vm-configuration"}:
            return "runtime"
    return "json" if documents.format_of(value) else None


def _token_kind(payload: bytes) -> Kind | None:
    """The service that a token claims to be of, from the names of its claims; unverified."""
    try:
        claims = load_json(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    except ValueError:
        return None
    names = claims.keys() if isinstance(claims, dict) else ()
    if any(name.startswith("x-nvidia-") for name in names):
        return "nras"
    return "maa" if any(name.startswith("x-ms-") for name in names) else None


def _certificate_kind(data: bytes) -> Kind | None:
    """PEM or DER of certificates, revocation lists and OCSP answers."""
    from ccgpu.store.evidence.pem import common_name, first_certificate

    if len(data) > _MAX_SIGNED and not data.startswith(b"-----BEGIN "):
        return None
    _require_at_most(_MAX_SIGNED, data, "certificates")
    if (certificate := first_certificate(data)) is None:
        return _signed_data_kind(data)
    name = common_name(certificate)
    if name.startswith(("SEV-VCEK", "SEV-VLEK")):
        return "vek"
    if name.startswith(("SEV-", "ARK-")):
        return "chain"
    return "gpu_chain" if b"-----BEGIN CERTIFICATE-----" in data[:4096] else None


def _signed_data_kind(data: bytes) -> Kind | None:
    from cryptography import x509
    from cryptography.x509 import ocsp

    from ccgpu.store.evidence.pem import UNREADABLE

    loaders: tuple[tuple[Callable[[bytes], object], Kind], ...] = (
        (x509.load_der_x509_crl, "crl"),
        (ocsp.load_der_ocsp_response, "ocsp"),
    )
    for load, kind in loaders:
        try:
            load(data)
        except UNREADABLE:
            continue
        return kind
    # A damaged OCSP answer stays one, so that a check fails instead of the file being ignored.
    alike = sum(one == other for one, other in zip(data, _ERROR_MESSAGE, strict=False))
    damaged = len(data) == len(_ERROR_MESSAGE) + 1 and alike >= len(_ERROR_MESSAGE) - 1
    return "ocsp" if damaged or any(oid in data for oid in _OCSP_OIDS) else None


def _require_at_most(size: int, data: bytes, what: str) -> None:
    if len(data) > size:
        raise LimitExceeded(f"holds {what} of {len(data)} bytes: at most {size} are read")


def load_json(data: bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: It is invalid, has a duplicate key, or nests too deep.
        LimitExceeded: It has more than 100,000 values.
    """
    values = sum(data.count(sign) for sign in (b",", b"[", b"{"))
    if values > MAX_JSON_VALUES:
        raise LimitExceeded(f"holds more than {MAX_JSON_VALUES} JSON values")
    try:
        return json.loads(data, object_pairs_hook=_unique_keys)
    except RecursionError as err:
        raise ValueError("nests too deep") from err


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice")
    return members
