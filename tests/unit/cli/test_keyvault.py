"""`ccgpu keyvault`: policies, keys, and why a release would succeed or fail, as users see it."""

import base64
import json
import sys
from itertools import starmap
from pathlib import Path
from urllib.parse import unquote

import pytest
from azure.core.exceptions import HttpResponseError

from ccgpu.domain import release_policy
from ccgpu.fakearm import Response
from ccgpu.fakeguest.evidence.tokens import maa_signer
from support import faults
from support.key_vaults import (
    ADDRESS,
    GuestToken,
    add_vault,
    assign_role,
    key_client,
)
from support.slow import mostly_slow

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32 --identity system --backend fake"
_KEY = "--vault myvault --name model-key --backend fake"


def _with_vm(shell):
    add_vault(shell.arm)
    done = shell(_CREATE)
    assert done.code == 0, done


def _with_key(shell):
    _with_vm(shell)
    assert shell(f"keyvault create-key demo {_KEY} --type EC-HSM").code == 0
    assign_role(shell.arm, _principal(shell))


def _principal(shell):
    (vm,) = shell.arm._world.list_kind("Microsoft.Compute/virtualMachines")
    return vm.body["identity"]["principalId"]


@pytest.fixture
def demo(shell, prepared):
    """An attested VM with an identity, and a vault."""
    return _open(prepared(shell, _with_vm))


@pytest.fixture
def keyed(shell, prepared):
    """The same with a key for that VM, which its identity may release."""
    return _open(prepared(shell, _with_key))


def _open(shell):
    shell("list --backend fake")  # the attestation service is part of the back end
    return shell


def _vm_id(shell):
    return shell("show demo --backend fake -o json").document["vm_id"]


def _token(shell, **changes):
    reported = json.loads(shell("keyvault policy demo --backend fake --pin-measurement").out)
    claims = {one["claim"]: one["equals"] for one in reported["anyOf"][0]["allOf"]}
    tee = {
        name.removeprefix("x-ms-isolation-tee."): value
        for name, value in claims.items()
        if name.startswith("x-ms-isolation-tee.x-ms-sevsnpvm-")
    }
    made = GuestToken(shell.arm.now(), vm_id=_vm_id(shell), tee=tee, **changes).signed()
    path = Path("token.jwt")
    path.write_text(made)
    return path, made


def _released(shell, token, principal=None):
    try:
        return bool(key_client(shell.arm, principal).release_key("model-key", token).value)
    except HttpResponseError:
        return False


def test_the_policy_of_a_deployment(demo, golden):
    done = demo("keyvault policy demo --backend fake")
    golden("cli/keyvault-policy.txt", str(done))
    assert release_policy.parse(done.out.encode()).authorities


@pytest.mark.parametrize("kind", ["guest", "platform"])
def test_a_policy_is_written_for_one_kind_of_token(demo, kind):
    line = f"keyvault policy demo --backend fake --token-kind {kind} --any-vm --pin-measurement"
    conditions = json.loads(demo(line).out)["anyOf"][0]["allOf"]
    names = [one["claim"] for one in conditions]
    prefix = "x-ms-isolation-tee." if kind == "guest" else ""
    assert f"{prefix}x-ms-compliance-status" in names
    assert f"{prefix}x-ms-sevsnpvm-launchmeasurement" in names
    assert not any("vmUniqueId" in name or "vmid" in name for name in names)
    assert ("secureboot" in names) == (kind == "guest")


@pytest.mark.slow
def test_a_policy_is_written_to_a_new_file(demo):
    assert demo("keyvault policy demo --backend fake --out policy.json").out == ""
    assert release_policy.parse(Path("policy.json").read_bytes()).authorities
    assert demo("keyvault policy demo --backend fake --out policy.json").code == 2


def test_a_vm_that_is_not_attested_has_no_policy(demo, golden):
    assert demo("stop demo --backend fake").code == 0
    golden("cli/keyvault-policy-not-attested.txt", str(demo("keyvault policy demo --backend fake")))


