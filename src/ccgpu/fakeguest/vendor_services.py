"""The web services of the simulated vendors: AMD's KDS, NVIDIA's RIM service and OCSP responder.

They answer on the clock of the simulated subscription. Their host names end in `.invalid`
(RFC 2606): no request to them can reach anybody outside the simulation.
"""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509 import ocsp as x509_ocsp

from ccgpu.fakearm.wire import FakeGap, Request, Response
from ccgpu.fakeguest.evidence import ocsp
from ccgpu.fakeguest.evidence.amd import ASK_SERIAL, SimulatedTcb
from ccgpu.fakeguest.vendor_urls import KDS_URL, OCSP_URL, RIM_URL
from ccgpu.fakeguest.vendors import Issuer, SimulatedVendors

_BINARY = {"Content-Type": "application/octet-stream"}
_UNAUTHORIZED = 6  # RFC 6960, section 2.3
_HOUR, _DAY = 3600, 86400


@dataclass
class VendorServices:
    """`now` is the simulated subscription's time. `slept` counts real waits below the SDK.

    `state`: `good`; `down`: no service works; `revoke-chip`: AMD has revoked the authority of the
    chips; `revoke-gpu`: NVIDIA has revoked the GPUs.
    """

    vendors: SimulatedVendors
    now: Callable[[], float]
    state: Callable[[], str] = lambda: "good"
    slept: int = 0

    def send(self, request: Request) -> Response:
        """The response. `FakeGap` for a host or a method that these services do not have."""
        services = {
            ("GET", KDS_URL): self._kds,
            ("GET", RIM_URL): self._rim,
            ("POST", OCSP_URL): self._ocsp,
        }
        for (method, url), service in services.items():
            if request.method == method and request.host == urlsplit(url).netloc:
                return Response(503) if self.state() == "down" else service(request)
        raise FakeGap(f"{request.method} {request.host}")

    def _kds(self, request: Request) -> Response:
        """`/vcek/v1/{product}/{chip id | cert_chain | crl}` (AMD 57230, chapter 4)."""
        amd = self.vendors.amd
        match request.path.strip("/").split("/"):
            case ["vcek", "v1", amd.product, "cert_chain"]:
                return Response(200, amd.chain, {"Content-Type": "application/x-pem-file"})
            case ["vcek", "v1", amd.product, "crl"]:
                start, end = self._validity(_DAY, 30 * _DAY)
                revoked = (ASK_SERIAL,) if self.state() == "revoke-chip" else ()
                crl = replace(amd.crl(*revoked), this_update=start, next_update=end)
                return Response(200, crl.signed_by(amd.ark_key), _BINARY)
            case ["vcek", "v1", amd.product, chip_id]:
                return self._vcek(chip_id, request.query)
            case _:
                return Response(404)

    def _vcek(self, chip_id: str, spls: dict[str, str]) -> Response:
        try:
            tcb = SimulatedTcb(
                *(int(spls[name]) for name in ("blSPL", "teeSPL", "snpSPL", "ucodeSPL"))
            )
            chip = self.vendors.find_chip(bytes.fromhex(chip_id), tcb)
        except (KeyError, ValueError):
            return Response(400)
        if chip is None:
            return Response(404)
        certificate = self.vendors.amd.vcek(chip)
        return Response(200, certificate.signed_by(self.vendors.amd.ask_key), _BINARY)

    def _rim(self, request: Request) -> Response:
        """`/v1/rim/{id}` (NVIDIA RIM Service API v1)."""
        rim_id = request.path.removeprefix(urlsplit(RIM_URL).path)
        xml = self.vendors.manifests.get(rim_id)
        if xml is None:
            return Response(404)
        digest = hashlib.sha256(xml).hexdigest()
        return Response(
            200, {"id": rim_id, "rim": base64.b64encode(xml).decode(), "sha256": digest}
        )

    def _ocsp(self, request: Request) -> Response:
        """Certificates of known issuers are good; of others the responder is unauthorized."""
        asked = x509_ocsp.load_der_ocsp_request(request.body)
        issuer = self._find_issuer(asked)
        if issuer is None:
            refusal = ocsp.OcspResponseTemplate((), b"", status=_UNAUTHORIZED)
            return Response(200, refusal.signed_by(self.vendors.rim_issuers[0].key), _BINARY)
        start, end = self._validity(_HOUR, _DAY)
        single = ocsp.SingleResponse(
            serial=asked.serial_number,
            issuer_name_hash=asked.issuer_name_hash,
            issuer_key_hash=asked.issuer_key_hash,
            this_update=start,
            next_update=end,
            hash_name=asked.hash_algorithm.name,
            status="revoked" if self._is_revoked(issuer) else "good",
        )
        nonces = tuple(
            ocsp.nonce_extension(each.value.nonce) for each in asked.extensions if _is_nonce(each)
        )
        answer = ocsp.OcspResponseTemplate((single,), issuer.certificate.subject, extensions=nonces)
        return Response(200, answer.signed_by(issuer.key), _BINARY)

    def _is_revoked(self, issuer: Issuer) -> bool:
        """Whether what this authority has issued is revoked: the GPUs' own certificates."""
        return self.state() == "revoke-gpu" and issuer == self.vendors.gpu_issuers[0]

    def _find_issuer(self, asked: x509_ocsp.OCSPRequest) -> Issuer | None:
        name = asked.hash_algorithm.name
        for issuer in (*self.vendors.gpu_issuers, *self.vendors.rim_issuers):
            hashes = ocsp.single_response(
                issuer.certificate, issuer.certificate, _EPOCH, None, name
            )
            if (hashes.issuer_name_hash, hashes.issuer_key_hash) == (
                asked.issuer_name_hash,
                asked.issuer_key_hash,
            ):
                return issuer
        return None

    def _validity(self, step: int, length: int) -> tuple[datetime, datetime]:
        """From the last full `step` of seconds on, for `length` seconds."""
        now = self.now()
        start = datetime.fromtimestamp(now - now % step, UTC)
        return start, start + timedelta(seconds=length)


_EPOCH = datetime.fromtimestamp(0, UTC)


def _is_nonce(extension: x509.Extension[x509.ExtensionType]) -> bool:
    return isinstance(extension.value, x509.OCSPNonce)
