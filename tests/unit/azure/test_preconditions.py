"""`If-Match`: a write applies only to the version of the resource that was read."""

import pytest

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import resource_id
from ccgpu.errors import AlreadyExists
from ccgpu.fakearm import FAKE_SUBSCRIPTION, Response
from support import faults

_VM = resource_id(FAKE_SUBSCRIPTION, "g", Kind.VM, "demo")


def _tag(adapter, etag):
    adapter.tag(Kind.VM, _VM, {"a": "b"}, etag=etag)


def _delete(adapter, etag):
    adapter.delete(Kind.VM, _VM, etag=etag)


@pytest.mark.parametrize("write", [_tag, _delete])
@pytest.mark.parametrize("etag", ['"17"', None])
def test_writes_send_the_etag(write, etag, wire):
    wire.replies.append(faults.success(200, {}))
    write(wire.adapter, etag)
    assert wire.seen[0].headers.get("If-Match") == etag


@pytest.mark.parametrize("write", [_tag, _delete])
def test_a_changed_etag_prevents_the_write(write, wire):
    wire.replies.append(faults.error(412, "PreconditionFailed"))
    with pytest.raises(AlreadyExists):
        write(wire.adapter, '"17"')


def test_a_group_is_deleted_without_a_precondition(wire):
    group = resource_id(FAKE_SUBSCRIPTION, "g", Kind.GROUP, "")
    wire.replies.append(Response(202, None, {"Location": "https://management.azure.com/x"}))
    assert wire.adapter.delete(Kind.GROUP, group) is not None
    assert "If-Match" not in wire.seen[0].headers
