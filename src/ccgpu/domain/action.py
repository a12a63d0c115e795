"""What can happen to a resource. It stands alone: views of what exists need no plan."""

from enum import StrEnum


class Action(StrEnum):
    """What a step does to its resource."""

    CREATE = "create"
    UPDATE = "update"
    KEEP = "keep"
    REPLACE = "replace"
    DELETE = "delete"
