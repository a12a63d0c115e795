"""Named sets of settings: a subscription in a certain mood, to see how its user gets along.

A scenario says all that is not as usual: what another one had changed is as usual again.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ccgpu.fakearm.registration import STATES
from ccgpu.fakearm.service import FAKE_SUBSCRIPTION, FakeArm
from ccgpu.fakearm.settings import DEFAULTS, NCC_SIZE

_FULL = {"": 0, "1": 0, "2": 0, "3": 0}
_NO_ADDRESS = {
    "kind": "Microsoft.Network/publicIPAddresses",
    "message": "Public IP addresses are not allowed here.",
}
SCENARIOS: Mapping[str, Mapping[str, Any]] = {
    "usual": {},
    "capacity-full": {
        "capacity": {NCC_SIZE: {"eastus2": _FULL, "westeurope": _FULL, "centralus": _FULL}}
    },
    "first-region-full": {"capacity": {NCC_SIZE: {"eastus2": _FULL}}},
    "quota-zero": {"quota": {"*": {"StandardNCCads2023Family": 0}}},
    "throttled": {"buckets": True},
    "lagging": {"lag": {"lists": 120, "reads": 2}},
    "tagless-lists": {"tagless_lists": True},
    "read-only": {"principal": ["*/read"]},
    "stale-agents": {"stale_agents": True},
    "no-foreign-rights": {"foreign_principal": []},
    "locked": {"locks": {f"/subscriptions/{FAKE_SUBSCRIPTION}": "CanNotDelete"}},
    "no-public-ip": {"denied": [_NO_ADDRESS]},
    "provider-not-registered": {
        "providers": {"Microsoft.Compute": "NotRegistered", "Microsoft.Network": "NotRegistered"}
    },
    "slow": {"durations": {"vm.create": 2400, "vm.boot": 600, "vm.delete": 900}},
}


class Flaw(NamedTuple):
    """What is wrong with a scenario of one's own: the keys that lead there, and why."""

    path: tuple[str, ...]
    why: str


def names() -> list[str]:
    """Every scenario that has a name."""
    return list(SCENARIOS)


def apply(arm: FakeArm, name: str) -> None:
    """Put the subscription into the scenario of that name."""
    arm.configure(SCENARIOS[name])


def typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a file that says all in texts: which are numbers, the setting says."""
    return {key: _typed(value, _MEANT.get(key, {})) for key, value in values.items()}


def _typed(value: Any, meant: Callable[[str], Any] | Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _typed(one, meant) for key, one in value.items()}
    if not isinstance(value, str):
        return value
    return meant.get(value, value) if isinstance(meant, Mapping) else meant(value)


def _count(text: str) -> Any:
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    return float(text) if re.fullmatch(r"[0-9]{1,9}\.[0-9]{1,9}", text) else text


_BOOLEAN, _NULL = {"true": True, "false": False}, {"null": None}
_MEANT: dict[str, Callable[[str], Any] | Mapping[str, Any]] = {
    **dict.fromkeys(
        ("quota", "capacity", "durations", "lag", "page_size", "nic_delete_status"), _count
    ),
    **dict.fromkeys(
        ("buckets", "failed_create_leaves_disk", "tagless_lists", "stale_agents"), _BOOLEAN
    ),
    **dict.fromkeys(("principal", "foreign_principal", "allocation_error"), _NULL),
}


def flaws(values: Mapping[str, Any]) -> list[Flaw]:
    """All that is wrong with the settings of a scenario of one's own."""
    found = []
    for key, value in values.items():
        if key not in DEFAULTS:
            found.append(Flaw((key,), f"unknown setting; known are {', '.join(sorted(DEFAULTS))}"))
        elif type(value) is not type(usual := DEFAULTS[key]) and usual is not None:
            found.append(Flaw((key,), f"must be {_KINDS[type(usual)]}"))
        elif key in _INSIDE:
            found += [Flaw((key, *path), why) for path, why in _INSIDE[key](value)]
    return found


# What a value may be, by what it usually is; None stands for a list of actions or a code.
_KINDS = {dict: "a mapping", list: "a list", bool: "true or false", int: "a whole number"}


def _numbers(*known: str) -> Callable[[Any], list[Flaw]]:
    def check(values: Any) -> list[Flaw]:
        unknown = f"unknown; known are {', '.join(sorted(known))}"
        found = [Flaw((str(key),), unknown) for key in values if key not in known]
        return found + [
            Flaw((str(key),), "must be a number, 0 or more")
            for key, value in values.items()
            if key in known and not _number(value)
        ]

    return check


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _levels(values: Any) -> list[Flaw]:
    why = "must be CanNotDelete or ReadOnly"
    allowed = ("CanNotDelete", "ReadOnly")
    return [Flaw((str(key),), why) for key, value in values.items() if value not in allowed]


def _texts(values: Any) -> list[Flaw]:
    listed = isinstance(values, list) and all(isinstance(one, str) for one in values)
    return [] if listed else [Flaw((), "must be a list of texts")]


def _granted(values: Any) -> list[Flaw]:
    return [] if values is None else _texts(values)


def _policies(values: Any) -> list[Flaw]:
    why = "must have a kind and a message"
    return [
        Flaw((str(place),), why)
        for place, one in enumerate(values)
        if not (isinstance(one, dict) and {"kind", "message"} == one.keys())
    ]


def _providers(values: Any) -> list[Flaw]:
    known = ", ".join(sorted(DEFAULTS["providers"]))
    found = [
        Flaw((str(key),), f"unknown; known are {known}")
        for key in values
        if key not in DEFAULTS["providers"]
    ]
    why = f"must be one of {', '.join(STATES)}"
    return found + [Flaw((str(key),), why) for key, one in values.items() if one not in STATES]


_INSIDE: dict[str, Callable[[Any], list[Flaw]]] = {
    "lag": _numbers("lists", "reads"),
    "durations": _numbers(*DEFAULTS["durations"]),
    "locks": _levels,
    "denied": _policies,
    "principal": _granted,
    "foreign_principal": _granted,
    "survivors": _texts,
    "providers": _providers,
}
