"""Addresses of vaults, names of keys, and what must hold for a release around the policy."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ccgpu.domain.key_vault import (
    KeyState,
    VaultState,
    VmPrincipal,
    check_key_name,
    check_version,
    parse_vault,
    size_of,
)
from ccgpu.domain.release_answer import PolicyAnswer
from ccgpu.domain.release_conditions import (
    Condition,
    identity_conditions,
    key_conditions,
    overall,
    vault_conditions,
)
from ccgpu.domain.release_findings import ReleaseFindings
from ccgpu.errors import EvidenceRejected, EvidenceUnavailable

_NOW = datetime(2026, 11, 30, tzinfo=UTC)
_KEY = KeyState("id", "k", "1", "RSA-HSM", enabled=True, exportable=True, policy=b"{}")
_VAULT = VaultState("v", "premium", True, frozenset(), True, False, False)


@pytest.mark.parametrize(
    ("text", "cloud", "host", "scope"),
    [
        ("myvault", "public", "myvault.vault.azure.net", "https://vault.azure.net/.default"),
        (
            "https://MyVault.vault.azure.net/",
            "public",
            "myvault.vault.azure.net",
            "https://vault.azure.net/.default",
        ),
        (
            "hsm.managedhsm.azure.net",
            "public",
            "hsm.managedhsm.azure.net",
            "https://managedhsm.azure.net/.default",
        ),
        (
            "abc",
            "usgov",
            "abc.vault.usgovcloudapi.net",
            "https://vault.usgovcloudapi.net/.default",
        ),
        ("a-b-c", "china", "a-b-c.vault.azure.cn", "https://vault.azure.cn/.default"),
    ],
)
def test_the_address_of_a_vault(text, cloud, host, scope):
    found = parse_vault(text, cloud)
    assert (found.host, found.scope) == (host, scope)
    assert found.managed_hsm == ("managedhsm" in host)


@pytest.mark.parametrize(
    "text",
    [
        *("", "ab", "a" * 25, "1abc", "a--b", "abc-", "a_b", "a.b", "https://", "abc.example.com"),
        *("abc.vault.azure.net/keys/k", "http://abc.vault.azure.net", "abc.vault.azure.cn"),
        *("abc.vault.azure.net@evil.example", "évault", "abc.vault.azure.net:8443"),
    ],
)
def test_what_is_no_vault_is_refused(text):
    with pytest.raises(ValueError, match=r"^is no "):
        parse_vault(text, "public")


def test_names_and_versions_of_keys():
    assert check_key_name("model-key-1") == "model-key-1"
    assert check_version("0a" * 16) == "0a" * 16
    for bad in ("", "a/b", "a" * 128, "ä"):
        with pytest.raises(ValueError, match="no name of a key"):
            check_key_name(bad)
    for bad in ("", "0A" * 16, "0a" * 15, "0a" * 16 + "/"):
        with pytest.raises(ValueError, match="no version"):
            check_version(bad)


@pytest.mark.parametrize(
    ("kind", "text", "found"),
    [
        ("RSA-HSM", None, (4096, None)),
        ("RSA-HSM", "2048", (2048, None)),
        ("EC-HSM", None, (None, "P-256")),
        ("EC-HSM", "P-384", (None, "P-384")),
        ("oct-HSM", None, (256, None)),
    ],
)
def test_the_size_of_a_key(kind, text, found):
    assert size_of(kind, text) == found


@pytest.mark.parametrize(("kind", "text"), [("RSA-HSM", "1024"), ("EC-HSM", "2048")])
def test_a_size_that_the_kind_does_not_have_is_refused(kind, text):
    with pytest.raises(ValueError, match="is none of"):
        size_of(kind, text)


def _held(conditions):
    return {one.id: one.holds for one in conditions}


def test_a_good_key_meets_all_conditions():
    assert overall(key_conditions(_KEY, _NOW)) is True
    dated = replace(_KEY, not_before=_NOW, expires=datetime(2027, 1, 1, tzinfo=UTC))
    assert overall(key_conditions(dated, _NOW)) is True


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({"enabled": False}, "key.enabled"),
        ({"not_before": datetime(2026, 12, 1, tzinfo=UTC)}, "key.begun"),
        ({"expires": _NOW}, "key.lasts"),
        ({"kind": "RSA"}, "key.hsm"),
        ({"exportable": False}, "key.exportable"),
        ({"policy": None}, "key.policy"),
    ],
)
def test_each_condition_of_the_key(change, failed):
    held = _held(key_conditions(replace(_KEY, **change), _NOW))
    assert {id_ for id_, holds in held.items() if not holds} == {failed}


@pytest.mark.parametrize(
    ("change", "sku", "network"),
    [
        ({}, True, True),
        ({"sku": "standard"}, False, True),
        ({"public": False}, True, False),
        ({"public": False, "exceptions": True}, True, None),
        ({"restricted": True}, True, False),
        ({"restricted": True, "exceptions": True}, True, None),
    ],
)
def test_each_condition_of_the_vault(change, sku, network):
    found = vault_conditions(replace(_VAULT, **change), managed_hsm=False)
    assert _held(found) == {"vault.sku": sku, "vault.network": network}


def test_a_vault_that_cannot_be_read_is_not_known():
    assert _held(vault_conditions(None, managed_hsm=False)) == {
        "vault.sku": None,
        "vault.network": None,
    }
    assert _held(vault_conditions(None, managed_hsm=True))["vault.sku"] is True
    hsm = replace(_VAULT, sku="standard_b1")
    assert _held(vault_conditions(hsm, managed_hsm=True))["vault.sku"] is True


@pytest.mark.parametrize(
    ("answers", "release"),
    [
        ([True], True),
        ([False], False),
        ([None], None),
        ([False, True], True),
        ([False, None], None),
    ],
)
def test_one_identity_that_may_release_suffices(answers, release):
    found = [VmPrincipal("x", "id", may, "why") for may in answers]
    held = _held(identity_conditions(found, _VAULT))
    assert held == {"identity.assigned": True, "identity.release": release}


def test_without_an_identity_nothing_is_released():
    assert _held(identity_conditions([], _VAULT)) == {"identity.assigned": False}
    assert identity_conditions(None, _VAULT) == ()


@pytest.mark.parametrize(
    ("vault", "words"),
    [
        (_VAULT, "Key Vault Crypto Service Release User"),
        (None, "Key Vault Crypto Service Release User"),
        (replace(_VAULT, by_role=False), "az keyvault set-policy"),
    ],
)
def test_the_remedy_fits_the_vault(vault, words):
    found = identity_conditions([VmPrincipal("x", "id", False, "why")], vault)
    assert words in (found[-1].remedy or "")


def test_nothing_that_holds_is_no_yes():
    assert overall([]) is None
    assert overall([Condition("a", "a", True, "")]) is True
    assert overall([Condition("a", "a", True, ""), Condition("b", "b", None, "")]) is None
    assert overall([Condition("a", "a", None, ""), Condition("b", "b", False, "")]) is False


@pytest.mark.parametrize(
    ("holds", "policy", "releases", "error", "words"),
    [
        (True, True, True, None, ""),
        (False, True, False, EvidenceRejected, "would not be released: c"),
        (True, False, False, EvidenceRejected, "would not be released: policy"),
        (None, False, False, EvidenceRejected, "would not be released: policy"),
        (None, True, None, EvidenceUnavailable, "is not known: c"),
        (True, None, None, EvidenceUnavailable, "is not known: policy"),
    ],
)
def test_the_exit_code_follows_from_all_answers(holds, policy, releases, error, words):
    conditions = [Condition("c", "c", holds, "")]
    address = parse_vault("abc", "public")
    answer = PolicyAnswer(policy, ())
    found = ReleaseFindings(_KEY, address, "", conditions, answer, ())
    assert found.releases is releases
    if error is None:
        found.require_release()
        return
    with pytest.raises(error, match=words):
        found.require_release()


def test_a_policy_that_cannot_be_read_is_a_no():
    address = parse_vault("abc", "public")
    found = ReleaseFindings(_KEY, address, "", [Condition("c", "c", True, "")], None, ())
    assert found.releases is False
    with pytest.raises(EvidenceRejected, match="policy"):
        found.require_release()
