"""Runtime claims: one AK, sane; switches that are switches; a VM that has a name."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Malformed
from ccgpu.attest.hcl import claims
from ccgpu.fakeguest.evidence import hcl
from support.evidence_vtpm import ak

N = ak().public_key().public_numbers().n


def valid() -> dict[str, Any]:
    return hcl.runtime_claims(ak().public_key(), user_data=bytes(range(64)))


def refusal(runtime: bytes) -> str:
    with pytest.raises(Malformed) as caught:
        claims.parse(runtime)
    return caught.value.rule.id


def test_the_claims_are_read():
    found = claims.parse(hcl.encode_claims(valid()))
    assert found.ak == ak().public_key()
    assert found.ak_modulus == N.to_bytes(256, "big")
    assert found.user_data == bytes(range(64))
    assert found.vm_unique_id == hcl.VM_UNIQUE_ID
    assert (found.secure_boot, found.tpm_enabled) == (True, True)
    assert (found.console_enabled, found.tpm_persisted) == (True, True)


def test_claims_of_old_paravisors_are_read():
    old = valid()
    del old["user-data"]
    old["keys"] = [hcl.rsa_jwk("HCLAkPub", "encrypt", N)]
    old["vm-configuration"] = {
        "current-time": 1678652405,
        "secure-boot": False,
        "tpm-enabled": True,
        "vmUniqueId": hcl.VM_UNIQUE_ID.lower(),
    }
    found = claims.parse(hcl.encode_claims(old))
    assert (found.user_data, found.console_enabled, found.tpm_persisted) == (None, None, None)
    assert found.secure_boot is False


@pytest.mark.parametrize("bits", [3072, 4096])
def test_larger_keys_are_read(bits):
    document = valid()
    document["keys"][0] = hcl.rsa_jwk("HCLAkPub", "sign", 2**bits - 1)
    assert claims.parse(hcl.encode_claims(document)).ak.key_size == bits


def test_other_keys_may_stand_beside_the_ak():
    document = valid() | {"keys": [{"kid": ""}] * 15 + [_AK]}
    assert claims.parse(hcl.encode_claims(document)).ak == ak().public_key()


def _key(**changes: Any) -> dict[str, Any]:
    return {"keys": [{**hcl.rsa_jwk("HCLAkPub", "sign", N), **changes}]}


def _config(**changes: Any) -> dict[str, Any]:
    switches = {name.replace("_", "-"): value for name, value in changes.items()}
    return {"vm-configuration": {**valid()["vm-configuration"], **switches}}


def _without(name: str) -> dict[str, Any]:
    config = valid()["vm-configuration"]
    del config[name]
    return {"vm-configuration": config}


def _rsa(modulus: int, exponent: int = 65537) -> dict[str, Any]:
    return {"keys": [hcl.rsa_jwk("HCLAkPub", "sign", modulus, exponent)]}


_EK = hcl.rsa_jwk("HCLEkPub", "encrypt", N)
_AK = hcl.rsa_jwk("HCLAkPub", "sign", N)
_PADDED = hcl.base64url(N.to_bytes(256, "big")) + "=="
# 256 bytes leave 4 spare bits in the last of 342 characters: `B` for `A`, and so on.
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_LAST = _ALPHABET[_ALPHABET.index(_AK["n"][-1]) + 1]

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"keys": None}, "hcl.keys"),
    ({"keys": {}}, "hcl.keys"),
    ({"keys": [{"kid": ""}] * 16 + [_AK]}, "hcl.keys"),
    ({"keys": [_AK, "HCLEkPub"]}, "hcl.keys"),
    ({"keys": [_AK, {}]}, "hcl.keys"),
    ({"keys": [_AK, {"kid": 1}]}, "hcl.keys"),
    ({"keys": []}, "hcl.ak.count"),
    ({"keys": [_EK]}, "hcl.ak.count"),
    ({"keys": [_AK, _AK]}, "hcl.ak.count"),
    ({"keys": [_AK, hcl.rsa_jwk("HCLAkPub", "sign", N ^ 2)]}, "hcl.ak.count"),
    ({"keys": [{**_AK, "kid": "hclakpub"}]}, "hcl.ak.count"),
    (_key(kty="EC"), "hcl.ak.type"),
    (_key(kty=None), "hcl.ak.type"),
    (_key(key_ops=["sign", "encrypt"]), "hcl.ak.use"),
    (_key(key_ops=["verify"]), "hcl.ak.use"),
    (_key(key_ops="sign"), "hcl.ak.use"),
    (_key(key_ops=None), "hcl.ak.use"),
    (_key(n=None), "hcl.ak.encoding"),
    (_key(n=N), "hcl.ak.encoding"),
    (_key(n=_PADDED), "hcl.ak.encoding"),
    (_key(n=_AK["n"] + "\n"), "hcl.ak.encoding"),
    (_key(n=_AK["n"].replace("_", "/").replace("-", "+") + "/"), "hcl.ak.encoding"),
    (_key(n=_AK["n"] + "AAA"), "hcl.ak.encoding"),  # 4n + 1 characters are none
    (_key(n=_AK["n"][:-1] + _LAST), "hcl.ak.encoding"),
    (_key(n="A" * 701), "hcl.ak.encoding"),
    (_key(n=hcl.base64url(b"\0" + N.to_bytes(256, "big"))), "hcl.ak.encoding"),
    (_key(e=""), "hcl.ak.encoding"),
    (_key(e=65537), "hcl.ak.encoding"),
    (_rsa(N >> 1024 | 1), "hcl.ak.size"),
    (_rsa(N >> 1 | 1), "hcl.ak.size"),
    (_rsa(N >> 8 | 1), "hcl.ak.size"),
    (_rsa(N << 8 | 1), "hcl.ak.size"),
    (_rsa(N - 1), "hcl.ak.modulus"),
    (_rsa(N, 1), "hcl.ak.exponent"),
    (_rsa(N, 3), "hcl.ak.exponent"),
    (_rsa(N, 65535), "hcl.ak.exponent"),
    (_rsa(N, 65536), "hcl.ak.exponent"),
    (_rsa(N, 65538), "hcl.ak.exponent"),
    (_rsa(N, 2**32 + 1), "hcl.ak.exponent"),
    ({"vm-configuration": None}, "hcl.config"),
    ({"vm-configuration": []}, "hcl.config"),
    (_config(secure_boot="true"), "hcl.config.type"),
    (_config(secure_boot=1), "hcl.config.type"),
    (_config(tpm_enabled=None), "hcl.config.type"),
    (_config(console_enabled=0), "hcl.config.type"),
    (_config(tpm_persisted="no"), "hcl.config.type"),
    (_without("secure-boot"), "hcl.config.type"),
    (_without("tpm-enabled"), "hcl.config.type"),
    (_without("vmUniqueId"), "hcl.config.vm-id"),
    (_config(vmUniqueId=1), "hcl.config.vm-id"),
    (_config(vmUniqueId="{" + hcl.VM_UNIQUE_ID + "}"), "hcl.config.vm-id"),
    (_config(vmUniqueId=hcl.VM_UNIQUE_ID + "\n"), "hcl.config.vm-id"),
    ({"user-data": None}, "hcl.user-data.size"),
    ({"user-data": ""}, "hcl.user-data.size"),
    ({"user-data": "00" * 63}, "hcl.user-data.size"),
    ({"user-data": "00" * 65}, "hcl.user-data.size"),
    ({"user-data": "0x" + "00" * 63}, "hcl.user-data.size"),
    ({"user-data": "00" * 64 + "\n"}, "hcl.user-data.size"),
]


@pytest.mark.parametrize(("changes", "id_"), REFUSED, ids=range(len(REFUSED)))
def test_invalid_claims_are_refused(changes, id_):
    assert refusal(hcl.encode_claims(valid() | changes)) == id_


TEXTS = [
    ('"secure-boot":true', '"secure-boot":false,"secure-boot":true', "json.duplicate"),
    ('"user-data":', '"user-data":"' + "00" * 64 + '","user-data":', "json.duplicate"),
    ('"kid":"HCLAkPub"', '"kid":"x","kid":"HCLAkPub"', "json.duplicate"),
    ('"secure-boot"', '"a\\u0000":1,"secure-boot"', "json.nul"),
    ('"secure-boot"', '"a":' + "[" * 32 + "]" * 32 + ',"secure-boot"', "json.depth"),
    ('"secure-boot"', '"a":"' + "x" * 2600 + '","secure-boot"', "json.size"),
    ("}", "}\0", "json.nul"),
]


@pytest.mark.parametrize(("old", "new", "id_"), TEXTS, ids=range(len(TEXTS)))
def test_ambiguous_claims_are_refused(old, new, id_):
    text = hcl.encode_claims(valid()).decode()
    assert refusal(text.replace(old, new, 1).encode()) == id_


def test_unknown_members_are_ignored():
    document = valid() | {"new": {"a": [1]}}
    document["vm-configuration"]["filtered-vpci-devices-allowed"] = True
    assert claims.parse(hcl.encode_claims(document)).tpm_enabled


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.binary() | st.dictionaries(st.sampled_from(sorted(valid())), _json).map(hcl.encode_claims)
)
def test_any_bytes_are_claims_or_malformed(data):
    with contextlib.suppress(Malformed):
        claims.parse(data)


@given(st.sampled_from(sorted(_AK)), _json)
def test_any_key_is_one_or_malformed(name, value):
    with contextlib.suppress(Malformed):
        claims.parse(hcl.encode_claims(valid() | _key(**{name: value})))


@pytest.mark.parametrize("case", ["azure-genoa-v3", "azure-milan-v2", "azure-milan-v3"])
def test_real_claims_are_read(vectors, case):
    folder = vectors / "attest" / case
    expected = json.loads((folder / "expected.json").read_text())
    found = claims.parse((folder / "runtime-data.json").read_bytes())
    assert found.secure_boot is expected["secure_boot"]
    assert found.vm_unique_id == expected["vm_unique_id"]
    assert found.user_data == bytes(64)
    assert found.ak.key_size == 2048
