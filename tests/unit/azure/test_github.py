"""Sign-in from GitHub Actions, against an issuer on this machine that speaks HTTPS."""

import io
import json
import logging
import socket
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from azure.core.credentials import AccessTokenInfo
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import ClientAssertionCredential, DefaultAzureCredential
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from ccgpu.azure.arm import Arm
from ccgpu.azure.credentials import default_credential
from ccgpu.azure.errors import translating_errors
from ccgpu.azure.github import Assertions, assertion_source
from ccgpu.azure.long_running import send_alone
from ccgpu.azure.run import Run
from ccgpu.azure.session import ENVIRONMENTS, Session
from ccgpu.domain.catalog import Kind
from ccgpu.errors import NotSignedIn, SignInUnavailable
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeCredential, FakeTransport
from support.cloud import Machine
from support.issuer import REQUEST_TOKEN, running_issuer

_AUTHORITY = ENVIRONMENTS["public"].authority
_SUBSCRIPTION = FAKE_SUBSCRIPTION
_SCOPE = ENVIRONMENTS["public"].scope


@pytest.fixture
def issuer(tmp_path):
    with running_issuer(tmp_path) as issuer:
        yield issuer


@pytest.fixture
def fetch(issuer):
    return Assertions(issuer.url, REQUEST_TOKEN, issuer.transport)


class Entra(BaseAdapter):
    """Gives a token for each new assertion; an assertion expires too soon to be used twice.

    Its tokens are about to expire, as after hours of a job.
    """

    def __init__(self):
        super().__init__()
        self.seen = []

    def send(self, request: Any, *_: Any, **__: Any) -> requests.Response:
        (assertion,) = parse_qs(request.body)["client_assertion"]
        good = assertion not in self.seen
        self.seen.append(assertion)
        token = {"access_token": f"token{len(self.seen)}", "expires_in": 0, "token_type": "Bearer"}
        body = token if good else {"error": "invalid_client", "error_description": "AADSTS700024"}
        response = requests.Response()
        response.status_code = 200 if good else 401
        response.url, response.request = request.url, request
        response.headers["Content-Type"] = "application/json"
        response.raw = HTTPResponse(io.BytesIO(json.dumps(body).encode()), preload_content=False)
        return response

    def close(self):
        """Nothing is open."""


def _credential(fetch, entra):
    session = requests.Session()
    session.mount("https://", entra)
    transport = RequestsTransport(session=session, session_owner=False)
    return ClientAssertionCredential("tenant", "client", fetch, transport=transport)


def test_each_token_request_gets_a_new_assertion(issuer, fetch):
    entra = Entra()
    credential = _credential(fetch, entra)
    assert [credential.get_token(_SCOPE).token for _ in range(2)] == ["token1", "token2"]
    assert entra.seen == issuer.given
    assert len(set(issuer.given)) == 2


def test_the_assertion_is_requested_for_entra_with_the_jobs_token(issuer, fetch):
    assert fetch() == issuer.given[0]
    assert issuer.requests == [
        {
            "query": {"api-version": ["2.0"], "audience": ["api://AzureADTokenExchange"]},
            "authorization": f"Bearer {REQUEST_TOKEN}",
        }
    ]


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ((500, "no"), "OidcUnavailable", "answered 500"),
        ((429, "{}"), "OidcUnavailable", "answered 429"),
        ((403, '{"value": "a.b.c"}'), "OidcRefused", "answered 403"),
        ((302, ""), "OidcRefused", "answered 302"),
        ((200, "<html>"), "OidcRefused", "without an assertion"),
        ((200, "[]"), "OidcRefused", "without an assertion"),
        ((200, '{"value": "no jwt"}'), "OidcRefused", "without an assertion"),
        ((200, '{"value": 7}'), "OidcRefused", "without an assertion"),
    ],
)
def test_a_missing_assertion_is_a_failed_sign_in(issuer, fetch, answer, code, said):
    issuer.answer = answer
    with pytest.raises(NotSignedIn, match=said) as caught, translating_errors("reading"):
        _credential(fetch, Entra()).get_token(_SCOPE)
    assert (caught.value.code, caught.value.exit_code) == (code, 4)
    assert "id-token: write" in (caught.value.hint or "")
    assert len(issuer.requests) == 1


def test_an_unavailable_issuer_is_reported(issuer):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{nobody.getsockname()[1]}/token"
        with pytest.raises(NotSignedIn, match="cannot be reached") as caught:
            Assertions(url, REQUEST_TOKEN, issuer.transport)()
    assert caught.value.code == "OidcUnavailable"


def test_an_issuer_with_an_untrusted_certificate_gets_no_token(issuer):
    with pytest.raises(NotSignedIn, match="cannot be reached"):
        Assertions(issuer.url, REQUEST_TOKEN)()
    assert issuer.requests == []


def test_the_jobs_token_is_sent_only_over_https(issuer):
    plain = issuer.url.replace("https:", "http:")
    with pytest.raises(NotSignedIn, match="no HTTPS address") as caught:
        Assertions(plain, REQUEST_TOKEN, issuer.transport)()
    assert caught.value.code == "OidcRefused"
    assert issuer.requests == []


@pytest.mark.parametrize("answer", [None, (500, "no"), (200, "<html>")])
def test_neither_token_nor_assertion_is_logged_or_shown(issuer, fetch, answer, caplog):
    issuer.answer = answer
    caplog.set_level(logging.DEBUG)
    told = ""
    try:
        _credential(fetch, Entra()).get_token(_SCOPE)
    except NotSignedIn as err:
        told = f"{err} {err.hint} {err!r}"
    for secret in (REQUEST_TOKEN, *issuer.given):
        assert secret not in caplog.text + told


def test_a_job_with_an_identity_uses_the_github_credential(issuer):
    found: Any = default_credential(_AUTHORITY, _SUBSCRIPTION, issuer.environ())
    assert isinstance(found.credential.credential, ClientAssertionCredential)
    found.close()


@pytest.mark.parametrize(
    "missing",
    [
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "AZURE_CLIENT_ID",
        "AZURE_TENANT_ID",
    ],
)
def test_without_one_of_the_four_variables_the_usual_chain_is_used(issuer, missing):
    environ = {name: value for name, value in issuer.environ().items() if name != missing}
    found = default_credential(_AUTHORITY, _SUBSCRIPTION, environ)
    assert isinstance(found.credential, DefaultAzureCredential)
    found.close()


def test_outside_of_a_job_there_is_no_issuer():
    assert assertion_source({}) is None


class Blinking(FakeCredential):
    """A credential whose issuer is temporarily unavailable."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._left = times

    def get_token_info(self, *scopes: str, options: Any = None) -> AccessTokenInfo:
        if self._left:
            self._left -= 1
            raise SignInUnavailable("the issuer is away", code="OidcUnavailable")
        return super().get_token_info(*scopes, options=options)


def test_a_temporarily_unavailable_issuer_is_asked_again(tmp_path):
    arm = FakeArm()
    cloud = Machine(arm, tmp_path).cloud
    session = Session(FAKE_SUBSCRIPTION, ENVIRONMENTS["public"], Blinking(3), FakeTransport(arm))
    adapter = Arm(session)
    group = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/none"
    run = Run.begin(cloud, 600)
    assert send_alone(run, lambda: adapter.get(Kind.GROUP, group), "reading") is None
    assert arm.now() > run.deadline.started
    arm.close()