@pytest.mark.slow
def test_the_policy_of_a_bundle_and_of_a_token_is_the_same(demo):
    assert demo("attest demo --save demo.json --backend fake").code == 0
    by_vm = demo("keyvault policy demo --backend fake").out
    by_bundle = demo("keyvault policy --bundle demo.json --region eastus2 --backend fake")
    assert by_bundle.code == 0, by_bundle
    assert by_bundle.out == by_vm
    path, token = _token(demo)
    assert demo(f"keyvault policy --claims {path} --backend fake").out == by_vm
    demo.stdin = token.encode()
    assert demo("keyvault policy --claims - --backend fake").out == by_vm


@pytest.mark.slow
def test_evidence_that_is_not_accepted_has_no_policy(demo):
    assert demo("attest demo --save demo.json --backend fake").code == 0
    document = json.loads(Path("demo.json").read_text())
    document["cpu"]["quote"] = document["cpu"]["signature"]
    Path("bad.json").write_text(json.dumps(document))
    done = demo("keyvault policy --bundle bad.json --region eastus2 --backend fake")
    assert (done.code, done.out) == (9, "")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("", 2, "nothing is given"),
        ("demo --claims x", 2, "several are given"),
        ("--claims missing", 3, "cannot be read"),
        ("--claims text", 3, "is no token, and no claims"),
        ("--claims other.json", 3, "is not an attestation service"),
        ("--claims claims.json", 2, "not those of a guest's token"),
        ("--claims claims.json --token-kind platform", 2, "x-ms-attestation-type is None"),
        ("--claims - ", 2, "- is standard input, and that is a terminal"),
        ("demo --authority https://evil.example", 2, "no attestation provider"),
        ("demo --token-kind both", 2, "token-kind"),
    ],
)
def test_what_no_policy_can_be_written_from_is_refused(shell, words, code, message):
    Path("text").write_text("x.y")
    Path("other.json").write_text('{"iss": "https://evil.example"}')
    Path("claims.json").write_text('{"iss": "https://sharedweu.weu.attest.azure.net"}')
    done = shell(f"keyvault policy {words} --backend fake")
    assert (done.code, message in done.err) == (code, True), done
    assert done.out == ""


def test_standard_input_has_a_limit(shell):
    shell.stdin = b" " * 200_000
    done = shell("keyvault policy --claims - --backend fake")
    assert (done.code, "larger than 131072" in done.err) == (3, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--bundle demo.json", "does not say in which region"),
        ("--bundle demo.json --region atlantis", "no shared attestation provider in atlantis"),
    ],
)
def test_the_provider_of_a_bundle_must_be_told(shell, words, message):
    done = shell(f"keyvault policy {words} --backend fake")
    assert (done.code, message in done.err) == (2, True), done


@pytest.mark.slow
def test_a_provider_of_your_own(demo):
    own = "https://mine.weu.attest.azure.net"
    done = demo(f"keyvault policy demo --authority {own}/ --backend fake")
    assert json.loads(done.out)["anyOf"][0]["authority"] == own


@pytest.mark.slow
def test_a_key_is_created_for_a_deployment(demo, golden):
    done = demo(f"keyvault create-key demo {_KEY} -o json --type EC-HSM")
    assert done.code == 0, done
    document = done.document
    assert (document["schema"], document["simulated"]) == ("ccgpu.keyvault-key/1", True)
    assert (document["type"], document["exportable"]) == ("EC-HSM", True)
    assert document["release_policy"] == json.loads(demo("keyvault policy demo --backend fake").out)
    golden("cli/keyvault-create-again.txt", str(demo(f"keyvault create-key demo {_KEY}")))
    more = "--new-version --size 2048"
    golden("cli/keyvault-create.txt", str(demo(f"keyvault create-key demo {_KEY} {more}")))


def test_a_policy_is_of_the_evidence_that_was_judged_though_its_file_changes(demo):
    """Its file is opened once: what a second reading finds, nobody has judged."""
    opened: list[str] = []
    watched = [opened]

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if watched and event == "open" and str(arguments[0]).endswith("demo.bundle"):
            opened.append(str(arguments[0]))

    sys.addaudithook(watch)  # it cannot be removed
    assert demo("keyvault policy demo --backend fake").code == 0
    watched.clear()
    assert len(opened) == 1


