"""The rows of Resource Graph: the query that is sent, its pages, and answers of another form."""

from typing import Any

import pytest

from ccgpu.errors import AzureRefused, AzureUnavailable
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Response
from support import faults


def _id(name: str) -> str:
    of = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/g/providers"
    return f"{of}/Microsoft.Compute/virtualMachines/{name}"


def _row(name: str, **changes: Any) -> dict[str, Any]:
    return {"id": _id(name), "location": "eastus2", "properties": {"vmId": name}} | changes


def _answer(*rows: Any, total: int = 2, **more: Any) -> Response:
    body = {"totalRecords": total, "count": len(rows), "data": list(rows)}
    return Response(200, body | {"facets": [], "resultTruncated": "false"} | more)


def _token(value: object) -> dict[str, Any]:
    return {"$skipToken": value}


def test_the_query_is_the_same_for_each_page_but_for_the_token(wire):
    wire.replies += [_answer(_row("a"), **_token("t")), _answer(_row("b"))]
    found = wire.queries.indexed_virtual_machines()
    assert [one["id"] for one in found] == [_id("a"), _id("b")]
    first, second = (request.json for request in wire.seen)
    assert first["options"] == {"$top": 1000, "resultFormat": "objectArray"}
    assert second == {**first, "options": first["options"] | _token("t")}
    assert first["subscriptions"] == [FAKE_SUBSCRIPTION]
    (path,) = {request.path for request in wire.seen}
    assert path == "/providers/Microsoft.ResourceGraph/resources"
    assert {request.query["api-version"] for request in wire.seen} == {"2022-10-01"}


def test_a_row_is_in_the_form_of_a_get(wire):
    wire.replies.append(_answer(_row("a", tags=None, zones=None), _row("b", tags={}, zones=["1"])))
    found = wire.queries.indexed_virtual_machines()
    assert found == (_row("a"), _row("b", tags={}, zones=["1"]))


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([_answer(_row("a"), **_token("t"))] * 2, id="a page again"),
        pytest.param([_answer(_row(str(n)), **_token("t")) for n in range(2)], id="a token again"),
        pytest.param([_answer(_row("a"), _row("A"))], id="a row twice"),
        pytest.param([_answer(_row("a"))], id="a row is missing"),
        pytest.param([_answer(_row("a"), _row("b"), count=3)], id="another count"),
        pytest.param([_answer(_row("a"), resultTruncated="true")], id="truncated"),
        pytest.param([_answer(_row("a"), _row("b", id=5))], id="an id that is no text"),
        pytest.param([_answer(_row("a"), _row("b", location=None))], id="no location"),
        pytest.param([_answer(_row("a"), _row("b", tags=[]))], id="tags that are a list"),
        pytest.param([_answer(_row("a"), _row("b", zones="1"))], id="zones that are a text"),
        pytest.param([_answer(_row("a"), _row("b", properties=[]))], id="no properties"),
        pytest.param([_answer(_row("a"), _row("b", properties=None))], id="null properties"),
        pytest.param([_answer(_row("a"), 5)], id="a row that is no object"),
        pytest.param([_answer(data={"columns": [], "rows": []})], id="a table"),
        pytest.param([Response(200, {"value": []})], id="another list"),
        pytest.param([Response(200, [])], id="a list"),
        pytest.param([faults.HTML_PAGE], id="a page of a proxy"),
    ],
)
def test_answers_that_are_not_whole_are_refused(answers, wire):
    wire.replies += answers
    with pytest.raises(AzureUnavailable, match="querying Azure Resource Graph"):
        wire.queries.indexed_virtual_machines()


@pytest.mark.parametrize("answer", [faults.THROTTLED, faults.FORBIDDEN, faults.UNAVAILABLE])
def test_it_is_asked_once(answer, wire):
    wire.replies.append(answer)
    with pytest.raises(AzureRefused):
        wire.queries.indexed_virtual_machines()
    assert len(wire.seen) == 1
