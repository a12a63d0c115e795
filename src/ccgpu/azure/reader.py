"""Reads from Azure Resource Manager: one GET, or the pages of a list, as the JSON of the wire.

They use the SDK's pipeline without its models: to load the models of compute and network takes
longer than a whole `ccgpu list`, and to build one from a body as long as the request.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from azure.core import exceptions as sdk
from azure.core.rest import HttpRequest, HttpResponse

from ccgpu.azure.session import Session

_NOTHING: Mapping[str, str] = {}


class ArmReader:
    """Reads of one session. A path begins with `/`; its segments are quoted already."""

    def __init__(self, session: Session) -> None:
        self.host = session.environment.host
        self._client = session.arm

    def send(self, request: HttpRequest) -> HttpResponse:
        """The response to a request, whatever its status."""
        answer: HttpResponse = self._client.send_request(request)
        return answer

    def get(self, path: str, api_version: str, query: Mapping[str, str] = _NOTHING) -> Any:
        """The JSON of a GET; raises the SDK's errors for any other status than 200."""
        return self._read("GET", self._url(path, api_version, query))

    def post(
        self,
        path: str,
        api_version: str,
        query: Mapping[str, str] = _NOTHING,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """The same of an action that only reads: a POST, without a body unless one is given."""
        return self._read("POST", self._url(path, api_version, query), body)

    def pages(
        self, path: str, api_version: str, query: Mapping[str, str] = _NOTHING
    ) -> Iterator[Any]:
        """The items of a list, page by page (resource-provider RPC v1.0, "Collection GET").

        An answer of another form, or a page that was read already, is a `KeyError`.
        """
        return self.pages_from(self._url(path, api_version, query))

    def first_page(
        self, path: str, api_version: str, query: Mapping[str, str] = _NOTHING
    ) -> tuple[list[Any], str | None]:
        """The items of a list's first page, and the link to the next one, if there is one.

        An answer of another form is a `KeyError` or a `TypeError`.
        """
        page = self._read("GET", self._url(path, api_version, query))
        link = page.get("nextLink") or None
        if not isinstance(link, str | None):
            raise TypeError("nextLink")
        return list(page["value"]), link

    def pages_from(self, link: str | None) -> Iterator[Any]:
        """As `pages`, from the page of this link on."""
        read = set[str]()
        while link:
            if link in read:
                raise KeyError("nextLink")
            read.add(link)
            page = self._read("GET", link)
            yield from page["value"]
            link = page.get("nextLink")

    def _url(self, path: str, api_version: str, query: Mapping[str, str]) -> str:
        words = {"api-version": api_version, **query}
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in words.items())
        return f"https://{self.host}{path}?{asked}"

    def _read(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"Accept": "application/json"}
        answer = self.send(HttpRequest(method, url, headers=headers, json=body))
        if answer.status_code == 401:
            raise sdk.ClientAuthenticationError(response=answer)
        if answer.status_code != 200:
            raise sdk.HttpResponseError(response=answer)
        return answer.json()


def quoted(*segments: str) -> str:
    """A path of these segments, each quoted."""
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)
