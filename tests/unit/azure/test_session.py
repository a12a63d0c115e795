"""The session: use of the token, the caller's address, and data never sent or logged."""

import base64
import json
import logging
import subprocess
import sys
from typing import Any
from uuid import UUID

import pytest
from azure.core import AzureClouds
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import AzureAuthorityHosts
from azure.mgmt.compute import ComputeManagementClient
from azure.mgmt.core.tools import get_arm_endpoints
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.azure.session import ENVIRONMENTS, Session
from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Resource, resource_id
from ccgpu.errors import AzureUnavailable, NotSignedIn
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeCredential, Response
from ccgpu.net.transport import CONNECT, READ
from support import faults

_VM = resource_id(FAKE_SUBSCRIPTION, "g", Kind.VM, "x")
_PUBLIC = "https://management.azure.com/.default"


def _token(claims: object) -> str:
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"header.{middle}.signature"


def _address(wire: Any, token: str) -> str | None:
    wire.tokens.token = token
    found: str | None = wire.session().caller_address()
    return found


@pytest.mark.parametrize(
    ("claims", "address"),
    [
        pytest.param({"idtyp": "user", "ipaddr": "203.0.113.7"}, "203.0.113.7", id="user"),
        pytest.param(
            {"scp": "user_impersonation", "ipaddr": "203.0.113.7"}, "203.0.113.7", id="scp"
        ),
        pytest.param({"idtyp": "app", "ipaddr": "203.0.113.7"}, None, id="app"),
        pytest.param({"ipaddr": "203.0.113.7"}, None, id="nobody says"),
        pytest.param({"idtyp": "user"}, None, id="no address"),
        pytest.param({"idtyp": "user", "ipaddr": "2001:DB8::1"}, "2001:db8::1", id="IPv6"),
        pytest.param(
            {"idtyp": "user", "ipaddr": "::ffff:203.0.113.7"}, "203.0.113.7", id="IPv4 in IPv6"
        ),
        pytest.param({"idtyp": "user", "ipaddr": "203.0.113.7/32"}, None, id="a network"),
        pytest.param({"idtyp": "user", "ipaddr": "0x7f.1"}, None, id="no address at all"),
        pytest.param({"idtyp": "user", "ipaddr": 3405803783}, None, id="a number"),
        pytest.param({"idtyp": "user", "ipaddr": None}, None, id="null"),
        pytest.param(["ipaddr"], None, id="a list"),
        pytest.param("text", None, id="text"),
    ],
)
def test_only_a_users_token_has_an_address(claims, address, wire):
    assert _address(wire, _token(claims)) == address
    assert wire.tokens.asked == [(_PUBLIC,)]


@given(st.text("abcdef", max_size=9))
def test_tokens_of_any_length_are_parsed(name):
    token = _token({"idtyp": "user", "ipaddr": "203.0.113.7", "name": name})
    credential: Any = _Given(token)
    assert Session("S", ENVIRONMENTS["public"], credential).caller_address() == "203.0.113.7"


@pytest.mark.parametrize("token", ["", "opaque", "a.b", "a.!!!.c", "a..c", "a.eyJ.c", "a.////.c"])
def test_an_unreadable_token_has_no_address(token, wire):
    assert _address(wire, token) is None


@given(st.text(), st.binary())
def test_any_token_is_parsed_without_an_error(text, raw):
    middle = base64.urlsafe_b64encode(raw).decode()
    for token in (text, f"a.{middle}.c", f"a.{text}.c"):
        credential: Any = _Given(token)
        Session("S", ENVIRONMENTS["public"], credential).caller_address()


class _Given:
    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_: str, **__: Any) -> Any:
        return type("Token", (), {"token": self._token})


@pytest.mark.parametrize("app", [False, True])
def test_the_fakes_tokens_are_of_the_two_kinds(app, wire):
    found = wire.session(credential=FakeCredential(app=app)).caller_address()
    assert (found is None) is app


def test_a_missing_sign_in_is_reported(wire):
    wire.tokens.refusal = ClientAuthenticationError("run az login\nor else")
    with pytest.raises(NotSignedIn, match=r"^signing in: run az login$"):
        wire.session().caller_address()
    with pytest.raises(NotSignedIn, match=r"^reading \S+: run az login$"):
        wire.adapter.get(Kind.VM, _VM)
    assert wire.seen == []


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_each_cloud_has_its_own_host_and_scope(name, wire):
    wire.replies.append(Response(200, {"value": []}))
    cloud = ENVIRONMENTS[name]
    client = wire.session(name).client(ComputeManagementClient)
    assert list(client.usage.list("eastus2")) == []
    assert [request.host for request in wire.seen] == [cloud.host]
    assert wire.tokens.asked == [(f"https://{cloud.host}/.default",)]
    assert (cloud.name, cloud.scope) == (name, f"https://{cloud.host}/.default")


