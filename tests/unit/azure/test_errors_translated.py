"""Exceptions of the SDK become our errors, with a message of one line and no loss."""

import json
from typing import Any

import pytest
from azure.core import exceptions as sdk

from ccgpu.azure.errors import is_absent, translating_errors
from ccgpu.errors import (
    AzureRefused,
    AzureUnavailable,
    CapacityUnavailable,
    ForeignAnswer,
    NotSignedIn,
)
from ccgpu.net import answers
from ccgpu.net.pipeline import ForeignHost

_NONE_LEFT = {"code": "AllocationFailed", "message": "none left"}


class _Response:
    """The part of a response that the SDK's errors contain."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self.status_code = status
        self.reason = "Because"
        self.headers = headers or {}
        self._body = body

    def json(self) -> Any:
        return json.loads(self._body) if isinstance(self._body, str) else self._body

    def text(self) -> str:
        return str(self._body)


def _raise_after_response(err: BaseException) -> None:
    with translating_errors("doing"):
        answers.note_response()
        raise err


def _translate(err: BaseException) -> AzureRefused:
    with pytest.raises(AzureRefused) as caught:
        _raise_after_response(err)
    assert caught.value.__cause__ is err
    return caught.value


def _http(status: int, body: Any, headers: dict[str, str] | None = None) -> Any:
    return sdk.HttpResponseError(response=_Response(status, body, headers))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("err", "kind", "code"),
    [
        pytest.param(
            _http(409, {"error": _NONE_LEFT}), CapacityUnavailable, "AllocationFailed", id="arm"
        ),
        pytest.param(_http(502, "<html>"), AzureUnavailable, "Http502", id="a page"),
        pytest.param(sdk.HttpResponseError("x"), AzureRefused, "Http0", id="no answer at all"),
        pytest.param(sdk.DecodeError("x"), AzureUnavailable, "NotJson", id="cannot be decoded"),
        pytest.param(
            sdk.ServiceRequestError("x"), AzureUnavailable, "ServiceRequestError", id="not sent"
        ),
        pytest.param(
            sdk.ServiceResponseError("x"), AzureUnavailable, "ServiceResponseError", id="no answer"
        ),
        pytest.param(ForeignHost("x"), ForeignAnswer, "ForeignHost", id="foreign"),
        pytest.param(json.JSONDecodeError("x", "y", 0), AzureUnavailable, "NotJson", id="not json"),
        pytest.param(
            UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), AzureUnavailable, "NotJson", id="bytes"
        ),
        pytest.param(
            sdk.ClientAuthenticationError("log in\nlong story"),
            NotSignedIn,
            "Unauthenticated",
            id="no sign-in",
        ),
        pytest.param(
            sdk.ClientAuthenticationError(
                "AADSTS700024: expired",
                response=_Response(400, {"error": "invalid_client"}),  # type: ignore[arg-type]
            ),
            NotSignedIn,
            "Unauthenticated",
            id="sign-in refused",
        ),
        pytest.param(
            sdk.ClientAuthenticationError(
                response=_Response(401, {"error": {"code": "ExpiredAuthenticationToken"}})  # type: ignore[arg-type]
            ),
            NotSignedIn,
            "ExpiredAuthenticationToken",
            id="arm refuses the token",
        ),
    ],
)
def test_exceptions_of_the_sdk_become_ccgpu_errors(err, kind, code):
    found = _translate(err)
    assert (type(found), found.code) == (kind, code)
    assert str(found).startswith("doing: ")
    assert "\n" not in str(found)


def test_a_failed_sign_in_keeps_its_message():
    err = sdk.ClientAuthenticationError("run az login\nand a long story")
    assert str(_translate(err)) == "doing: run az login"
    assert "az login" in str(_translate(err).hint)


@pytest.mark.parametrize(
    ("err", "message"),
    [
        (ForeignHost("refused to send"), "doing: refused to send"),
        (sdk.DecodeError("x"), "doing: the response is not JSON"),
        (json.JSONDecodeError("x", "y", 0), "doing: the response is not JSON"),
        (AttributeError("x"), "doing: the response is not from Azure Resource Manager"),
        (IndexError("x"), "doing: the response is not from Azure Resource Manager"),
        (KeyError("x"), "doing: the response is not from Azure Resource Manager"),
        (TypeError("x"), "doing: the response is not from Azure Resource Manager"),
        (sdk.DeserializationError("x"), "doing: the response is not from Azure Resource Manager"),
        (sdk.ServiceRequestError("reset\nby peer"), "doing: reset"),
        (sdk.AzureError(" "), "doing: AzureError"),
    ],
)
def test_the_message_of_an_error_is_one_line(err, message):
    assert str(_translate(err)) == message


@pytest.mark.parametrize(
    ("code", "headers", "after"),
    [
        ("AnotherOperationInProgress", {}, None),
        ("AnotherOperationInProgress", {"Retry-After": "9"}, 9.0),
        ("NicReservedForAnotherVm", {}, 180.0),
        ("NicReservedForAnotherVm", {"Retry-After": "20"}, 20.0),
        ("NicReservedForAnotherVm", {"Retry-After": "soon"}, 180.0),
    ],
)
def test_retry_after_outranks_the_default_delay(code, headers, after):
    assert _translate(_http(409, {"error": {"code": code}}, headers)).after == after


@pytest.mark.parametrize("kind", [AttributeError, IndexError, KeyError, TypeError])
def test_before_any_response_a_parsing_error_is_a_bug(kind):
    """A response to an earlier call does not count."""
    with answers.tracked_request():
        answers.note_response()
        with pytest.raises(kind) as caught, translating_errors("doing"):
            raise kind("x")
    assert type(caught.value) is kind


@pytest.mark.parametrize("err", [ValueError("x"), OSError("x"), KeyboardInterrupt()])
def test_other_exceptions_are_not_translated(err):
    with pytest.raises(type(err)) as caught, translating_errors("doing"):
        raise err
    assert caught.value is err


@pytest.mark.parametrize(
    ("err", "gone"),
    [
        (_http(404, {"error": {"code": "ResourceNotFound"}}), True),
        (_http(404, {"error": {"code": "SubscriptionNotFound"}}), False),
        (_http(404, {"error": {}}), False),
        (_http(404, "<html>"), False),
        (_http(410, {"error": {"code": "ResourceNotFound"}}), False),
        (ValueError("404"), False),
    ],
)
def test_only_a_404_of_arm_means_absent(err, gone):
    assert is_absent(err) is gone
