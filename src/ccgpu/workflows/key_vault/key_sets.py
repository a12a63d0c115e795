"""Fetch the key set of an attestation service, from the address of its issuer alone."""

from collections.abc import Generator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.net.fetch import HttpRequestSpec, NoAnswer, Web
from ccgpu.net.retry import retry_delay
from ccgpu.scheduling.scheduler import Call

_LIMIT = 1024 * 1024  # bytes; real ones have 60 to 150 KiB
_ATTEMPTS = 3


def fetch_key_set(run: Run, url: str | None) -> tuple[bytes | None, str]:
    """The key set at an address, or None and why there is none.

    url: None if the token's issuer is no service of Microsoft's, whose address nobody asks.
    """
    if url is None:
        return b"", "the issuer is no attestation service of Microsoft's"
    host = str(urlsplit(url).hostname)
    with run.cloud.session.web([host]) as web:
        try:
            return run_task(run, _fetch(run, web, HttpRequestSpec(url, _LIMIT, "*/*"))), ""
        except NoAnswer as err:
            return None, f"{host} {err}"


def _fetch(run: Run, web: Web, spec: HttpRequestSpec) -> Generator[Call, Any, bytes]:
    doing = f"fetching the keys of {spec.host}"
    after, attempt = 0.0, 0
    while True:
        try:
            body: bytes = yield run.call(partial(web.get, spec), doing, after)
        except NoAnswer as err:
            attempt += 1
            if not err.transient or attempt == _ATTEMPTS:
                raise
            wanted, least = retry_delay(attempt, err.retry_after), err.retry_after or 0.0
            after = run.deadline.pause(wanted, doing, at_least=least)
        else:
            return body
