"""Which rows of an index of VMs hold, by the live lists that were read beside it. Pure.

The index (Azure Resource Graph) may be hours behind. A row holds if the list of the VMs' run-time
status has the same VM, at rest and unchanged for an hour, and the list of tagged resources has the
same tags. Any other VM that may be a deployment's has to be read.
"""

from collections.abc import Iterable, Mapping

from ccgpu.domain.resource import DEPLOYMENT, Body, ResourceId, key, state_of, tag, tags_of
from ccgpu.domain.status import last_change
from ccgpu.domain.vm_view import instance_view, properties

# Seconds after a VM's last operation in which its row may be that of before. 95 % of all changes
# are in the index within 30 s (azure-dev#540); the longest delay that was reported, but for changes
# that the index misses, is above half an hour (azure-docs#19879).
_SETTLED = 3600.0


def join_index(
    index: Iterable[Body],
    statuses: Mapping[ResourceId, Body],
    tagged: Mapping[ResourceId, Body],
    now: float,
) -> tuple[list[Body], list[Body]]:
    """The deployments' VMs, with instance view, of which a row holds; and what must be read.

    A VM that only the index has is in neither: it is gone, or the list of tagged resources has it.

    Args:
        index: the rows, in the form of a VM's GET.
        statuses: the entries of the list of run-time status, by `key`: of those VMs alone that are
            not known otherwise.
        tagged: the resources with the deployment tag, with all their tags, by `key`.
        now: Azure's time.
    """
    rows = {key(row["id"]): row for row in index}
    held: list[Body] = []
    unclear: list[Body] = []
    for at, status in statuses.items():
        row, entry = rows.get(at), tagged.get(at)
        if row is None or not _is_same_vm(row, status):
            unclear.append(status)
        elif tag(row, DEPLOYMENT) is None and entry is None:
            continue  # another owner's
        elif entry is None or tags_of(row) != tags_of(entry) or not _is_settled(status, now):
            unclear.append(status)
        else:
            held.append(_with_status(row, status))
    return held, unclear


def _is_same_vm(row: Body, status: Body) -> bool:
    """Whether both are of one VM, not of two that have had the same name."""
    one, other = properties(row).get("vmId"), properties(status).get("vmId")
    return bool(one) and str(one).casefold() == str(other).casefold()


def _is_settled(status: Body, now: float) -> bool:
    """Whether the last operation on the VM ended long enough ago; false if nothing says when."""
    ended = last_change(status)
    return state_of(status) == "Succeeded" and 0.0 < ended <= now - _SETTLED


def _with_status(row: Body, status: Body) -> Body:
    live = {"provisioningState": state_of(status), "instanceView": instance_view(status)}
    return {**row, "properties": {**properties(row), **live}}