def test_a_key_is_created_under_a_policy_of_a_file(demo):
    demo("keyvault policy demo --any-vm --out policy.json --backend fake")
    line = f"keyvault create-key --policy policy.json {_KEY} --type EC-HSM --immutable -o json"
    made = demo(line).document
    assert made["immutable"] is True
    assert made["release_policy"] == json.loads(Path("policy.json").read_text())
    Path("policy.json").write_text('{"version": "1.0.0", "anyOf": [{}]}')
    done = demo(line)
    assert (done.code, "anyOf[0].authority" in done.err) == (3, True)


def test_a_key_is_for_no_other_attestation_service_and_its_policy_is_looked_at(demo):
    own = {"authority": "https://own.weu.attest.azure.net/", "allOf": [{"claim": "a", "equals": 1}]}
    policy = {"version": "1.0.0", "anyOf": [own, own | {"authority": "https://evil.example"}]}
    Path("policy.json").write_text(json.dumps(policy))
    line = f"keyvault create-key --policy policy.json {_KEY} --type EC-HSM"
    done = demo(line)
    assert (done.code, "anyOf[1].authority" in done.err) == (3, True)
    Path("policy.json").write_text(json.dumps(policy | {"anyOf": [own]}))
    done = demo(line)
    assert done.code == 0
    assert "a VM gets the key without x-ms-attestation-type" in done.err
    assert len(demo(f"{line} --new-version -o json").document["not_demanded"]) == 6


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("demo --policy x", 2, "several are given"),
        ("", 2, "nothing is given"),
        ("demo --size 1024", 2, "--size 1024 is none of"),
        ("demo --vault a_b", 2, "no name of a vault"),
        ("demo --name a/b", 2, "no name of a key"),
    ],
)
def test_a_key_that_cannot_be_is_refused_before_the_first_request(shell, words, code, message):
    done = shell(f"keyvault create-key {_KEY} {words}")
    assert (done.code, message in done.err) == (code, True), done
    assert shell.arm.show()["requests"] == []


@pytest.mark.slow
def test_a_key_that_would_be_released_to_the_vm(keyed, golden):
    golden("cli/keyvault-check.txt", str(keyed(f"keyvault check demo {_KEY}")))
    path, token = _token(keyed)
    done = keyed(f"keyvault check demo --token {path} {_KEY} -o json")
    assert (done.code, done.document["releases"]) == (0, True), done
    assert done.document["schema"] == "ccgpu.keyvault-check/1"
    assert _released(keyed, token, _principal(keyed))
    keyed.stdin = token.encode()
    assert keyed(f"keyvault check --token - {_KEY}").code == 0


@pytest.mark.slow
def test_the_expected_claims_are_those_of_the_token(keyed):
    """A token is held against the policy as the expected claims are: clause by clause."""
    path, _ = _token(keyed)
    documents = [
        keyed(f"keyvault check demo {more} {_KEY} -o json").document["policy"]
        for more in ("", f"--token {path}")
    ]
    assert documents[0] == documents[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "reason"),
    mostly_slow(
        starmap(
            pytest.param,
            [
                ({"tee": {"x-ms-sevsnpvm-is-debuggable": True}}, "policy"),
                ({"vm_id": "2dedc52a-0000-4000-8000-000000000000"}, "policy"),
                ({"signer": maa_signer()}, "token.signature"),
                ({"claims": {"exp": 1}}, "token.exp.past"),
                ({"keys": []}, "maa.release.key"),
            ],
        ),
        3,
    ),
)
def test_a_token_that_gets_nothing(keyed, changes, reason):
    path, _ = _token(keyed)
    defaults = {"vm_id": _vm_id(keyed)}
    if {"vm_id", "tee"} & changes.keys():
        path.write_text(GuestToken(keyed.arm.now(), **{**defaults, **changes}).signed())
    else:
        _token(keyed, **changes)
    done = keyed(f"keyvault check --token {path} {_KEY} -o json")
    assert done.code == 9, done
    assert done.document["releases"] is False
    assert reason in json.loads(done.err.splitlines()[-1])["message"]


