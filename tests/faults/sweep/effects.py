"""What a fault does to a request: pure functions, for `kinds` to choose from.

It answers in Azure's stead, lets Azure do the work and loses or bends the answer, or breaks the
connection.
"""

import base64
from collections.abc import Callable
from typing import Any

from ccgpu.fakearm import Answer, Request
from support import faults

# Given the request and a way to let Azure answer it: the answer, or an exception raised.
Effect = Callable[[Request, Callable[[], Answer]], Answer]


def anything(_: Request) -> bool:
    return True


def writes(request: Request) -> bool:
    return request.method != "GET"


def deletes(request: Request) -> bool:
    return request.method == "DELETE"


def puts(request: Request) -> bool:
    return request.method == "PUT"


def vm_puts(request: Request) -> bool:
    return puts(request) and "/virtualmachines/" in request.path.casefold()


def network(request: Request) -> bool:
    return writes(request) and "/microsoft.network/" in request.path.casefold()


def reads(request: Request) -> bool:
    return request.method == "GET" and not faults.polls(request)


def resource_reads(request: Request) -> bool:
    return reads(request) and "/resourcegroups/" in request.path.casefold()


def lists(request: Request) -> bool:
    """Answers that may come in pages: the groups, the resources, the sizes, the quota."""
    ends = ("/resourcegroups", "/resources", "/skus", "/usages")
    return request.method == "GET" and request.path.casefold().endswith(ends)


def searches(request: Request) -> bool:
    """Lists of what carries a tag, or is in a group."""
    return lists(request) and request.path.casefold().endswith(("/resourcegroups", "/resources"))


def one_resource(request: Request) -> bool:
    return resource_reads(request) and "/providers/" in request.path and not lists(request)


def answered(answer: Answer) -> Effect:
    return lambda _, __: answer


def broken(error: Exception) -> Effect:
    def effect(_: Request, __: Callable[[], Answer]) -> Answer:
        raise error

    return effect


def lost(error: Exception) -> Effect:
    """Azure does it, and nobody hears of it."""

    def effect(_: Request, go_on: Callable[[], Answer]) -> Answer:
        go_on()
        raise error

    return effect


def committed(answer: Answer) -> Effect:
    def effect(_: Request, go_on: Callable[[], Answer]) -> Answer:
        go_on()
        return answer

    return effect


def bent(change: Callable[[Answer], Answer]) -> Effect:
    return lambda _, go_on: change(go_on())


def without(*names: str) -> Effect:
    low = {name.casefold() for name in names}

    def change(answer: Answer) -> Answer:
        kept = {k: v for k, v in answer.headers.items() if k.casefold() not in low}
        return Answer(answer.status, answer.body, kept)

    return bent(change)


def with_headers(**headers: str) -> Effect:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return bent(lambda answer: Answer(answer.status, answer.body, {**answer.headers, **named}))


def said(status: object) -> Effect:
    return answered(Answer(200, {"status": status, "name": "operation"}))


def throttled(**headers: str) -> Effect:
    return answered(faults.error(429, "TooManyRequests", **headers))


def paged(answer: Answer) -> Answer:
    """The next page is at a foreign host."""
    return Answer(answer.status, {**answer.body, "nextLink": FOREIGN}, answer.headers)


def creating(answer: Answer) -> Answer:
    """A resource as it was a moment ago."""
    if answer.status != 200:
        return answer
    properties = {**answer.body["properties"], "provisioningState": "Creating"}
    return Answer(answer.status, {**answer.body, "properties": properties}, answer.headers)


def capitals(answer: Answer) -> Answer:
    """Every id in another case than it was given."""
    return Answer(answer.status, shouted(answer.body), answer.headers)


def shouted(body: Any, name: str = "") -> Any:
    match body:
        case dict():
            return {key: shouted(value, key) for key, value in body.items()}
        case list():
            return [shouted(one) for one in body]
        case str() if name == "id" and body.startswith("/subscriptions/"):
            return body.upper()
    return body


def unlisted(answer: Answer) -> Answer:
    return Answer(answer.status, {**answer.body, "value": []}, answer.headers)


def untagged(answer: Answer) -> Answer:
    """A list that names ids, and no tags."""
    bare = [{k: v for k, v in one.items() if k != "tags"} for one in answer.body["value"]]
    return Answer(answer.status, {**answer.body, "value": bare}, answer.headers)


def challenge(error: str, **more: str) -> Answer:
    words = ", ".join(f'{name}="{value}"' for name, value in {"error": error, **more}.items())
    return faults.error(401, "InvalidAuthenticationToken", WWW_Authenticate=f"Bearer {words}")


def wanting_claims(request: Request, go_on: Callable[[], Answer]) -> Answer:
    """Continuous access evaluation: 401 until the token carries the claims that are asked for."""
    if request.headers.get("Authorization", "").endswith(WITH_CLAIMS):
        return go_on()
    claims = base64.urlsafe_b64encode(b'{"access_token":{"nbf":{"essential":true}}}').decode()
    return challenge("insufficient_claims", claims=claims.rstrip("="))


# How a token of the sweep's sign-in ends that was asked for with claims.
WITH_CLAIMS = "-with-claims"
DATE = "Thu, 01 Jan 2026 00:00:30 GMT"
NOW = "Thu, 01 Jan 2026 00:00:00 GMT"
FOREIGN = "https://evil.example/operations/1?s=signature"
ELSEWHERE = {"Azure_AsyncOperation": FOREIGN, "Location": FOREIGN}
EXPIRED = faults.error(401, "ExpiredAuthenticationToken")  # without a challenge: not ARM's word
HTML = {"Content-Type": "text/html"}
JSON = {"Content-Type": "application/json"}
