"""The addresses of the services that publish collateral: the vendors' and Azure's mirrors.

Requests are sent only to these hosts. The hosts are not trusted: collateral is signed by its
vendor, and `attest` verifies it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# az-cgpu-onboarding, local_gpu_verifier: the regions that have a mirror (THIM).
_THIM = {
    "eastus2": "https://useast2.thim.azure.net/nvidia",
    "westeurope": "https://europewest.thim.azure.net/nvidia",
    "centralus": "https://uscentral.thim.azure.net/nvidia",
    "centraluseuap": "https://uscentraleuap.thim.azure.net/nvidia",
}
# Seconds to wait for a connection to a mirror. Mirrors answer within Azure; elsewhere some drop the
# packets (reports of January 2026), and then NVIDIA's own service is next.
MIRROR_CONNECT = 2.0


@dataclass(frozen=True, slots=True)
class Service:
    """The address of a service. `mirror`: whether it is a mirror of the vendor's service."""

    url: str
    mirror: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """The services. kds: AMD's Key Distribution Service. mirrors: by Azure region."""

    kds: str = "https://kdsintf.amd.com"
    rim: str = "https://rim.attestation.nvidia.com/v1/rim/"
    ocsp: str = "https://ocsp.ndis.nvidia.com/"
    mirrors: Mapping[str, str] = field(default_factory=lambda: _THIM)

    def rims(self, region: str | None) -> tuple[Service, ...]:
        """The services for a reference manifest, in order; its id is appended to the address."""
        return (*self._mirror(region, "/v1/rim/"), Service(self.rim))

    def responders(self, region: str | None) -> tuple[Service, ...]:
        """The services for an OCSP request, in order."""
        return (*self._mirror(region, "/ocsp/"), Service(self.ocsp))

    def hosts(self) -> tuple[str, ...]:
        """All hosts to which requests may be sent."""
        urls = (self.kds, self.rim, self.ocsp, *self.mirrors.values())
        return tuple(dict.fromkeys(urlsplit(url).hostname or "" for url in urls))

    def _mirror(self, region: str | None, path: str) -> Iterator[Service]:
        base = self.mirrors.get((region or "").replace(" ", "").casefold())
        if base is not None:
            yield Service(base + path, mirror=True)


PUBLIC = Sources()
