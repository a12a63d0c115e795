"""Named sets of settings, such as a subscription without capacity.

Applying a scenario resets every setting that it does not name.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ccgpu.fakearm.gallery.replication import find_replication_problems
from ccgpu.fakearm.guest_settings import GUEST_SCENARIOS, convert_text, find_guest_problems
from ccgpu.fakearm.images import find_end_problems
from ccgpu.fakearm.registration import STATES, SUBSCRIPTION_STATES
from ccgpu.fakearm.service import FAKE_SUBSCRIPTION, FakeArm
from ccgpu.fakearm.settings import DEFAULTS, NCC_SIZE

VENDOR_STATES = ("good", "down", "revoke-chip", "revoke-gpu")
_NO_CAPACITY = {"": 0, "1": 0, "2": 0, "3": 0}
_NO_PUBLIC_IP = {
    "kind": "Microsoft.Network/publicIPAddresses",
    "message": "Public IP addresses are not allowed here.",
}
_SOLD_OUT = {
    "capacity": {NCC_SIZE: dict.fromkeys(("eastus2", "westeurope", "centralus"), _NO_CAPACITY)}
}
_ONE_LEFT = {"capacity": {NCC_SIZE: {"westeurope": {"": 1, "1": 1}}}}
# Names of Azure's regions (`az account list-locations`).
_MANY_REGIONS = (
    *("australiaeast", "australiasoutheast", "austriaeast", "brazilsouth", "canadacentral"),
    *("canadaeast", "centralindia", "centralus", "chilecentral", "eastasia", "eastus", "eastus2"),
    *("francecentral", "germanywestcentral", "indonesiacentral", "israelcentral", "italynorth"),
    *("japaneast", "japanwest", "koreacentral", "koreasouth", "malaysiawest", "mexicocentral"),
    *("newzealandnorth", "northcentralus", "northeurope", "norwayeast", "polandcentral"),
    *("southafricanorth", "southcentralus", "southeastasia", "southindia", "spaincentral"),
    *("swedencentral", "switzerlandnorth", "uaenorth", "uksouth", "westeurope", "westus2"),
    "westus3",
)
SCENARIOS: Mapping[str, Mapping[str, Any]] = {
    "usual": {},
    "capacity-full": _SOLD_OUT,
    "capacity-returns": {
        **_SOLD_OUT,
        "timeline": [{"after": 7200, "settings": _ONE_LEFT}],
    },
    "zone-2-only": {
        "capacity": {NCC_SIZE: {"eastus2": {"": 0, "1": 0, "3": 0}}},
    },
    "misreported": {
        "reported": {
            "quota": {"*": {"StandardNCCads2023Family": 0}},
            "restrictions": {
                NCC_SIZE: {
                    "eastus2": [{"type": "Location", "reasonCode": "NotAvailableForSubscription"}]
                }
            },
        }
    },
    "no-sizes-listed": {"reported": {"sizes": False}},
    "many-regions": {
        "regions": list(_MANY_REGIONS),
        "offers": {
            NCC_SIZE: {"swedencentral": ["1", "2", "3"], "southcentralus": ["3"]},
            "Standard_D4s_v5": {region: ["1"] for region in _MANY_REGIONS},
        },
    },
    "first-region-full": {"capacity": {NCC_SIZE: {"eastus2": _NO_CAPACITY}}},
    "quota-zero": {"quota": {"*": {"StandardNCCads2023Family": 0}}},
    "throttled": {"buckets": True},
    "lagging": {"lag": {"lists": 120, "graph": 120, "reads": 2}},
    "tagless-lists": {"tagless_lists": True},
    "read-only": {"principal": ["*/read"]},
    "stale-agents": {"stale_agents": True},
    "no-foreign-rights": {"foreign_principal": []},
    "locked": {"locks": {f"/subscriptions/{FAKE_SUBSCRIPTION}": "CanNotDelete"}},
    "no-public-ip": {"denied": [_NO_PUBLIC_IP]},
    "provider-not-registered": {
        "providers": {"Microsoft.Compute": "NotRegistered", "Microsoft.Network": "NotRegistered"}
    },
    **{name: {"guest": settings} for name, settings in GUEST_SCENARIOS.items()},
    **{f"vendors-{state}": {"vendors": state} for state in VENDOR_STATES[1:]},
    "subscription-disabled": {"subscription_state": "Disabled"},
    "image-ends": {
        "image_ends": {
            "Canonical:ubuntu-24_04-lts:cvm:24.04.202609150": "2027-06-30T00:00:00+00:00"
        }
    },
    "replication-fails": {"replication": {"fails": ["westeurope"]}},
    "prices-down": {"prices": {"service": "down"}},
    "never-boots": {"durations": {"vm.boot": 1e9}},
    "slow": {"durations": {"vm.create": 2400, "vm.boot": 600, "vm.delete": 900}},
}


class SettingProblem(NamedTuple):
    """What is wrong with a user's scenario: the path of keys, and the reason."""

    path: tuple[str, ...]
    why: str


