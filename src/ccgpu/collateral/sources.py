"""Who publishes collateral, and at which address: Azure's mirrors and the vendors themselves.

Only these hosts are ever asked. What they say is not believed: it is signed by others, and judged
by `attest`.
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
# A mirror answers from within Azure; outside it some do not even refuse (reports of January 2026).
# Whoever is there answers a SYN at once, and NVIDIA's own service is next.
MIRROR_CONNECT = 2.0


@dataclass(frozen=True, slots=True)
class Service:
    """One address. `mirror`: of somebody else's; `connect` is how long to wait for it."""

    url: str
    mirror: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """The services. `kds`: AMD's Key Distribution Service. `mirrors`: by Azure region."""

    kds: str = "https://kdsintf.amd.com"
    rim: str = "https://rim.attestation.nvidia.com/v1/rim/"
    ocsp: str = "https://ocsp.ndis.nvidia.com/"
    mirrors: Mapping[str, str] = field(default_factory=lambda: _THIM)

    def rims(self, region: str | None) -> tuple[Service, ...]:
        """Where a reference manifest is asked for, in order; its id comes after the address."""
        return (*self._mirror(region, "/v1/rim/"), Service(self.rim))

    def responders(self, region: str | None) -> tuple[Service, ...]:
        """Where an OCSP request is sent, in order."""
        return (*self._mirror(region, "/ocsp/"), Service(self.ocsp))

    def hosts(self) -> tuple[str, ...]:
        """All that may be asked."""
        urls = (self.kds, self.rim, self.ocsp, *self.mirrors.values())
        return tuple(dict.fromkeys(urlsplit(url).hostname or "" for url in urls))

    def _mirror(self, region: str | None, path: str) -> Iterator[Service]:
        base = self.mirrors.get((region or "").replace(" ", "").casefold())
        if base is not None:
            yield Service(base + path, mirror=True)


PUBLIC = Sources()
