"""The blob of a disk: its address is a secret, and goes to Azure's storage alone."""

import pytest
import requests

from ccgpu.azure.page_blob import PageBlob, UploadUrl
from ccgpu.azure.session import ENVIRONMENTS, Session
from ccgpu.errors import AzureRefused, AzureUnavailable, ForeignAnswer
from ccgpu.fakearm import FAKE_SUBSCRIPTION, FakeTransport, Request, Response
from ccgpu.net.request_log import RequestLog, SentRequest
from support.built_folders import md5
from unit.azure.conftest import Tokens

SECRET = "SecretSignature0123456789"
URL = f"https://md-impexp-abc.z1.blob.storage.azure.net/container/abcd?sv=2018-03-28&sig={SECRET}"


class Storage:
    """The storage service: one answer to everything, and what was asked."""

    slept = 0

    def __init__(self, answer: Response | BaseException) -> None:
        self.answer, self.asked = answer, list[Request]()
        self.told: list[SentRequest] = []

    def send(self, request: Request) -> Response:
        self.asked.append(request)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def blob(self, url: str = URL, cloud: str = "public") -> PageBlob:
        log = RequestLog(lambda: 0.0, self.told.append)
        transport, environment = FakeTransport(self), ENVIRONMENTS[cloud]
        session = Session(FAKE_SUBSCRIPTION, environment, Tokens(), transport, log)
        return PageBlob(session, UploadUrl(url))


def refused(status: int, code: str | None, text: str = f"sig={SECRET}") -> Response:
    headers = {"Content-Type": "application/xml"} | ({"x-ms-error-code": code} if code else {})
    return Response(status, f"<Error><Code>x</Code><Message>{text}</Message></Error>", headers)


def test_a_write_has_its_digest_and_no_token() -> None:
    storage = Storage(Response(201))
    storage.blob().write(512, b"x" * 512)
    (sent,) = storage.asked
    assert (sent.method, sent.body) == ("PUT", b"x" * 512)
    assert sent.headers["Content-MD5"] == md5(b"x" * 512)
    assert sent.headers.get("x-ms-range", sent.headers.get("Range")) == "bytes=512-1023"
    assert "Authorization" not in sent.headers


def test_other_bytes_at_the_service_are_no_success() -> None:
    storage = Storage(Response(201, None, {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}))
    with pytest.raises(AzureUnavailable):
        storage.blob().write(0, b"x" * 512)


@pytest.mark.parametrize(
    "url",
    [
        URL.replace("blob.storage.azure.net", "blob.storage.azure.net.example.org"),
        URL.replace("https", "http"),
        "https://example.org/abcd?sig=x",
        "https://blob.core.windows.net.example.org/abcd?sig=x",
    ],
)
def test_no_other_host_is_asked(url: str) -> None:
    storage = Storage(Response(201))
    with pytest.raises(ForeignAnswer, match="none of its storage"):
        storage.blob(url)
    assert storage.asked == []


def test_each_cloud_has_storage_of_its_own() -> None:
    government = "https://md-1.blob.core.usgovcloudapi.net/c/abcd?sig=x"
    Storage(Response(201)).blob(government, "usgov").write(0, bytes(512))
    with pytest.raises(ForeignAnswer):
        Storage(Response(201)).blob(government, "public")


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (refused(503, "ServerBusy"), AzureUnavailable, "ServerBusy"),
        (refused(500, None), AzureUnavailable, "Http500"),
        (refused(400, "Md5Mismatch"), AzureUnavailable, "Md5Mismatch"),
        (refused(403, "AuthenticationFailed"), AzureRefused, "AuthenticationFailed"),
        (refused(400, "a b?sig=x"), AzureRefused, "Http400"),
        (
            Response(302, None, {"Location": f"https://example.org/?sig={SECRET}"}),
            AzureRefused,
            None,
        ),
        (requests.ConnectionError(f"reset: {URL}"), AzureUnavailable, None),
        (requests.ReadTimeout(f"timed out: {URL}"), AzureUnavailable, None),
        (Response(204), AzureRefused, None),
    ],
)
@pytest.mark.parametrize("act", ["write", "ranges", "read"])
def test_a_refusal_names_its_code_and_nothing_of_the_address(
    answer: Response | BaseException, kind: type[AzureRefused], code: str | None, act: str
) -> None:
    storage = Storage(answer)
    blob = storage.blob()
    acts = {
        "write": lambda: blob.write(0, bytes(512)),
        "ranges": blob.ranges,
        "read": lambda: blob.read(0, 512),
    }
    with pytest.raises(kind) as raised:
        acts[act]()
    told = f"{raised.value!r} {raised.value} {raised.value.hint} {raised.value.__cause__}"
    assert SECRET not in told
    assert raised.value.__cause__ is None
    if code is not None:
        assert raised.value.code == code
    assert SECRET not in repr(storage.told)


def test_the_address_is_in_no_repr() -> None:
    assert SECRET not in repr(UploadUrl(URL))


@pytest.mark.parametrize("act", ["write", "ranges"])
def test_a_page_of_a_proxy_is_no_answer(act: str) -> None:
    page = Response(200, f"<html>{URL}</html>", {"Content-Type": "text/html"})
    blob = Storage(page).blob()
    with pytest.raises(AzureRefused) as raised:
        blob.write(0, bytes(512)) if act == "write" else blob.ranges()
    assert SECRET not in str(raised.value)


def test_an_answer_that_is_not_parsed_is_read_as_bytes() -> None:
    storage = Storage(Response(206, b"<xml>", {"Content-Type": "application/xml"}))
    assert storage.blob().read(0, 5) == b"<xml>"
    assert storage.asked[0].headers["x-ms-range"] == "bytes=0-4"