def names() -> list[str]:
    """The names of all scenarios."""
    return list(SCENARIOS)


def apply(arm: FakeArm, name: str) -> None:
    """Apply the scenario of that name."""
    arm.configure(SCENARIOS[name])


def convert_texts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the texts of a file to the types that the settings have."""
    return {
        key: _convert_timeline(value)
        if key == "timeline"
        else _convert(value, _CONVERSIONS.get(key, {}))
        for key, value in values.items()
    }


def _convert_timeline(entries: Any) -> Any:
    if not isinstance(entries, list):
        return entries
    return [_convert_entry(one) if isinstance(one, dict) else one for one in entries]


def _convert_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    converted = dict(entry)
    if isinstance(entry.get("after"), str):
        converted["after"] = _parse_number(entry["after"])
    if isinstance(entry.get("settings"), dict):
        converted["settings"] = convert_texts(entry["settings"])
    return converted


def _convert(value: Any, meant: Callable[[str], Any] | Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {key: _convert(one, meant) for key, one in value.items()}
    if not isinstance(value, str):
        return value
    return meant.get(value, value) if isinstance(meant, Mapping) else meant(value)


def _parse_number(text: str) -> Any:
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    return float(text) if re.fullmatch(r"[0-9]{1,9}\.[0-9]{1,9}", text) else text


_BOOLEAN, _NULL = {"true": True, "false": False}, {"null": None}
_CONVERSIONS: dict[str, Callable[[str], Any] | Mapping[str, Any]] = {
    **dict.fromkeys(("quota", "capacity", "durations", "lag", "nic_delete_status"), _parse_number),
    **dict.fromkeys(("page_size", "arm_page_size", "graph_page_size"), _parse_number),
    **dict.fromkeys(("buckets", "failed_create_leaves_disk", "stale_agents"), _BOOLEAN),
    **dict.fromkeys(("tagless_lists", "agentless_lists"), _BOOLEAN),
    "guest": convert_text,
    "prices": _parse_number,
    "reported": lambda text: _BOOLEAN.get(text, _parse_number(text)),
    **dict.fromkeys(("principal", "foreign_principal", "allocation_error"), _NULL),
}


def find_problems(values: Mapping[str, Any]) -> list[SettingProblem]:
    """Everything that is wrong with the settings of a user's scenario."""
    found = []
    for key, value in values.items():
        if key not in DEFAULTS:
            found.append(
                SettingProblem((key,), f"unknown setting; known are {', '.join(sorted(DEFAULTS))}")
            )
        elif type(value) is not type(usual := DEFAULTS[key]) and usual is not None:
            found.append(SettingProblem((key,), f"must be {_TYPE_NAMES[type(usual)]}"))
        elif key in _VALUE_CHECKS:
            found += [SettingProblem((key, *path), why) for path, why in _VALUE_CHECKS[key](value)]
    return found


# Names of the types that values may have, by the type of the default.
_TYPE_NAMES = {
    dict: "a mapping",
    list: "a list",
    bool: "true or false",
    int: "a whole number",
    str: "a text",
}


def _number_map_check(*known: str) -> Callable[[Any], list[SettingProblem]]:
    def check(values: Any) -> list[SettingProblem]:
        unknown = f"unknown; known are {', '.join(sorted(known))}"
        found = [SettingProblem((str(key),), unknown) for key in values if key not in known]
        return found + [
            SettingProblem((str(key),), "must be a number, 0 or more")
            for key, value in values.items()
            if key in known and not _is_number(value)
        ]

    return check


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _check_lock_levels(values: Any) -> list[SettingProblem]:
    why = "must be CanNotDelete or ReadOnly"
    allowed = ("CanNotDelete", "ReadOnly")
    return [
        SettingProblem((str(key),), why) for key, value in values.items() if value not in allowed
    ]


