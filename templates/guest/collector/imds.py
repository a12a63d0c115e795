"""AMD's certificates from Azure's metadata service (THIM)."""

import http.client
import time

from ccgpu.templates.guest.collector.settings import CollectorError, Settings, time_limit

THIM_PATH = "/metadata/THIM/amd/certification"  # Azure THIM; the VCEK and AMD's chain
THIM_LIMIT = 64 * 1024  # bytes; real answers have 8 KB


def fetch_thim(settings: Settings) -> bytes:
    """AMD's certificates for this machine, from Azure, unchanged. A busy service is asked again."""
    limit = settings.limits["imds"]
    slow = f"Azure's metadata service gives no certificates within {limit:g} seconds"
    with time_limit(limit, "imds.slow", slow):
        while True:
            try:
                status, body = get(settings.imds, THIM_PATH)
            except (OSError, http.client.HTTPException):
                status, body = 503, b""  # what cannot be reached may be so for a moment
            if status == 200 and len(body) <= THIM_LIMIT:
                return body
            if status != 429 and status < 500:
                break
            time.sleep(0.5)
    why = f"status {status}" if status != 200 else "too many bytes"
    raise CollectorError("imds.error", f"Azure's metadata service gives no certificates: {why}")


def get(address: tuple[str, int], path: str) -> tuple[int, bytes]:
    """Status and body of an answer of the metadata service. No proxy is ever used."""
    connection = http.client.HTTPConnection(*address)
    try:
        connection.request("GET", path, headers={"Metadata": "true", "Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read(THIM_LIMIT + 1)
    finally:
        connection.close()
