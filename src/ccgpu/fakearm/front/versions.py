"""The API versions that a client on loopback may ask with.

The simulated ARM answers in the form of one version for each route, that of the pinned SDKs
(`kinds`). Azure's own CLI asks with others. Their answers have the same form in what the fake
knows, so a request in one of them is carried out as if it had the fake's version. Any other version
is a gap.
"""

from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ccgpu.fakearm import kinds
from ccgpu.fakearm.wire import Request

# By the fake's own version: the versions that azure-cli 2.91.0 sends for the same routes.
ALSO_KNOWN: dict[str, frozenset[str]] = {
    kinds.RESOURCES_API: frozenset({"2024-11-01"}),
    kinds.LOCK_API: frozenset({"2016-09-01"}),
    kinds.AUTHORIZATION_API: frozenset({"2022-05-01-preview"}),
    kinds.IDENTITY_API: frozenset({"2025-05-31-preview"}),
    kinds.SKU_API: frozenset({"2019-04-01"}),
    kinds.NETWORK_API: frozenset(
        {"2022-01-01", "2022-05-01", "2023-11-01", "2024-07-01", "2025-07-01", "2025-09-01"}
    ),
    kinds.COMPUTE_API: frozenset({"2022-11-01", "2024-07-01", "2024-11-01", "2025-11-01"}),
    kinds.DISK_API: frozenset({"2023-04-02", "2025-01-02"}),
    kinds.GALLERY_API: frozenset(
        {"2021-10-01", "2022-01-03", "2023-07-03", "2024-03-03", "2025-03-03"}
    ),
}


def in_known_version(request: Request, own: str) -> Request:
    """The request in the fake's own version of its route, if it has one that stands for it."""
    if request.query.get("api-version") not in ALSO_KNOWN.get(own, ()):
        return request
    parts = urlsplit(request.url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    changed = urlencode([(key, own if key == "api-version" else value) for key, value in query])
    return replace(request, url=urlunsplit(parts._replace(query=changed)))
