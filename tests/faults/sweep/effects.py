"""What a fault does to a request: pure functions for `fault_kinds`.

It answers instead of Azure, lets Azure answer and loses or changes the response, or fails.
"""

import base64
from collections.abc import Callable
from typing import Any

from ccgpu.fakearm import Request, Response
from support import faults

# From the request, and a function that lets Azure respond: a response, or an exception.
Effect = Callable[[Request, Callable[[], Response]], Response]


def is_any(_: Request) -> bool:
    return True


def is_write(request: Request) -> bool:
    return request.method != "GET"


def is_delete(request: Request) -> bool:
    return request.method == "DELETE"


def is_put(request: Request) -> bool:
    return request.method == "PUT"


def is_vm_put(request: Request) -> bool:
    return is_put(request) and "/virtualmachines/" in request.path.casefold()


def is_network_write(request: Request) -> bool:
    return is_write(request) and "/microsoft.network/" in request.path.casefold()


def is_read(request: Request) -> bool:
    return request.method == "GET" and not faults.is_poll(request)


def is_resource_read(request: Request) -> bool:
    return is_read(request) and "/resourcegroups/" in request.path.casefold()


def is_list(request: Request) -> bool:
    """Lists that may have pages: groups, resources, sizes, quota."""
    ends = ("/resourcegroups", "/resources", "/skus", "/usages")
    return request.method == "GET" and request.path.casefold().endswith(ends)


def is_search(request: Request) -> bool:
    """Lists of resources by tag or by group."""
    return is_list(request) and request.path.casefold().endswith(("/resourcegroups", "/resources"))


def is_single_read(request: Request) -> bool:
    return is_resource_read(request) and "/providers/" in request.path and not is_list(request)


def respond(answer: Response) -> Effect:
    return lambda _, __: answer


def fail(error: Exception) -> Effect:
    def effect(_: Request, __: Callable[[], Response]) -> Response:
        raise error

    return effect


def commit_and_fail(error: BaseException) -> Effect:
    """Azure carries out the request; its response is lost."""

    def effect(_: Request, go_on: Callable[[], Response]) -> Response:
        go_on()
        raise error

    return effect


def commit_and_respond(answer: Response) -> Effect:
    def effect(_: Request, go_on: Callable[[], Response]) -> Response:
        go_on()
        return answer

    return effect


def change_response(change: Callable[[Response], Response]) -> Effect:
    return lambda _, go_on: change(go_on())


def remove_headers(*names: str) -> Effect:
    low = {name.casefold() for name in names}

    def change(answer: Response) -> Response:
        kept = {k: v for k, v in answer.headers.items() if k.casefold() not in low}
        return Response(answer.status, answer.body, kept)

    return change_response(change)


def add_headers(**headers: str) -> Effect:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return change_response(
        lambda answer: Response(answer.status, answer.body, {**answer.headers, **named})
    )


def operation_status(status: object) -> Effect:
    return respond(Response(200, {"status": status, "name": "operation"}))


def throttle(**headers: str) -> Effect:
    return respond(faults.error(429, "TooManyRequests", **headers))


def add_foreign_page(answer: Response) -> Response:
    """The next page is on a foreign host."""
    return Response(answer.status, {**answer.body, "nextLink": FOREIGN}, answer.headers)


def set_creating(answer: Response) -> Response:
    """The resource in its previous state, Creating."""
    if answer.status != 200:
        return answer
    properties = {**answer.body["properties"], "provisioningState": "Creating"}
    return Response(answer.status, {**answer.body, "properties": properties}, answer.headers)


def upper_case_ids(answer: Response) -> Response:
    """Every id in upper case."""
    return Response(answer.status, upper_case(answer.body), answer.headers)


def upper_case(body: Any, name: str = "") -> Any:
    match body:
        case dict():
            return {key: upper_case(value, key) for key, value in body.items()}
        case list():
            return [upper_case(one) for one in body]
        case str() if name == "id" and body.startswith("/subscriptions/"):
            return body.upper()
    return body


def empty_list(answer: Response) -> Response:
    return Response(answer.status, {**answer.body, "value": []}, answer.headers)


def remove_tags(answer: Response) -> Response:
    """A list without tags."""
    bare = [{k: v for k, v in one.items() if k != "tags"} for one in answer.body["value"]]
    return Response(answer.status, {**answer.body, "value": bare}, answer.headers)


def challenge_response(error: str, **more: str) -> Response:
    words = ", ".join(f'{name}="{value}"' for name, value in {"error": error, **more}.items())
    return faults.error(401, "InvalidAuthenticationToken", WWW_Authenticate=f"Bearer {words}")


def require_claims(request: Request, go_on: Callable[[], Response]) -> Response:
    """Continuous access evaluation: 401 until the token has the requested claims."""
    if request.headers.get("Authorization", "").endswith(CLAIMS_SUFFIX):
        return go_on()
    claims = base64.urlsafe_b64encode(b'{"access_token":{"nbf":{"essential":true}}}').decode()
    return challenge_response("insufficient_claims", claims=claims.rstrip("="))


# The end of a token that was requested with claims.
CLAIMS_SUFFIX = "-with-claims"
DATE_IN_30_S = "Thu, 01 Jan 2026 00:00:30 GMT"
DATE_NOW = "Thu, 01 Jan 2026 00:00:00 GMT"
FOREIGN = "https://evil.example/operations/1?s=signature"
FOREIGN_HEADERS = {"Azure_AsyncOperation": FOREIGN, "Location": FOREIGN}
EXPIRED = faults.error(401, "ExpiredAuthenticationToken")  # without a challenge
HTML = {"Content-Type": "text/html"}
JSON = {"Content-Type": "application/json"}
