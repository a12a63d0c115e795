"""Which credentials are tried, in which order, and the error when none gives a token.

`az` is a script on PATH; Entra, the network and the machine's identity are never reached.
"""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessTokenInfo
from azure.core.exceptions import (
    ClientAuthenticationError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
)
from azure.core.rest import HttpRequest

from ccgpu.azure.credentials import ChainMember, NamedCredential, default_credential
from ccgpu.azure.errors import translating_errors
from ccgpu.azure.session import ENVIRONMENTS
from ccgpu.errors import NotSignedIn, UsageProblem
from ccgpu.net.transport import CONNECT, READ, network_transport
from ccgpu.scheduling.clock import RealClock
from ccgpu.scheduling.time_left import ending_at
from support.az import AZ, Az

_SUBSCRIPTION = "00000000-0000-4000-8000-0000000000aa"
_AUTHORITY = ENVIRONMENTS["public"].authority
_SCOPE = ENVIRONMENTS["public"].scope


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Az:
    """A machine with only `az`; its credential is the only one tried."""
    for name in [one for one in os.environ if one.startswith(("AZURE_", "IDENTITY_", "MSI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    found = Az(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(found.folder))
    return found


def _credential(subscription: str = _SUBSCRIPTION) -> NamedCredential:
    return default_credential(_AUTHORITY, subscription, {})


def _failure(credential: NamedCredential) -> NotSignedIn:
    with pytest.raises(NotSignedIn) as caught, translating_errors("reading"):
        credential.get_token_info(_SCOPE)
    return caught.value


def test_az_is_called_with_the_subscription(az: Az) -> None:
    az.prints_token("the-token")
    credential = _credential()
    assert credential.signed_in_with is None
    assert credential.get_token(_SCOPE).token == "the-token"
    assert az.calls()[0][-2:] == ["--subscription", _SUBSCRIPTION]
    assert credential.signed_in_with == AZ


def test_an_invalid_subscription_id_is_refused_before_az_is_called(az: Az) -> None:
    with pytest.raises(UsageProblem, match="is not a subscription id"):
        _credential("x; rm -rf /")
    assert az.calls() == []


@pytest.mark.parametrize(
    ("stderr", "code", "told", "hint"),
    [
        pytest.param(
            "ERROR: HTTPSConnectionPool(host='login.microsoftonline.com', port=443): Max retries "
            'exceeded with url: /x (Caused by NameResolutionError("Failed to resolve '
            "'login.microsoftonline.com' ([Errno -2] Name or service not known)\"))",
            "NameResolution",
            "login.microsoftonline.com cannot be resolved",
            "DNS",
            id="name resolution",
        ),
        pytest.param(
            "ERROR: HTTPSConnectionPool(host='login.microsoftonline.com', port=443): Max retries "
            "exceeded with url: /x (Caused by NewConnectionError('Connection refused'))",
            "SignInUnreachable",
            "login.microsoftonline.com cannot be reached",
            "network",
            id="refused",
        ),
        pytest.param(
            "ERROR: HTTPSConnectionPool(host='login.microsoftonline.com', port=443): (Caused by "
            "SSLError(SSLCertVerificationError('certificate verify failed')))",
            "CertificateNotTrusted",
            "the certificate of login.microsoftonline.com is not trusted",
            "REQUESTS_CA_BUNDLE",
            id="a proxy that reads TLS",
        ),
        pytest.param(
            "ERROR: AADSTS700082: The refresh token has expired due to inactivity.\n"
            "Interactive authentication is needed. Please run:\naz login\n",
            "AADSTS700082",
            "AADSTS700082: The refresh token has expired due to inactivity",
            "`az login` again",
            id="expired",
        ),
        pytest.param(
            "ERROR: AADSTS50020: User account 'a@b' from identity provider 'live.com' does not "
            "exist in tenant 'Contoso'. To re-authenticate, please run:\naz login",
            "AADSTS50020",
            "does not exist in tenant 'Contoso'",
            "--tenant TENANT",
            id="wrong tenant",
        ),
        pytest.param(
            f"ERROR: Subscription '{_SUBSCRIPTION}' not found. Check the spelling and casing.",
            "SubscriptionNotFound",
            f"Subscription '{_SUBSCRIPTION}' not found",
            "az account list",
            id="another account's subscription",
        ),
        pytest.param(
            "ERROR: Please run 'az login' to setup account.",
            "Unauthenticated",
            "not signed in",
            "az login",
            id="nobody",
        ),
        pytest.param(
            "ERROR: The command failed with an unexpected error: database disk image is malformed",
            "Unauthenticated",
            "AzureCliCredential: The command failed with an unexpected error: database disk",
            "az login",
            id="something new",
        ),
    ],
)
def test_the_cause_of_a_failed_sign_in_is_shown(
    az: Az, stderr: str, code: str, told: str, hint: str
) -> None:
    az.fails(stderr)
    err = _failure(_credential())
    assert err.code == code
    assert told in str(err)
    assert hint in str(err.hint)
    assert "\n" not in str(err)
    assert "DefaultAzureCredential failed" not in str(err)


def test_a_missing_az_is_reported(az: Az) -> None:
    az.remove()
    err = _failure(_credential())
    assert str(err) == f"reading: not signed in (tried: {AZ})"
    assert "az login" in str(err.hint)


@pytest.mark.usefixtures("az")
def test_a_claims_challenge_is_shown_with_the_az_login_command() -> None:
    credential = _credential()
    with pytest.raises(NotSignedIn) as caught, translating_errors("reading"):
        credential.get_token_info(_SCOPE, options={"claims": "{}"})
    assert caught.value.code == "ClaimsChallenge"
    assert "`az login --claims-challenge e30=" in str(caught.value.hint)


def test_a_network_error_after_the_sign_in_is_transient(az: Az) -> None:
    az.prints_token("the-token")
    credential = _credential()
    credential.get_token(_SCOPE)
    az.fails("Failed to resolve 'login.microsoftonline.com'")
    with pytest.raises(ServiceRequestError, match="cannot be resolved"):
        credential.get_token(_SCOPE)


def test_no_token_is_shown(az: Az) -> None:
    az.prints('{"accessToken": "SECRET", "nonsense": 1}')
    assert "SECRET" not in str(_failure(_credential()))


def _names(credential: NamedCredential) -> list[str]:
    chain: Any = credential.credential
    return [one.name for one in chain.credentials]


@pytest.mark.usefixtures("az")
def test_az_login_is_tried_before_the_managed_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_TOKEN_CREDENTIALS")
    names = _names(_credential())
    assert names.index("EnvironmentCredential") < names.index("WorkloadIdentityCredential")
    assert names.index("WorkloadIdentityCredential") < names.index(AZ)
    assert names.index(AZ) + 1 == names.index("ManagedIdentityCredential")
    named = default_credential(_AUTHORITY, _SUBSCRIPTION, {"AZURE_CLIENT_ID": "x"})
    names = _names(named)
    assert names.index("ManagedIdentityCredential") < names.index(AZ)


@pytest.mark.usefixtures("az")
@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("AzureCliCredential", [AZ]),
        ("managedidentitycredential", ["ManagedIdentityCredential"]),
        (
            "prod",
            [
                "EnvironmentCredential",
                "WorkloadIdentityCredential",
                "ManagedIdentityCredential",
            ],
        ),
    ],
)
def test_azure_token_credentials_selects_as_documented(
    monkeypatch: pytest.MonkeyPatch, value: str, names: list[str]
) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", value)
    assert _names(_credential()) == names


@pytest.mark.usefixtures("az")
@pytest.mark.parametrize("cloud", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_the_sign_in_uses_the_authority_of_the_cloud(
    monkeypatch: pytest.MonkeyPatch, cloud: Any
) -> None:
    for name in ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.setenv(f"AZURE_{name}", "x")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    found: Any = default_credential(cloud.authority, _SUBSCRIPTION, {})
    environment = found.credential.credentials[0].credential
    assert environment._credential._authority == f"https://{cloud.authority}"


def test_the_sign_in_has_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    named = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}
    job = {f"ACTIONS_ID_TOKEN_REQUEST_{one}": "https://issuer.example" for one in ("URL", "TOKEN")}
    for name, value in (named | {"AZURE_CLIENT_SECRET": "s"}).items():
        monkeypatch.setenv(name, value)
    chain: Any = default_credential(_AUTHORITY, _SUBSCRIPTION, named)
    in_a_job: Any = default_credential(_AUTHORITY, _SUBSCRIPTION, named | job)
    environment = chain.credential.credentials[0].credential
    for client in (environment._credential._client, in_a_job.credential.credential._client):
        config = client._pipeline._transport.connection_config
        assert (config.timeout, config.read_timeout) == (CONNECT, READ)


def test_az_gets_no_more_time_than_the_request_that_needs_the_token(az: Az) -> None:
    clock = RealClock()
    began = clock.now()
    az.hangs(20)
    with ending_at(clock, began + 0.5):
        _failure(_credential())
    assert clock.now() - began < 10.0


def test_the_sdk_of_the_sign_in_does_not_wait_beyond_the_time_left() -> None:
    """Its retries wait in the transport, and each request has the time-outs that are left."""
    clock, transport = RealClock(), network_transport()
    with ending_at(clock, clock.now() + 5.0), pytest.raises(ServiceRequestTimeoutError):
        transport.sleep(6.4)
    over = clock.now() - 1.0
    with ending_at(clock, over), pytest.raises(ServiceRequestTimeoutError):
        transport.send(HttpRequest("GET", "https://localhost:1"))


def test_a_credential_without_a_token_is_not_named(az: Az) -> None:
    az.fails("ERROR: Please run 'az login' to setup account.")
    credential = _credential()
    _failure(credential)
    assert credential.signed_in_with is None


def test_tokens_have_an_expiry(az: Az) -> None:
    az.prints_token("t", seconds=3600)
    info: AccessTokenInfo = _credential().get_token_info(_SCOPE)
    assert info.expires_on > time.time()  # noqa: TID251  # the SDK's clock
    assert json.dumps(info.expires_on)


def test_a_failed_sign_in_of_one_thread_is_not_lost_to_another() -> None:
    """`list` sends several requests at once, and each signs in."""
    failed, other_began = threading.Event(), threading.Event()

    class Meets:
        """Fails; a second thread begins before the first one tells it."""

        def get_token_info(self, *_: str, **__: Any) -> AccessTokenInfo:
            failed.set()
            raise ClientAuthenticationError("ERROR: Failed to resolve (host='login.example')")

    class Chain(Meets):
        def __init__(self, member: ChainMember) -> None:
            self.member = member

        def get_token_info(self, *scopes: str, **more: Any) -> AccessTokenInfo:
            try:
                return self.member.get_token_info(*scopes, **more)
            finally:
                other_began.wait(10)

    member = ChainMember(Meets(), "AzureCliCredential")
    credential = NamedCredential(Chain(member), [member])  # type: ignore[arg-type]
    told: list[str] = []
    first = threading.Thread(target=lambda: told.append(str(_failure(credential))))
    first.start()
    failed.wait(10)
    member.attempt = None  # what the second thread does when it begins
    other_began.set()
    first.join(10)
    assert "AzureCliCredential: the name login.example cannot be resolved" in told[0]