@pytest.mark.slow
def test_another_vm_does_not_get_the_key(keyed, golden):
    path, _ = _token(keyed)
    path.write_text(GuestToken(keyed.arm.now()).signed())
    golden("cli/keyvault-check-other.txt", str(keyed(f"keyvault check --token {path} {_KEY}")))


@pytest.mark.slow
def test_a_policy_for_the_other_kind_of_token(demo, golden):
    line = f"keyvault create-key demo {_KEY} --token-kind platform --type EC-HSM"
    assert demo(line).code == 0
    assign_role(demo.arm, _principal(demo))
    golden("cli/keyvault-check-prefix.txt", str(demo(f"keyvault check demo {_KEY}")))
    assert demo(f"keyvault check demo --token-kind platform {_KEY}").code == 0


@pytest.mark.slow
def test_the_identity_needs_a_right(demo):
    assert demo(f"keyvault create-key demo {_KEY} --type EC-HSM").code == 0
    _, token = _token(demo)
    done = demo(f"keyvault check demo {_KEY}")
    assert (done.code, "identity.release" in done.err) == (9, True)
    assert not _released(demo, token, _principal(demo))


@pytest.mark.slow
def test_a_vm_without_an_identity_gets_nothing(shell, prepared):
    def without(one):
        add_vault(one.arm)
        assert one(_CREATE.replace("--identity system", "")).code == 0
        assert one(f"keyvault create-key demo {_KEY} --type EC-HSM").code == 0

    done = _open(prepared(shell, without))(f"keyvault check demo {_KEY}")
    assert (done.code, "identity.assigned" in done.err) == (9, True), done


def test_what_cannot_be_read_is_not_known(keyed):
    keyed.arm.configure(
        {"principal": ["Microsoft.KeyVault/*", "Microsoft.Compute/*", "Microsoft.Network/*"]}
    )
    done = keyed(f"keyvault check demo -g ccgpu-demo {_KEY} -o json")
    assert done.code == 8, done
    held = {one["id"]: one["ok"] for one in done.document["conditions"]}
    assert (held["vault.sku"], held["identity.release"], held["key.hsm"]) == (None, None, True)


@pytest.mark.slow
def test_roles_that_cannot_be_read_are_not_known(keyed):
    keyed.arm.configure(
        {
            "principal": [
                *("Microsoft.KeyVault/*", "Microsoft.Compute/*", "Microsoft.Network/*"),
                "Microsoft.Resources/*",
            ]
        }
    )
    done = keyed(f"keyvault check demo {_KEY} -o json")
    held = {one["id"]: one["ok"] for one in done.document["conditions"]}
    assert (done.code, held["vault.sku"], held["identity.release"]) == (8, True, None), done


def test_a_managed_hsm_has_roles_of_its_own(keyed):
    """Its data plane is not simulated: the answers are those of a vault with its name."""
    seen = []

    def hsm(request):
        if not request.host.endswith(".managedhsm.azure.net"):
            return None
        seen.append(request)
        (found,) = keyed.arm._world.list_kind("Microsoft.KeyVault/vaults")
        return Response(200, found.internal_state["keys"]["model-key"]["versions"][-1]["body"])

    keyed.arm.faults.append(hsm)
    line = "keyvault check demo --vault myvault.managedhsm.azure.net --name model-key"
    done = keyed(f"{line} --backend fake -o json")
    held = {one["id"]: one["ok"] for one in done.document["conditions"]}
    assert (done.code, held["vault.sku"], held["identity.release"]) == (8, True, None), done
    assert seen


def test_a_policy_that_ccgpu_cannot_read_is_a_no(keyed):
    policy = {"version": "1.0.0", "anyOf": [{"authority": "a", "allOf": [{"claim": "a"}]}]}

    def newer(request):
        if request.method != "GET" or request.host != ADDRESS.host:
            return None
        (found,) = keyed.arm._world.list_kind("Microsoft.KeyVault/vaults")
        body = found.internal_state["keys"]["model-key"]["versions"][-1]["body"]
        data = base64.urlsafe_b64encode(json.dumps(policy).encode()).decode().rstrip("=")
        return Response(200, {**body, "release_policy": {"data": data}})

    keyed.arm.faults.append(newer)
    done = keyed(f"keyvault check demo {_KEY} -o json")
    assert (done.code, done.document["policy"]) == (9, None)
    assert "policy.read" in done.err


