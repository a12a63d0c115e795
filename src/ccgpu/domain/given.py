"""The given fields of a spec, and the remembered spec of the last create.

A field is named by its path in the notation of `--set`: `os_disk.size_gib`, `tags.team`. A list is
one field. A field that was never given has its default, and a default never changes an existing VM.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ccgpu.domain.spec.vm import VmSpec


@dataclass(frozen=True, slots=True)
class GivenFields:
    """The fields given on this command line or in its file, and those given to an earlier create.

    differing_defaults: fields never given whose default has changed since the earlier create.
    by_flag: the fields of `now` that a flag or `--set` gave, and not a file.
    """

    now: frozenset[str]
    earlier: tuple[str, ...] = ()
    differing_defaults: tuple[str, ...] = ()
    by_flag: frozenset[str] = frozenset()

    @property
    def ever(self) -> frozenset[str]:
        """The fields given now or earlier."""
        return self.now | frozenset(self.earlier)

    @property
    def from_memory(self) -> tuple[str, ...]:
        """The fields whose values come from the last create, in the order of the spec."""
        return (*self.earlier, *self.differing_defaults)

    @property
    def binding(self) -> frozenset[str]:
        """The fields whose values the existing deployment must have.

        A remembered `ttl` does not count: it started at the VM's creation, and `extend` may have
        changed the lease since then.
        """
        return self.now | (frozenset(self.earlier) - {"ttl"})


@dataclass(frozen=True, slots=True)
class RememberedSpec:
    """The spec of the last create, as values of a spec file, and the fields that were given."""

    values: Mapping[str, Any]
    given: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestedSpec:
    """A spec and its given fields."""

    spec: "VmSpec"
    given: GivenFields


def field_values(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The name and value of each field in `values` that is not null."""
    for path, value in field_paths(values):
        yield ".".join(path), value


def field_paths(
    values: Mapping[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The path and value of each field: unlike names, paths are unambiguous for tags with dots."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from field_paths(value, (*above, name))
        elif value is not None:
            yield (*above, name), value


def every_field(spec: "VmSpec") -> GivenFields:
    """All fields of the spec as given fields."""
    return GivenFields(frozenset(name for name, _ in field_values(spec.model_dump(mode="json"))))


def remember(spec: "VmSpec", given: GivenFields) -> RememberedSpec:
    """The spec to remember for the next create."""
    values = spec.model_dump(mode="json", exclude={"name"})
    named = dict(field_values(values))
    return RememberedSpec(values, tuple(sorted(field for field in given.ever if field in named)))
