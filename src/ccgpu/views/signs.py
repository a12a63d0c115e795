"""Signs, colours and names of actions and resources. Colour only repeats a sign's meaning."""

import re

from ccgpu.domain.action import Action
from ccgpu.domain.resource import kind_of, name_of

SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.DELETE: "-",
    Action.REPLACE: "±",
    Action.KEEP: " ",
}
STYLES = {
    Action.CREATE: "green",
    Action.UPDATE: "yellow",
    Action.DELETE: "red",
    Action.REPLACE: "red",
    Action.KEEP: "dim",
}
_ID = re.compile(r"(?<![\w.])/subscriptions/[^\s'\"),;]*[^\s'\"),;:.]")


def kind_name(kind: str) -> str:
    """The last part of a resource type: `virtualMachines`."""
    return kind.rsplit("/", 1)[-1]


def resource_label(id_: str) -> str:
    """A resource's kind and name, as text for people."""
    return f"{kind_name(kind_of(id_) or 'resource')} {name_of(id_)}"


def shorten_ids(text: str) -> str:
    """`text` with each ARM id replaced by the resource's name."""
    return _ID.sub(lambda found: name_of(found[0]), text)
