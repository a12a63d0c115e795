"""Requests to Azure's own addresses, as a VM makes them: no proxy, no redirect, bounded answers."""

import http.client
import time
from collections.abc import Mapping

TRIES, PAUSE = 60, 5.0  # five minutes: the network, and the services behind it, may come late
TIMEOUT = 10.0
ANSWER_LIMIT = 256 * 1024  # bytes; userData has at most 64 KiB, and a third more in base64


class NoAzureAnswer(Exception):
    """The service gives no usable answer."""


def ask(
    host: str, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> tuple[int, bytes]:
    """Status and body of one answer."""
    connection = http.client.HTTPConnection(host, 80, timeout=TIMEOUT)
    try:
        connection.request(method, path, body=body or None, headers=dict(headers))
        answer = connection.getresponse()
        content = answer.read(ANSWER_LIMIT + 1)
    except (OSError, http.client.HTTPException) as err:
        raise NoAzureAnswer(f"{host}: {type(err).__name__}: {err}") from err
    finally:
        connection.close()
    if len(content) > ANSWER_LIMIT:
        raise NoAzureAnswer(f"{host} answers with more than {ANSWER_LIMIT} bytes")
    return answer.status, content


def ask_patiently(
    host: str, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> bytes:
    """The body of the first answer with the status 200."""
    last = ""
    for _ in range(TRIES):
        try:
            status, content = ask(host, method, path, headers, body)
        except NoAzureAnswer as err:
            last = str(err)
        else:
            if status == 200:
                return content
            last = f"{host} answers {status}"
        time.sleep(PAUSE)
    raise NoAzureAnswer(last)
