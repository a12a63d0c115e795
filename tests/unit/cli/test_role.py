"""`ccgpu role`: a role for a spec, for the user's subscription, without asking anybody."""

import json
import os
import subprocess
import sys

import pytest

_ID = "11111111-2222-4333-8444-555555555555"

_NOBODYS = "00000000-0000-0000-0000-000000000000"


def test_a_role_needs_neither_a_name_nor_azure(shell):
    done = shell("role")
    assert done.code == 0
    assert done.document["Name"] == "ccgpu operator"
    assert done.document["AssignableScopes"] == [
        f"/subscriptions/{'0' * 8}-0000-0000-0000-{'0' * 12}"
    ]
    assert shell.reached == []


def test_the_role_is_assignable_in_the_given_subscription(shell, monkeypatch, home):
    assert shell(f"role --subscription {_ID}").document["AssignableScopes"] == [
        f"/subscriptions/{_ID}"
    ]
    (home / ".azure").mkdir()
    profile = {"subscriptions": [{"id": _ID, "isDefault": True}]}
    (home / ".azure" / "azureProfile.json").write_text(json.dumps(profile))
    assert _ID in shell("role").out
    other = _ID.replace("1", "2")
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", other)
    assert other in shell("role").out


def test_the_group_role_names_the_rights_needed_elsewhere(shell):
    done = shell(f"role demo --subscription {_ID} --scope rg")
    assert done.document["AssignableScopes"] == [f"/subscriptions/{_ID}/resourceGroups/ccgpu-demo"]
    assert f"Microsoft.Compute/skus/read at /subscriptions/{_ID}\n" in done.err
    assert "Microsoft.Compute/skus/read" not in done.out


def test_the_group_role_needs_a_name(shell):
    done = shell("role --scope rg")
    assert done.code == 2
    assert "the VM has no name" in done.err
    assert "ccgpu create" not in done.err  # who asks for a role does not want a VM
    assert shell(f"role --scope rg --resource-group lab --subscription {_ID}").code == 2


def test_role_validates_its_spec(shell, tmp_path):
    (tmp_path / "work" / "vm.yaml").write_text("name: own\nprivat: true\n")
    assert shell("role -f vm.yaml").code == 3
    (tmp_path / "work" / "vm.yaml").write_text("name: own\nprivate: true\n")
    made = shell("role -f vm.yaml").document
    assert made["Name"] == "ccgpu own"
    assert "Microsoft.Network/natGateways/write" in made["Actions"]


@pytest.mark.slow
def test_a_role_loads_no_sdk():
    code = (
        "import sys; from ccgpu.cli.main import run, process_runtime;"
        "run(['role'], process_runtime());"
        "print([m for m in sys.modules if m.startswith('azure')], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stderr.strip() == "[]"


def test_what_is_asked_for_besides_is_in_the_role(shell):
    plain = set(shell("role demo").document["Actions"])
    more = shell("role demo --gallery-group images --make-gallery-group --render arm --render az")
    added = set(more.document["Actions"]) - plain
    assert "Microsoft.Resources/deployments/write" in added
    assert "Microsoft.Compute/galleries/write" in added
    done = shell("role demo --make-gallery-group")
    assert (done.code, "--gallery-group GROUP" in done.err) == (2, True)
    assert shell("role demo --render terraform").code == 2
