"""The VMs of a subscription from Azure Resource Graph, up to 1,000 in one answer.

It is an index that is brought up to date after Azure has changed something: 95 % of the changes are
in it within half a minute, and there is no upper bound (azure-dev#540; a full scan takes place
about every 30 hours, azure-webpubsub#148). So a row says what a VM has been, and neither that it
exists nor that one without a row does not.

Form: azure-rest-api-specs, resourcegraph.json, 2022-10-01. Paging: Microsoft Learn, "Guidance for
pagination": an answer has `$skipToken` while rows are left, and `id` must be among the columns.
"""

from collections.abc import Iterator
from typing import Any

from ccgpu.azure.reader import ArmReader
from ccgpu.domain.resource import Body, ResourceId, key

_PATH, _API = "/providers/Microsoft.ResourceGraph/resources", "2022-10-01"
_ROWS = 1000  # the most that `$top` may be
# The power state and the state of provisioning in `properties` are as old as the rest of a row.
_VMS = (
    "resources | where type =~ 'microsoft.compute/virtualmachines' "
    "| project id, location, zones, tags, properties | order by id asc"
)


def read_indexed_vms(reader: ArmReader, subscription: str) -> tuple[Body, ...]:
    """All rows; KeyError, TypeError or AttributeError if they are not whole and of this form."""
    rows: dict[ResourceId, Body] = {}
    total = None
    for answer in _answers(reader, subscription):
        read = {key(row["id"]): row for row in map(_parse_row, answer["data"])}
        if len(read) != answer["count"]:
            raise KeyError("data")
        rows |= read
        total = answer["totalRecords"]
    if len(rows) != total:
        raise KeyError("totalRecords")
    return tuple(rows.values())


def _answers(reader: ArmReader, subscription: str) -> Iterator[Any]:
    """The answers, page by page; KeyError if a page is offered twice."""
    options: dict[str, Any] = {"$top": _ROWS, "resultFormat": "objectArray"}
    query = {"subscriptions": [subscription], "query": _VMS, "options": options}
    read = set[str]()
    while True:
        answer = reader.post(_PATH, _API, body=query)
        yield answer
        token = answer.get("$skipToken")
        if not token:
            return
        if token in read:
            raise KeyError("$skipToken")
        read.add(token)
        query = {**query, "options": {**options, "$skipToken": token}}


def _parse_row(row: Any) -> Body:
    """A row in the form of a VM's GET: columns that are null are left out."""
    body = {name: value for name, value in row.items() if value is not None}
    tags, zones = body.get("tags", {}), body.get("zones", [])
    texts = isinstance(body["id"], str) and isinstance(body["location"], str)
    if not (texts and isinstance(tags, dict) and isinstance(zones, list)):
        raise TypeError("a row of another form")
    return {**body, "properties": {**body["properties"]}}
