"""Checks of resources that are to be added. They look at the input alone."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ccgpu.fakearm import kinds
from ccgpu.fakearm.policies import BUILT_IN, DEFINITIONS
from ccgpu.fakearm.seed_kinds import (
    CANONICAL_KINDS,
    RULE_FIELDS,
    SEED_KINDS,
    SUBNET_FIELDS,
    SeedKind,
)
from ccgpu.fakearm.wire import Body


class SeedProblem(NamedTuple):
    """The resource's number in the input, the path of keys in it, and the reason."""

    place: int
    path: tuple[str | int, ...]
    why: str


class Seed(NamedTuple):
    """A resource to add. `group` is None for a resource of the subscription."""

    place: int
    id: str
    kind: str
    subscription: str
    group: str | None
    body: Body


_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_ID = re.compile(
    rf"/subscriptions/(?P<sub>{_GUID})"
    r"(?:/resourceGroups/(?P<group>[^/]+))?"
    r"(?:/providers/(?P<rest>[^/]+(?:/[^/]+/[^/]+)+(?:/providers/[^/]+(?:/[^/]+/[^/]+)+)?))?",
    re.IGNORECASE,
)
_FIELDS = frozenset(
    [
        "apiVersion",
        "changedTime",
        "createdTime",
        "etag",
        "extendedLocation",
        "id",
        "identity",
        "kind",
        "location",
        "managedBy",
        "managedByExtended",
        "name",
        "plan",
        "properties",
        "resourceGroup",  # `az resource show` adds it
        "scope",
        "sku",
        "systemData",
        "tags",
        "type",
        "zones",
    ]
)


class _UnreadableSeed(Exception):
    """The input does not say which resource it is."""

    def __init__(self, why: str, *path: str) -> None:
        super().__init__(why)
        self.why, self.path = why, path


def check_seeds(
    resources: Sequence[Any], subscription: str, regions: Sequence[str]
) -> tuple[list[Seed], list[SeedProblem]]:
    """The valid resources, and everything that is wrong with the others."""
    seeds: list[Seed] = []
    problems: list[SeedProblem] = []
    known: dict[str, int] = {}
    for place, given in enumerate(resources):
        try:
            seed = _read_seed(place, given, subscription)
        except _UnreadableSeed as err:
            problems.append(SeedProblem(place, err.path, err.why))
            continue
        found = [SeedProblem(place, *one) for one in _seed_problems(seed, regions)]
        first = known.setdefault(seed.id.lower(), place)
        if first != place:
            found.append(
                SeedProblem(place, ("id",), f"is there twice, first as number {first + 1}")
            )
        problems += found
        if not found:
            seeds.append(seed)
    return seeds, problems


def _read_seed(place: int, given: Any, home: str) -> Seed:
    """The resource that the id names."""
    if not isinstance(given, dict):
        raise _UnreadableSeed(
            "is not a resource: write an object with id, type, location, properties"
        )
    id_ = str(given.get("id") or "").rstrip("/")
    if not id_:
        raise _UnreadableSeed("is missing: each resource needs its full ARM id", "id")
    parts = _ID.fullmatch(id_)
    kind = _kind_in_id(parts) if parts else None
    if parts is None or kind is None:
        raise _UnreadableSeed(
            "is not the id of a resource: /subscriptions/…/resourceGroups/…", "id"
        )
    if kind.lower() not in CANONICAL_KINDS:
        known = ", ".join(SEED_KINDS)
        raise _UnreadableSeed(f"is of type {kind}, which cannot be added; these can: {known}", "id")
    kind = CANONICAL_KINDS[kind.lower()]
    _check_place(parts, kind, home)
    return Seed(place, _canonical_id(id_, kind), kind, parts["sub"], parts["group"], given)


_ANYWHERE = (kinds.GROUP, kinds.LOCK, kinds.POLICY, kinds.ROLE_ASSIGNMENT)


def _check_place(parts: re.Match[str], kind: str, home: str) -> None:
    if parts["sub"].lower() != home.lower() and not SEED_KINDS[kind].foreign:
        why = f"is of subscription {parts['sub']}; a {kind} can only be added to {home}"
        raise _UnreadableSeed(why, "id")
    if kind not in _ANYWHERE and parts["group"] is None:
        raise _UnreadableSeed("names no resource group", "id")


_TYPE_ALIASES = {kinds.GROUP: ("microsoft.resources/subscriptions/resourcegroups",)}


def _kind_in_id(parts: re.Match[str]) -> str | None:
    if parts["rest"] is None:
        return kinds.GROUP if parts["group"] else None
    namespace, *rest = parts["rest"].split("/providers/")[-1].split("/")
    return "/".join([namespace, *rest[::2]])