def _check_text_list(values: Any) -> list[SettingProblem]:
    listed = isinstance(values, list) and all(isinstance(one, str) for one in values)
    return [] if listed else [SettingProblem((), "must be a list of texts")]


def _choice_check(*known: str) -> Callable[[Any], list[SettingProblem]]:
    def check(value: Any) -> list[SettingProblem]:
        why = f"must be one of {', '.join(known)}"
        return [] if value in known else [SettingProblem((), why)]

    return check


def _check_actions(values: Any) -> list[SettingProblem]:
    return [] if values is None else _check_text_list(values)


def _check_denied_kinds(values: Any) -> list[SettingProblem]:
    why = "must have a kind and a message"
    return [
        SettingProblem((str(place),), why)
        for place, one in enumerate(values)
        if not (isinstance(one, dict) and {"kind", "message"} == one.keys())
    ]


def _check_providers(values: Any) -> list[SettingProblem]:
    known = ", ".join(sorted(DEFAULTS["providers"]))
    found = [
        SettingProblem((str(key),), f"unknown; known are {known}")
        for key in values
        if key not in DEFAULTS["providers"]
    ]
    why = f"must be one of {', '.join(STATES)}"
    return found + [
        SettingProblem((str(key),), why) for key, one in values.items() if one not in STATES
    ]


def _check_timeline(values: Any) -> list[SettingProblem]:
    found = []
    for place, one in enumerate(values):
        if not (isinstance(one, dict) and {"after", "settings"} == one.keys()):
            found.append(SettingProblem((str(place),), "must have `after` and `settings`"))
        elif not _is_number(one["after"]):
            found.append(SettingProblem((str(place), "after"), "must be a number of seconds"))
        elif not isinstance(one["settings"], dict) or "timeline" in one["settings"]:
            found.append(
                SettingProblem((str(place), "settings"), "must be settings but `timeline`")
            )
        else:
            found += [
                SettingProblem((str(place), "settings", *path), why)
                for path, why in find_problems(one["settings"])
            ]
    return found


def _check_reported(values: Any) -> list[SettingProblem]:
    unknown = f"unknown; known are {', '.join(sorted(DEFAULTS['reported']))}"
    found = [SettingProblem((key,), unknown) for key in values if key not in DEFAULTS["reported"]]
    for key, value in values.items():
        usual = DEFAULTS["reported"].get(key)
        if usual is not None and type(value) is not type(usual):
            found.append(SettingProblem((key,), f"must be {_TYPE_NAMES[type(usual)]}"))
    return found


def _check_prices(values: Any) -> list[SettingProblem]:
    found = []
    for key, value in values.items():
        if key == "service":
            known = value in ("good", "down")
            found += [] if known else [SettingProblem((key,), "must be good or down")]
        elif key not in ("vm", "currencies"):
            found.append(SettingProblem((key,), "unknown; known are currencies, service, vm"))
        elif not (isinstance(value, dict) and all(_is_number(one) for one in value.values())):
            found.append(SettingProblem((key,), "must be a mapping to numbers, 0 or more"))
    return found


_VALUE_CHECKS: dict[str, Callable[[Any], Iterable[tuple[tuple[str, ...], str]]]] = {
    "guest": find_guest_problems,
    "lag": _number_map_check("graph", "lists", "nested", "reads"),
    "durations": _number_map_check(*DEFAULTS["durations"]),
    "locks": _check_lock_levels,
    "denied": _check_denied_kinds,
    "principal": _check_actions,
    "foreign_principal": _check_actions,
    "survivors": _check_text_list,
    "subscription_state": _choice_check(*SUBSCRIPTION_STATES),
    "image_ends": find_end_problems,
    "vendors": _choice_check(*VENDOR_STATES),
    "prices": _check_prices,
    "replication": find_replication_problems,
    "timeline": _check_timeline,
    "reported": _check_reported,
    "providers": _check_providers,
}