@pytest.mark.parametrize(
    ("name", "cloud", "authority"),
    [
        ("public", AzureClouds.AZURE_PUBLIC_CLOUD, AzureAuthorityHosts.AZURE_PUBLIC_CLOUD),
        ("usgov", AzureClouds.AZURE_US_GOVERNMENT, AzureAuthorityHosts.AZURE_GOVERNMENT),
        ("china", AzureClouds.AZURE_CHINA_CLOUD, AzureAuthorityHosts.AZURE_CHINA),
    ],
)
def test_the_hosts_of_each_cloud_are_those_of_the_sdk(name, cloud, authority):
    endpoint = get_arm_endpoints(cloud)["resource_manager"]
    assert endpoint.rstrip("/") == f"https://{ENVIRONMENTS[name].host}"
    assert ENVIRONMENTS[name].authority == authority


def test_each_request_has_token_user_agent_and_request_id(wire):
    wire.replies += [faults.THROTTLED, faults.THROTTLED]
    for _ in range(2):
        with pytest.raises(AzureUnavailable):
            wire.adapter.get(Kind.VM, _VM)
    headers = [request.headers for request in wire.seen]
    assert [one["Authorization"] for one in headers] == ["Bearer a.b.c"] * 2
    assert all(one["User-Agent"].startswith("ccgpu/") for one in headers)
    ids = {one["x-ms-client-request-id"] for one in headers}
    assert len(ids) == 2
    assert {UUID(one).version for one in ids} == {4}  # version 1 would tell the MAC address


@pytest.mark.parametrize("link", ["https://evil.example/next", "http://management.azure.com/next"])
def test_a_next_link_to_another_host_is_refused_without_a_token(link, wire):
    wire.replies.append(Response(200, {"value": [], "nextLink": link}))
    with pytest.raises(AzureUnavailable, match="refused to send a request to"):
        wire.queries.usages("eastus2")
    assert [request.host for request in wire.seen] == ["management.azure.com"]
    assert len(wire.tokens.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(status, wire):
    wire.replies.append(Response(status, None, {"Location": "https://evil.example/"}))
    with pytest.raises(Exception, match=rf"\[Http{status}\]"):
        wire.adapter.get(Kind.VM, _VM)
    assert len(wire.seen) == 1


@pytest.mark.parametrize(
    "answer",
    [faults.THROTTLED, faults.UNAVAILABLE, faults.error(409, "AnotherOperationInProgress")],
)
def test_the_sdk_retries_nothing_by_itself(answer, wire):
    wire.replies.append(answer)
    with pytest.raises(AzureUnavailable):
        wire.adapter.get(Kind.VM, _VM)
    assert len(wire.seen) == 1


def test_the_sdk_registers_no_provider_by_itself(wire):
    wire.replies.append(faults.error(409, "MissingSubscriptionRegistration"))
    with pytest.raises(Exception, match="MissingSubscriptionRegistration"):
        wire.adapter.put(Resource(Kind.VM, _VM, {}))
    assert len(wire.seen) == 1


def test_debug_logs_contain_no_token_and_no_body(wire, caplog):
    caplog.set_level(logging.DEBUG)
    signed = {"Azure-AsyncOperation": "https://management.azure.com/o?s=SIGNATURE"}
    wire.replies += [Response(201, {"secret": "INSIDE"}, signed), Response(200, {"status": "x"})]
    body = {"properties": {"osProfile": {"customData": "OUTSIDE"}}}
    pending = wire.adapter.put(Resource(Kind.VM, _VM, body))
    wire.adapter.poll("creating", pending)
    assert len(wire.seen) == 2
    for word in ("a.b.c", "Bearer", "SIGNATURE", "INSIDE", "OUTSIDE"):
        assert word not in caplog.text


_LOUD = """
import logging, sys
from ccgpu.azure import session
logging.getLogger("azure.mgmt.compute").warning("a traceback of the SDK's")
logging.getLogger("somebody.else").warning("heard")
"""


@pytest.mark.slow
def test_warnings_of_the_sdk_are_not_printed():
    done = subprocess.run([sys.executable, "-c", _LOUD], capture_output=True, text=True, check=True)
    assert done.stderr == "heard\n"


def test_clients_with_the_real_transport_have_a_read_timeout():
    session = Session("S", ENVIRONMENTS["public"], FakeCredential())
    client: Any = session.client(ComputeManagementClient)
    config = client._client._pipeline._transport.connection_config
    assert (config.timeout, config.read_timeout) == (CONNECT, READ)