def _canonical_id(id_: str, kind: str) -> str:
    """The id with the type in ARM's spelling."""
    if kind == kinds.GROUP:
        _, _, subscription, _, group = id_.split("/")
        return f"/subscriptions/{subscription}/resourceGroups/{group}"
    before, _, provider = id_.rpartition("/providers/")
    words = kind.split("/")
    names = provider.split("/")[2::2]
    path = "/".join(f"{word}/{name}" for word, name in zip(words[1:], names, strict=True))
    before = re.sub("/resourcegroups/", "/resourceGroups/", before, flags=re.IGNORECASE)
    return f"{before}/providers/{words[0]}/{path}"


def _type_problems(seed: Seed) -> "_Problems":
    given = seed.body.get("type")
    if given is not None and str(given).lower() not in (
        seed.kind.lower(),
        *_TYPE_ALIASES.get(seed.kind, ()),
    ):
        yield ("type",), f"is {given}, but the id is of a {seed.kind}"


_Problems = Iterator[tuple[tuple[str | int, ...], str]]


def _seed_problems(seed: Seed, regions: Sequence[str]) -> _Problems:
    rules, given, last = SEED_KINDS[seed.kind], seed.body, seed.id.rsplit("/", 1)[1]
    for key in given:
        if key not in _FIELDS:
            below = key in rules.properties
            yield (key,), "belongs below properties, as a GET has it" if below else "is unknown"
    yield from _type_problems(seed)
    if str(given.get("name") or last).rsplit("/", 1)[-1].lower() != last.lower():
        yield ("name",), f"is {given['name']}, but the id ends with {last}"
    yield from _location_problems(rules, given, regions)
    yield from _tag_problems(given.get("tags"))
    properties = {} if given.get("properties") is None else given["properties"]
    if isinstance(properties, dict):
        yield from _property_problems(rules, properties)
        yield from _part_problems(seed.kind, properties)
    else:
        yield ("properties",), "must be an object"
    if seed.kind == kinds.DISK and given.get("managedBy"):
        yield ("managedBy",), "is a VM, and those cannot be added: remove it"


def _location_problems(rules: SeedKind, given: Body, regions: Sequence[str]) -> _Problems:
    if not rules.located:
        return
    location = given.get("location")
    if not location:
        yield ("location",), "is missing"
    elif str(location).replace(" ", "").lower() not in regions:
        yield ("location",), f"is {location}, no region of these: {', '.join(regions)}"


def _tag_problems(tags: Any) -> _Problems:
    if tags is None:
        return
    if not isinstance(tags, dict) or not all(isinstance(one, str) for one in tags.values()):
        yield ("tags",), "must be an object of texts"


def _property_problems(rules: SeedKind, properties: Body) -> _Problems:
    for key in properties.keys() - rules.properties:
        yield ("properties", key), "is unknown"
    for path in rules.needed:
        value: Any = properties
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if not value:
            yield ("properties", *path.split(".")), "is missing"
    for key, known in rules.values:
        value = properties.get(key)
        if value is not None and value not in known:
            yield ("properties", key), f"is {value}, must be one of {', '.join(known)}"


def _part_problems(kind: str, properties: Body) -> _Problems:
    """Check the subnets of a VNet, the rules of an NSG, the definition of an assignment."""
    if kind == kinds.VNET:
        yield from _list_problems(properties, "subnets", SUBNET_FIELDS)
    elif kind == kinds.NSG:
        yield from _list_problems(properties, "securityRules", RULE_FIELDS)
    elif kind == kinds.POLICY and properties.get("policyDefinitionId"):
        yield from _policy_problems(properties)


def _list_problems(properties: Body, key: str, fields: frozenset[str]) -> _Problems:
    listed = properties.get(key) or []
    if not isinstance(listed, list):
        yield ("properties", key), "must be a list"
        return
    for number, one in enumerate(listed):
        at = ("properties", key, number)
        if not isinstance(one, dict) or not isinstance(one.get("properties", {}), dict):
            yield at, "must be an object with name and properties"
            continue
        if not one.get("name"):
            yield (*at, "name"), "is missing"
        for field in one.get("properties", {}).keys() - fields:
            yield (*at, "properties", field), "is unknown"


def _policy_problems(properties: Body) -> _Problems:
    definition = str(properties["policyDefinitionId"])
    name = definition.rsplit("/", 1)[1] if "/" in definition else definition
    known = BUILT_IN.get(name)
    if known is None or definition.lower() != f"{DEFINITIONS}{name}".lower():
        listed = ", ".join(f"{id_} ({one.name})" for id_, one in BUILT_IN.items())
        yield ("properties", "policyDefinitionId"), f"is none that is simulated: {listed}"
    elif known.parameter is not None:
        given = (properties.get("parameters") or {}).get(known.parameter)
        if not isinstance(given, dict) or "value" not in given:
            yield ("properties", "parameters", known.parameter, "value"), "is missing"
