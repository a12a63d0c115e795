"""What a caller may do, as Azure lists it, and what of the needed actions is missing. Pure.

A role grants its actions less its notActions; several roles add up (Microsoft Learn, "Understand
Azure role definitions"). A wildcard stands for any text; case does not count. Deny assignments and
locks are not in the list.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Grant:
    """The permissions of one role."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    def allows(self, action: str) -> bool:
        """Whether this role alone allows the action."""
        return _matches(self.actions, action) and not _matches(self.not_actions, action)


def missing_actions(needed: Iterable[str], grants: Iterable[Grant]) -> tuple[str, ...]:
    """The needed actions that no role allows, in order."""
    roles = tuple(grants)
    wanted = dict.fromkeys(needed)
    return tuple(one for one in wanted if not any(role.allows(one) for role in roles))


def _matches(patterns: tuple[str, ...], action: str) -> bool:
    return bool(patterns) and _compiled(patterns).fullmatch(action) is not None


@lru_cache(maxsize=64)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    each = (".*".join(re.escape(part) for part in one.split("*")) for one in patterns)
    return re.compile("|".join(each), re.IGNORECASE)
