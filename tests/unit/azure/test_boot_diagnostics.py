"""The serial log: a token for Azure alone, a signature for its storage alone."""

import pytest
from azure.core.exceptions import ServiceRequestError

from ccgpu.azure.boot_diagnostics import MAX_LOG, SerialLogs
from ccgpu.azure.session import ENVIRONMENTS
from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import resource_id
from ccgpu.errors import AzureRefused, AzureUnavailable, Denied
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Response
from support import faults

_VM = resource_id(FAKE_SUBSCRIPTION, "g", Kind.VM, "x")
_BLOB = (
    "https://md-hdd-1.z1.blob.storage.azure.net/bootdiagnostics-x/x.serialconsole.log?sig=SECRET"
)


@pytest.fixture
def logs(wire):
    return SerialLogs(wire.session(), wire.adapter)


def _place(url: object = _BLOB) -> Response:
    return Response(200, {"serialConsoleLogBlobUri": url})


def _text(text: str | bytes, status: int = 200) -> Response:
    return Response(status, text, {"Content-Type": "text/plain"})


def test_the_log_is_fetched_from_the_place_that_azure_names(wire, logs):
    wire.replies += [_place(), _text("one\r\nüber\r\n")]

    assert logs.read(_VM) == "one\r\nüber\r\n"

    asked, fetched = wire.seen
    assert asked.method == "POST"
    assert "/virtualMachines/x/retrieveBootDiagnosticsData?" in asked.url
    assert "sasUriExpirationTimeInMinutes=5" in asked.url
    assert asked.headers["Authorization"].startswith("Bearer ")
    assert (fetched.method, fetched.url) == ("GET", _BLOB)
    assert "Authorization" not in fetched.headers


def test_a_vm_that_has_printed_nothing_has_an_empty_log(wire, logs):
    wire.replies += [Response(200, {})]
    assert logs.read(_VM) == ""


@pytest.mark.parametrize(
    "url",
    [
        _BLOB.replace(".azure.net", ".evil.example"),
        _BLOB.replace(".azure.net/", ".azure.net.evil.example/"),
        "https://blob.storage.azure.net/x",
        "https://storage.azure.net/x",
        "https://management.azure.com/x",
        "https://evil.example/x.blob.storage.azure.net",
        "http://md-hdd-1.z1.blob.storage.azure.net/x",
        "",
    ],
)
def test_no_other_host_is_asked(wire, logs, url):
    wire.replies += [_place(url)]
    with pytest.raises(AzureRefused):
        logs.read(_VM)
    assert len(wire.seen) == 1


@pytest.mark.parametrize("url", [7, {}, [_BLOB]])
def test_an_answer_without_a_url_is_an_error(wire, logs, url):
    wire.replies += [_place(url)]
    with pytest.raises(AzureUnavailable):
        logs.read(_VM)
    assert len(wire.seen) == 1


def test_every_cloud_has_its_storage(wire):
    for cloud in ENVIRONMENTS:
        logs = SerialLogs(wire.session(cloud), wire.adapter)
        wire.replies += [_place("https://evil.example/")]
        with pytest.raises(AzureRefused, match="not its storage"):
            logs.read(_VM)


def test_a_log_of_unreasonable_size_is_refused(wire, logs):
    wire.replies += [_place(), _text("x" * (MAX_LOG + 1))]
    with pytest.raises(AzureRefused, match=f"more than {MAX_LOG} bytes"):
        logs.read(_VM)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_text("no", 403), AzureRefused),
        (_text("no", 404), AzureRefused),
        (_text("later", 503), AzureUnavailable),
        (faults.RESET, AzureUnavailable),
    ],
)
def test_the_error_of_the_storage_does_not_show_the_signature(wire, logs, answer, error):
    wire.replies += [_place(), answer]
    with pytest.raises(error) as caught:
        logs.read(_VM)
    assert type(caught.value) is error
    cause: BaseException | None = caught.value
    while cause is not None and not isinstance(cause, ServiceRequestError):
        assert "SECRET" not in str(cause)
        cause = cause.__cause__


def test_a_missing_permission_is_named(wire, logs):
    wire.replies += [faults.FORBIDDEN]
    with pytest.raises(Denied):
        logs.read(_VM)
