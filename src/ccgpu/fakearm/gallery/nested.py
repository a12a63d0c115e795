"""What keeps a gallery or an image definition from being deleted: what is in it, or was lately.

The provider may still count a child for a while after it is gone (Azure/azure-sdk-for-net#30258,
Azure/azure-rest-api-specs#19686): setting `lag.nested`, in seconds.
"""

from ccgpu.fakearm.gallery import refusals
from ccgpu.fakearm.operations import Operation
from ccgpu.fakearm.wire import Body
from ccgpu.fakearm.world import StoredResource, World

_LAST_CHILD = "lastChild"  # the id of the child deleted last, and when


def refuse_with_children(world: World, parent: StoredResource) -> None:
    children = [one.id for one in world.list_children(parent.id)]
    id_, at = parent.internal_state.get(_LAST_CHILD, ("", 0.0))
    if id_ and world.now < at + world.settings.value("lag").get("nested", 0):
        children.append(id_)
    if children:
        raise refusals.nested_exist(children)


def finish_delete(world: World, _: Operation, target: StoredResource) -> Body | None:
    world.remove(target)
    parent = world.find(target.id.rsplit("/", 2)[0])
    if parent is not None:
        parent.internal_state[_LAST_CHILD] = (target.id, world.now)
        world.save(parent)
    return None
