"""Who is signed in, and why nobody is: told on the command line, to people and to scripts."""

import os
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from ccgpu.cli.backends import open_backend
from ccgpu.fakearm import FakeCredential, Request, Response, tokens
from support import faults
from support.az import AZ, Az
from support.cli import Shell
from support.cloud import make_backend

_SUBSCRIPTION = "00000000-0000-4000-8000-0000000000aa"
_AZURE = f"--backend azure --subscription {_SUBSCRIPTION}"
_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"


@pytest.fixture
def az(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Az:
    """A machine whose only credential is `az`, and whose Azure is the real one."""
    found = Az(tmp_path / "bin")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", AZ)
    monkeypatch.setenv("PATH", str(found.folder))
    shell.backend = lambda connection: open_backend(connection, shell.state, dict(os.environ))
    return found


@pytest.mark.parametrize("command", ["list", "show demo", _CREATE, "plan demo --region eastus2"])
def test_the_cause_of_a_failed_sign_in_is_shown(shell: Shell, az: Az, command: str) -> None:
    az.fails("ERROR: AADSTS700082: The refresh token has expired due to inactivity.")
    done = shell(f"{command} {_AZURE} -o json")
    assert done.code == 4
    assert done.error["code"] == "AADSTS700082"
    assert "AADSTS700082: The refresh token has expired" in done.error["message"]
    assert "az login" in done.error["hint"]
    assert az.calls()[0][-2:] == ["--subscription", _SUBSCRIPTION]


def test_an_unresolvable_host_is_reported(shell: Shell, az: Az) -> None:
    az.fails(
        "ERROR: Failed to resolve 'login.microsoftonline.com' (host='login.microsoftonline.com')"
    )
    done = shell(f"list {_AZURE}")
    assert done.code == 4
    assert "the name login.microsoftonline.com cannot be resolved" in done.err
    assert "DefaultAzureCredential" not in done.err


@pytest.mark.slow
def test_the_credential_is_named_in_every_document(shell: Shell) -> None:
    for line in (f"plan {_CREATE[7:]}", _CREATE, "show demo", "list"):
        assert shell(f"{line} -o json").document["signed_in_with"] == "FakeCredential"


def test_a_denied_action_names_the_credential(shell: Shell) -> None:
    shell.arm.settings.set("principal", value=["*/read"])
    done = shell(f"{_CREATE} -o json")
    assert done.code == 4
    assert done.error["signed_in_with"] == "FakeCredential"
    assert "signed in with FakeCredential" in done.error["hint"]


class FromIPv6(FakeCredential):
    """A user who signed in over IPv6."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        claims = {"idtyp": "user", "ipaddr": "2001:db8::7"}
        return AccessToken(tokens.make_token(claims), 2_000_000_000)


def test_an_ipv6_sign_in_address_is_reported(shell: Shell) -> None:
    shell.backend = lambda _: make_backend(shell.arm, shell.state, FromIPv6())
    done = shell("create demo --region eastus2 -o json")
    assert done.code == 2
    assert "2001:db8::7" in done.error["message"]
    assert "IPv6" in done.error["message"]
    assert "--ssh-from ADDRESS/32" in done.error["hint"]
    assert shell.writes() == []


def _deletes_group(request: Request) -> bool:
    return request.method == "DELETE" and request.path.endswith("/ccgpu-demo")


@pytest.mark.slow
def test_a_failed_group_delete_names_the_blocking_resource(shell: Shell) -> None:
    assert shell(f"{_CREATE} --no-wait").code == 0
    body: Any = {
        "Error": {
            "Code": "ResourceGroupDeletionBlocked",
            "Message": "Deletion of resource group 'ccgpu-demo' failed.",
            "Details": [{"Target": "/theirs/vault", "Message": "The vault is not empty"}],
        }
    }
    there = {"Location": "https://management.azure.com/subscriptions/s/operationresults/1"}
    group = faults.NthRequest(0, _deletes_group, Response(202, None, there), times=None)
    ends = faults.NthRequest(
        0, faults.request_to("GET", "/operationresults/1"), Response(409, body), times=None
    )
    shell.arm.faults += [group, ends]
    done = shell("delete demo --yes")
    assert done.code in (4, 7)
    assert "/theirs/vault: The vault is not empty" in done.err
    assert "[ResourceGroupDeletionBlocked]" in done.err
