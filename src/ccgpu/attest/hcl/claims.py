"""The parser of the runtime claims: JSON in which the paravisor names the vTPM's key and the VM.

Known members are parsed strictly, unknown ones ignored (newer paravisors add some). `verify` checks
that the report covers these bytes.
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa

from ccgpu.attest import strict_json
from ccgpu.attest.check import Malformed, Rule

_DESIGN = "Azure CVM guest attestation design, runtime claims"
_JWK = "RFC 7517, §4; RFC 7518, §6.3.1"

KEYS = Rule("hcl.keys", "the runtime claims list keys by name", _JWK)
AK_COUNT = Rule("hcl.ak.count", "the runtime claims name exactly one HCLAkPub", _DESIGN)
AK_TYPE = Rule("hcl.ak.type", "HCLAkPub is an RSA key", _JWK)
AK_USE = Rule("hcl.ak.use", "HCLAkPub is for one use, that of an AK", _DESIGN)
AK_ENCODING = Rule("hcl.ak.encoding", "HCLAkPub is written in base64url", _JWK)
AK_SIZE = Rule(
    "hcl.ak.size", "HCLAkPub has 2048, 3072 or 4096 bits", "TPM 2.0 Part 1, Annex B; NIST SP 800-57"
)
AK_MODULUS = Rule("hcl.ak.modulus", "the modulus of HCLAkPub is odd", "FIPS 186-5, §5.1")
AK_EXPONENT = Rule(
    "hcl.ak.exponent",
    "the exponent of HCLAkPub is odd, and from 2^16 to 2^32",
    "FIPS 186-5, §5.1; TPM 2.0 Part 2, TPMS_RSA_PARMS",
)
CONFIG = Rule("hcl.config", "the runtime claims hold a vm-configuration", _DESIGN)
CONFIG_TYPE = Rule("hcl.config.type", "switches of the vm-configuration are true or false", _DESIGN)
VM_ID = Rule("hcl.config.vm-id", "vmUniqueId is a GUID", _DESIGN)
USER_DATA = Rule("hcl.user-data.size", "user-data is 64 bytes in hex, or absent", _DESIGN)

SIZE_LIMIT = 2600  # of the whole blob
_KEY_LIMIT = 16
_MODULUS_SIZES = (256, 384, 512)
_AK_USES = (["sign"], ["encrypt"])  # the second: paravisors of 2023
_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_USER_DATA = re.compile(r"[0-9A-Fa-f]{128}")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{1,700}")
_STANDARD = bytes.maketrans(b"-_", b"+/")  # the other two digits of base64, RFC 4648, §4


@dataclass(frozen=True, slots=True)
class RuntimeClaims:
    """The runtime claims: the vTPM's attestation key (HCLAkPub), and the VM's configuration.

    `ak_modulus`: big endian, without leading zeros; 256, 384 or 512 bytes. `vm_unique_id`: a GUID.
    `user_data`: 64 bytes that the guest wrote to NV index 0x01400002. A switch that old paravisors
    do not state is None.
    """

    ak: rsa.RSAPublicKey
    ak_modulus: bytes
    secure_boot: bool
    tpm_enabled: bool
    vm_unique_id: str
    user_data: bytes | None
    console_enabled: bool | None = None
    tpm_persisted: bool | None = None


def parse(runtime: bytes) -> RuntimeClaims:
    """Parse runtime claims (JSON, at most 2600 bytes), or raise `Malformed`."""
    document = strict_json.load(runtime, SIZE_LIMIT)
    key = _ak(document.get("keys"))
    exponent, modulus = _decode_integer(key, "e"), _decode_integer(key, "n")
    config = document.get("vm-configuration")
    if not isinstance(config, dict):
        raise Malformed(CONFIG, "an object", type(config).__name__)
    return RuntimeClaims(
        ak=_rsa(exponent, modulus),
        ak_modulus=modulus,
        secure_boot=_required_switch(config, "secure-boot"),
        tpm_enabled=_required_switch(config, "tpm-enabled"),
        vm_unique_id=_vm_id(config.get("vmUniqueId")),
        user_data=_user_data(document),
        console_enabled=_switch(config, "console-enabled"),
        tpm_persisted=_switch(config, "tpm-persisted"),
    )


def _ak(keys: object) -> Mapping[str, object]:
    if not isinstance(keys, list) or len(keys) > _KEY_LIMIT:
        raise Malformed(KEYS, f"a list of at most {_KEY_LIMIT} keys", type(keys).__name__)
    for key in keys:
        if not isinstance(key, dict) or not isinstance(key.get("kid"), str):
            raise Malformed(KEYS, "keys that have a kid", "one that has none")
    named: list[Mapping[str, object]] = [key for key in keys if key["kid"] == "HCLAkPub"]
    if len(named) != 1:
        raise Malformed(AK_COUNT, 1, len(named))
    key = named[0]
    if key.get("kty") != "RSA":
        raise Malformed(AK_TYPE, "RSA", key.get("kty"))
    if key.get("key_ops") not in _AK_USES:
        raise Malformed(AK_USE, " or ".join(map(str, _AK_USES)), key.get("key_ops"))
    return key


def _decode_integer(key: Mapping[str, object], name: str) -> bytes:
    """Decode an integer of a JWK: the shortest base64url without padding (RFC 7518, §2)."""
    text = key.get(name)
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise Malformed(AK_ENCODING, "base64url without padding", f"{name}: {str(text)[:32]}")
    standard = text.encode().translate(_STANDARD) + b"=" * (-len(text) % 4)
    decoded = binascii.a2b_base64(standard)
    if binascii.b2a_base64(decoded, newline=False) != standard or decoded[0] == 0:
        raise Malformed(AK_ENCODING, "the shortest base64url", f"{name}: {text[:32]}")
    return decoded


def _rsa(exponent: bytes, modulus: bytes) -> rsa.RSAPublicKey:
    e, n = int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big")
    if len(modulus) not in _MODULUS_SIZES or n.bit_length() != 8 * len(modulus):
        raise Malformed(AK_SIZE, "2048, 3072 or 4096 bits", f"{n.bit_length()} bits")
    if n % 2 == 0:
        raise Malformed(AK_MODULUS, "odd", "even")
    if e % 2 == 0 or not 2**16 < e < 2**32:
        raise Malformed(AK_EXPONENT, "65537", e)
    return rsa.RSAPublicNumbers(e, n).public_key()


def _required_switch(config: Mapping[str, object], name: str) -> bool:
    value = _switch(config, name)
    if value is None:
        raise Malformed(CONFIG_TYPE, "true or false", f"{name}: absent")
    return value


def _switch(config: Mapping[str, object], name: str) -> bool | None:
    if name not in config:
        return None
    value = config[name]
    if not isinstance(value, bool):
        raise Malformed(CONFIG_TYPE, "true or false", f"{name}: {str(value)[:32]}")
    return value


def _vm_id(value: object) -> str:
    if not isinstance(value, str) or not _GUID.fullmatch(value):
        raise Malformed(VM_ID, "a GUID", str(value)[:64])
    return value


def _user_data(document: Mapping[str, object]) -> bytes | None:
    if "user-data" not in document:
        return None
    value = document["user-data"]
    if not isinstance(value, str) or not _USER_DATA.fullmatch(value):
        raise Malformed(USER_DATA, "128 hex digits", str(value)[:140])
    return bytes.fromhex(value)
