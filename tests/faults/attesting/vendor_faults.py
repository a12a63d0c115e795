"""Faults of the vendors' services: each item of collateral, met by each way not to answer it."""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import requests.exceptions as network
from cryptography.x509 import ocsp as x509_ocsp

from ccgpu.cli.backends import Backend
from ccgpu.fakearm import FakeArm, Request
from ccgpu.fakeguest.evidence import ocsp
from ccgpu.fakeguest.evidence.amd import ASK_SERIAL
from ccgpu.fakeguest.vendor_services import VendorServices
from ccgpu.fakeguest.vendors import DRIVER_RIM, VBIOS_RIM, Issuer
from ccgpu.net.fetch import Web
from faults.attesting.trial import DONE, REJECTED, UNAVAILABLE, Case
from support.attesting import Attester
from support.cloud import vendors
from support.services import Services, WebRequest, WebResponse


@dataclass(frozen=True)
class Asked:
    """A request for an item, and what answers it."""

    arm: FakeArm
    request: WebRequest
    good: Callable[[], WebResponse]


Reply = Callable[[Asked], WebResponse]


@dataclass
class VendorFault:
    """Meets the requests for one item; `times`: the first ones only."""

    item: str
    reply: Reply
    times: int | None = None
    seen: int = field(default=0, init=False)

    @property
    def fired(self) -> bool:
        """Whether the item was asked for."""
        return self.seen > 0

    def install(self, attester: Attester) -> Attester:
        """The same machine, with these vendors."""
        self.seen = 0
        arm = attester.shell.arm

        def change(made: Backend) -> Backend:
            services = FaultyVendors(arm, self)
            return replace(made, web=lambda: Web(made.sources.hosts(), services.transport()))

        return attester.with_backend(change)

    def __call__(self, asked: Asked) -> WebResponse:
        self.seen += 1
        return (
            asked.good() if self.times is not None and self.seen > self.times else self.reply(asked)
        )


class FaultyVendors(Services):
    """The simulated vendors, on the simulated subscription's clock, with one fault."""

    def __init__(self, arm: FakeArm, fault: VendorFault) -> None:
        super().__init__()
        self._arm, self._fault = arm, fault
        self._vendor = VendorServices(vendors(), arm.now)
        self._serials: list[int] = []

    def reply(self, asked: WebRequest) -> WebResponse:
        """The answer of the vendor, or of the fault."""
        good = lambda: self._answer(asked)  # noqa: E731
        if self._item(asked) != self._fault.item:
            return good()
        return self._fault(Asked(self._arm, asked, good))

    def _answer(self, asked: WebRequest) -> WebResponse:
        made = self._vendor.send(Request(asked.method, asked.url, asked.headers, asked.body))
        body = made.body if isinstance(made.body, bytes) else json.dumps(made.body).encode()
        return WebResponse(b"" if made.body is None else body, made.status, dict(made.headers))

    def _item(self, asked: WebRequest) -> str:
        if "/rim/" in asked.url:
            return "rim-driver" if asked.url.endswith(DRIVER_RIM) else "rim-vbios"
        if asked.method == "GET":
            return "crl" if asked.url.endswith("/crl") else "vcek"
        serial = x509_ocsp.load_der_ocsp_request(asked.body).serial_number
        if serial not in self._serials:
            self._serials.append(serial)
        return _OCSP.get(self._serials.index(serial), "ocsp")


# The certificates in the order of the requests: three of the GPU, three of the manifests.
_OCSP = {0: "ocsp-gpu", 3: "ocsp-signer"}


def _raising(make: Callable[[], Exception], waits: int | None = None) -> Reply:
    """No answer; `waits`: 0 for the time of a connection, 1 for that of an answer."""

    def reply(asked: Asked) -> WebResponse:
        if waits is not None:
            asked.arm.advance(asked.request.timeout[waits])
        raise make()

    return reply