@pytest.mark.slow
def test_a_missing_key_a_deleted_one_and_a_missing_vault(keyed, golden):
    assert keyed("keyvault check demo --vault myvault --name other --backend fake").code == 4
    key_client(keyed.arm).begin_delete_key("model-key", _polling_interval=0)
    texts = [
        str(keyed(f"keyvault check demo {_KEY}")),
        str(keyed(f"keyvault create-key demo {_KEY}")),
    ]
    other = "--vault nowhere --name k --backend fake"
    texts.append(str(keyed(f"keyvault check demo {other}")))
    golden("cli/keyvault-missing.txt", "\n".join(texts))


@pytest.mark.slow
def test_a_version_is_looked_at_alone(keyed):
    first = key_client(keyed.arm).get_key("model-key").properties.version
    assert keyed(f"keyvault create-key demo {_KEY} --new-version --type EC-HSM").code == 0
    key_client(keyed.arm).update_key_properties("model-key", enabled=False)
    assert keyed(f"keyvault check demo {_KEY}").code == 9
    assert keyed(f"keyvault check demo {_KEY} --version {first}").code == 0
    assert keyed(f"keyvault check demo {_KEY} --version latest").code == 2


def test_nothing_to_hold_the_policy_against(shell):
    done = shell(f"keyvault check {_KEY}")
    assert (done.code, "nothing to hold the policy against" in done.err) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize("line", mostly_slow(["create-key demo", "check demo"], 2))
def test_without_the_package_the_command_that_installs_it_is_named(demo, monkeypatch, line):
    monkeypatch.setitem(sys.modules, "azure.keyvault.keys", None)
    done = demo(f"keyvault {line} {_KEY}")
    assert (done.code, "pip install 'ccgpu[keyvault]'" in done.err) == (2, True), done
    assert demo("keyvault policy demo --backend fake").code == 0


def test_check_releases_and_changes_nothing(keyed):
    before = len(keyed.arm.show()["requests"])
    assert keyed(f"keyvault check demo {_KEY}").code == 0
    methods = {one["method"] for one in keyed.arm.show()["requests"][before:]}
    assert methods == {"GET"}


def _concerns_keys(request):
    """Requests about keys, vaults, tokens and rights, not those that look for the deployment."""
    parts = (".vault.azure.net", ".attest.azure.net", "KeyVault", "Microsoft.Authorization")
    return any(part in unquote(request.url) for part in parts)


def _faulty_checks(shell, status, code):
    """The results of checks in each of which another request is refused once."""
    _token(shell)
    seen = []
    shell.arm.faults[:] = [
        lambda request: seen.append(request) if _concerns_keys(request) else None
    ]
    assert shell(f"keyvault check demo --token token.jwt {_KEY}").code == 0
    assert len(seen) == 6  # key, key set, list of vaults, vault, role assignments, role
    for number in range(len(seen)):
        error = Response(status, {"error": {"code": code, "message": "no"}})
        fault = faults.NthRequest(number, _concerns_keys, error)
        shell.arm.faults[:] = [fault]
        yield shell(f"keyvault check demo --token token.jwt {_KEY}")
        assert fault.fired


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "InvalidAuthenticationToken"), (403, "Forbidden"), (404, "ResourceNotFound")],
)
def test_whatever_cannot_be_read_is_never_a_yes(keyed, status, code):
    """A check would say yes; each request that it makes is refused once."""
    for done in _faulty_checks(keyed, status, code):
        assert done.code in (4, 8, 9), done


@pytest.mark.slow
@pytest.mark.parametrize("status", [429, 503])
def test_what_passes_is_waited_for(keyed, status):
    for done in _faulty_checks(keyed, status, "Throttled"):
        assert done.code == 0, done
    assert keyed.arm.slept == 0
