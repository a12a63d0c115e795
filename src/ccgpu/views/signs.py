"""How actions and ids are shown: signs carry the meaning, colour repeats it."""

import re

from ccgpu.domain import plain_text
from ccgpu.domain.plan import Action
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
    """A kind without its provider."""
    return kind.rsplit("/", 1)[-1]


def resource_label(id_: str) -> str:
    """What people call a resource: its kind and its name."""
    return f"{kind_name(kind_of(id_) or 'resource')} {name_of(id_)}"


def shorten_ids(text: str) -> str:
    """`text` with the names in the place of whole ARM ids."""
    return _ID.sub(lambda found: name_of(found[0]), text)


def one_line(text: str) -> str:
    """`text` on one line, what a terminal would obey made visible: it may come from anywhere."""
    return plain_text.one_line(text)
