"""The server's time, and whose responses may set it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.azure.arm import Arm
from ccgpu.azure.session import ENVIRONMENTS, Session
from ccgpu.domain.catalog import Kind
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeArm, FakeCredential, FakeTransport, Response
from ccgpu.net.dates import http_date

_GROUP = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/none"
_ARMS = {"x-ms-correlation-request-id": "1"}
_NOON = "Thu, 01 Oct 2026 12:00:00 GMT"


@pytest.fixture
def arm():
    arm = FakeArm()
    yield arm
    arm.close()


@pytest.fixture
def session(arm):
    return Session(FAKE_SUBSCRIPTION, ENVIRONMENTS["public"], FakeCredential(), FakeTransport(arm))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Thu, 01 Jan 1970 00:00:07 GMT", 7.0),
        ("Thu, 01 Jan 1970 01:00:00 +0100", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 -0000", None),
        ("Thu, 99 Jan 1970 00:00:00 GMT", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_date_without_a_zone_is_ignored(text, moment):
    assert http_date(text) == moment


@pytest.mark.slow
@given(st.text())
def test_any_text_is_a_date_or_none(text):
    http_date(text)


def test_each_response_of_arm_sets_the_server_time_once(arm, session):
    arm.advance(5000)
    assert Arm(session).get(Kind.GROUP, _GROUP) is None  # a 404 knows the time as well
    assert session.server_date.take() == int(arm.now())
    assert session.server_date.take() is None


@pytest.mark.parametrize(
    ("headers", "moment"),
    [
        ({**_ARMS, "Date": _NOON}, 1790856000.0),
        ({"Date": _NOON}, None),  # a proxy's
        (_ARMS, None),
        ({**_ARMS, "Date": "noon"}, None),
    ],
)
def test_only_responses_of_arm_set_the_server_time(headers, moment, arm, session):
    body = {"error": {"code": "ResourceGroupNotFound", "message": "none"}}
    arm.faults.append(lambda _: Response(404, body, headers))
    Arm(session).get(Kind.GROUP, _GROUP)
    assert session.server_date.take() == moment