def _answering(status: int = 200, body: bytes = b"", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: WebResponse(body, status, named)


def changing(change: Callable[[bytes], bytes]) -> Reply:
    """The good answer, changed."""
    return lambda asked: WebResponse(change(asked.good().body))


def _half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def _packed(asked: Asked) -> WebResponse:
    return WebResponse(gzip.compress(asked.good().body), headers={"Content-Encoding": "gzip"})


TRANSIENT: dict[str, tuple[Reply, str]] = {
    "429": (_answering(429), "answered 429"),
    "500": (_answering(500), "answered 500"),
    "503": (_answering(503, Retry_After="2"), "answered 503"),
    "no-connection": (_raising(lambda: network.ConnectTimeout("nobody"), 0), "cannot be reached"),
    "refused": (_raising(lambda: network.ConnectionError("refused")), "cannot be reached"),
    "tls": (_raising(lambda: network.SSLError("bad certificate")), "no TLS connection"),
    "no-answer": (_raising(lambda: network.ReadTimeout("slow"), 1), "did not come in time"),
    "broken-off": (_raising(lambda: network.ChunkedEncodingError("cut")), "cannot be"),
}
FOR_GOOD: dict[str, tuple[Reply, str]] = {
    "404": (_answering(404), "does not have it (404)"),
    "403": (_answering(403), "answered 403"),
    "429-for-an-hour": (_answering(429, Retry_After="3600"), "asked again in 3600 s"),
    "redirect": (_answering(302, Location="https://example.invalid/"), "redirects elsewhere"),
    "packed": (_packed, "something packed"),
    "nothing": (_answering(200, b""), "the answer is no"),
    "page": (_answering(200, b"<html>a proxy's page</html>"), "the answer is no"),
    "half": (changing(_half), "the answer is no"),
    "endless": (_answering(200, b"\0" * (4 * 1024 * 1024)), "answered with more than"),
}
# The default policy does not require AMD's list: without it the verdict stands.
_OPTIONAL = ("crl",)
_PATIENT = 200.0  # seconds: more than one item is tried for
_NEEDED = ("rim-driver", "rim-vbios", "ocsp-gpu", "ocsp-signer")


def absence_cases() -> Iterator[Case]:
    """An item that cannot be had, for a moment or for good."""
    for number, item in enumerate((*_NEEDED, *_OPTIONAL)):
        needed = item in _NEEDED
        faults = list((TRANSIENT | FOR_GOOD).items())
        for name, (reply, says) in faults[:: 1 if number in (0, 2) else 2]:
            case = Case(f"{item}:{name}", VendorFault(item, reply), UNAVAILABLE, says)
            yield case if needed else replace(case, code=DONE, says="", limit=_PATIENT)
        for name in ("503", "tls", "no-answer"):
            fault = VendorFault(item, TRANSIENT[name][0], times=2)
            yield Case(f"{item}:{name}-twice", fault, DONE)


def _ocsp(
    change: Callable[[ocsp.SingleResponse], ocsp.SingleResponse], *, forged: bool = False
) -> Reply:
    """An answer of the right responder that says something else."""

    def reply(asked: Asked) -> WebResponse:
        request = x509_ocsp.load_der_ocsp_request(asked.request.body)
        good = x509_ocsp.load_der_ocsp_response(asked.good().body)
        issuer, other = _issuers(good)
        single = ocsp.SingleResponse(
            serial=request.serial_number,
            issuer_name_hash=request.issuer_name_hash,
            issuer_key_hash=request.issuer_key_hash,
            this_update=good.this_update_utc,
            next_update=good.next_update_utc,
            hash_name=request.hash_algorithm.name,
        )
        made = ocsp.OcspResponseTemplate((change(single),), issuer.certificate.subject)
        return WebResponse(made.signed_by((other if forged else issuer).key))

    return reply


def _issuers(answer: x509_ocsp.OCSPResponse) -> tuple[Issuer, Issuer]:
    """The one that has signed it, and another one."""
    known = (*vendors().gpu_issuers, *vendors().rim_issuers)
    name = answer.responder_name
    signer = next(one for one in known if one.certificate.subject == name)
    return signer, next(one for one in known if one.certificate.subject != name)


def _moved(days: float) -> Callable[[ocsp.SingleResponse], ocsp.SingleResponse]:
    """The window of validity, moved."""

    def change(single: ocsp.SingleResponse) -> ocsp.SingleResponse:
        by = timedelta(days=days)
        assert single.next_update is not None
        return replace(
            single,
            this_update=single.this_update + by,
            next_update=single.next_update + by,
        )

    return change


_STATUS: dict[str, tuple[Reply, int, str]] = {
    "revoked": (_ocsp(lambda one: replace(one, status="revoked")), REJECTED, "revoked"),
    "on-hold": (
        _ocsp(lambda one: replace(one, status="revoked", reason=ocsp.HOLD)),
        REJECTED,
        "ocsp.",
    ),
    "unknown": (_ocsp(lambda one: replace(one, status="unknown")), REJECTED, "unknown"),
    "out-of-date": (_ocsp(_moved(-30)), REJECTED, "ocsp."),
    "in-the-future": (_ocsp(_moved(30)), REJECTED, "ocsp."),
    "of-another": (_ocsp(lambda one: replace(one, serial=7)), UNAVAILABLE, "another certificate"),
    "signed-by-another": (_ocsp(lambda one: one, forged=True), REJECTED, "ocsp."),
    "try-later": (_answering(200, b"\x30\x03\x0a\x01\x03"), UNAVAILABLE, "try later"),
    "unauthorized": (_answering(200, b"\x30\x03\x0a\x01\x06"), UNAVAILABLE, "unauthorized"),
    "changed": (changing(lambda body: body[:-1] + bytes([body[-1] ^ 1])), REJECTED, "ocsp."),
}


def revocation_cases() -> Iterator[Case]:
    """Answers of the responders that are answers, but not good ones."""
    for item in ("ocsp-gpu", "ocsp-signer"):
        for name, (reply, code, says) in _STATUS.items():
            yield Case(f"{item}:{name}", VendorFault(item, reply), code, says)
    for name, (change, code, says) in _LISTS.items():
        yield Case(f"crl:{name}", VendorFault("crl", change), code, says)


def _list(**changes: Any) -> Reply:
    """AMD's list with changes, signed by AMD."""

    def reply(asked: Asked) -> WebResponse:
        amd = vendors().amd
        now = datetime.fromtimestamp(asked.arm.now(), UTC)
        days = changes.get("days", 0)
        start = now + timedelta(days=days - 1)
        crl = replace(
            amd.crl(*changes.get("serials", ())),
            this_update=start,
            next_update=start + timedelta(days=2),
        )
        return WebResponse(crl.signed_by(changes.get("key", amd.ark_key)))

    return reply


_LISTS: dict[str, tuple[Reply, int, str]] = {
    "revokes-the-chip": (_list(serials=(ASK_SERIAL,)), REJECTED, "snp.crl"),
    "out-of-date": (_list(days=-30), REJECTED, "snp.crl"),
    "in-the-future": (_list(days=30), REJECTED, "snp.crl"),
    "changed": (changing(lambda body: body[:-1] + bytes([body[-1] ^ 1])), REJECTED, "snp.crl"),
}


def _manifest(change: Callable[[bytes, str], bytes]) -> Reply:
    """The service's answer with another manifest in it, and the right digest of that."""

    def reply(asked: Asked) -> WebResponse:
        document = json.loads(asked.good().body)
        xml = change(base64.b64decode(document["rim"]), document["id"])
        document["rim"] = base64.b64encode(xml).decode()
        document["sha256"] = hashlib.sha256(xml).hexdigest()
        return WebResponse(json.dumps(document).encode())

    return reply


def _of_another_driver(_: bytes, name: str) -> bytes:
    manifests = vendors().manifests
    return manifests[next(each for each in manifests if each[:12] == name[:12] and each != name)]


def _of_the_other_kind(_: bytes, name: str) -> bytes:
    return vendors().manifests[VBIOS_RIM if name == DRIVER_RIM else DRIVER_RIM]


def _renamed(body: bytes) -> bytes:
    return json.dumps({**json.loads(body), "id": "NV_GPU_OTHER"}).encode()


_MANIFESTS: dict[str, tuple[Reply, int, str]] = {
    "of-the-other-kind": (_manifest(_of_the_other_kind), UNAVAILABLE, "missing manifests"),
    "value-changed": (
        _manifest(lambda xml, _: xml.replace(b'Hash0="', b'Hash0="0', 1)),
        REJECTED,
        "rim.",
    ),
    "signature-removed": (
        _manifest(lambda xml, _: xml.replace(b"SignatureValue", b"Other")),
        REJECTED,
        "rim.",
    ),
    "no-xml": (_manifest(lambda *_: b"<html>"), UNAVAILABLE, "missing manifests"),
    "cut": (_manifest(lambda xml, _: xml[: len(xml) // 2]), REJECTED, "rim."),
    "other-id": (changing(_renamed), UNAVAILABLE, "the answer is about"),
    "other-digest": (
        changing(lambda body: json.dumps({**json.loads(body), "sha256": "00" * 32}).encode()),
        UNAVAILABLE,
        "not the one of its sha256",
    ),
}


def manifest_cases() -> Iterator[Case]:
    """Manifests that are not those of this driver and VBIOS, or not NVIDIA's any more."""
    for item in ("rim-driver", "rim-vbios"):
        for name, (reply, code, says) in _MANIFESTS.items():
            yield Case(f"{item}:{name}", VendorFault(item, reply), code, says)
    other = _manifest(_of_another_driver)
    yield Case("rim-driver:of-another", VendorFault("rim-driver", other), UNAVAILABLE, "missing")
