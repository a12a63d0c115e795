"""Which fields of a spec somebody asked for, and the spec of the last create as a value.

A field is named by its path, as `--set` takes it: `os_disk.size_gib`, `tags.team`. A list is one
field. What nobody gave is a default, and a default never changes what is there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ccgpu.domain.spec import VmSpec

# Fields that are mappings of fields themselves.
_SECTIONS = frozenset({"os_disk", "tags"})


@dataclass(frozen=True, slots=True)
class GivenFields:
    """The fields given on this command line or in its file, and those given to an earlier create.

    `differing_defaults` were given by nobody: the earlier create had other defaults than today's.
    `by_flag`: what of `now` was given by a flag or `--set`, and not in a file.
    """

    now: frozenset[str]
    earlier: tuple[str, ...] = ()
    differing_defaults: tuple[str, ...] = ()
    by_flag: frozenset[str] = frozenset()

    @property
    def ever(self) -> frozenset[str]:
        """What somebody gave, now or earlier."""
        return self.now | frozenset(self.earlier)

    @property
    def from_memory(self) -> tuple[str, ...]:
        """The fields whose values come from the last create, in the order of the spec."""
        return (*self.earlier, *self.differing_defaults)

    @property
    def binding(self) -> frozenset[str]:
        """The fields whose values are wanted of what is there already.

        A remembered time to live is not: it began when the VM was made, and `extend` may have
        changed it since.
        """
        return self.now | (frozenset(self.earlier) - {"ttl"})


@dataclass(frozen=True, slots=True)
class RememberedSpec:
    """The spec of the last create, as values of a spec file, and the fields that were given."""

    values: Mapping[str, Any]
    given: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskedSpec:
    """A spec, and which of its fields somebody gave."""

    spec: "VmSpec"
    given: GivenFields


def leaves(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each field that `values` name and its value; a field of null is not given."""
    for name, value in values.items():
        if name in _SECTIONS and isinstance(value, Mapping):
            for inner, one in value.items():
                if one is not None:
                    yield f"{name}.{inner}", one
        elif value is not None:
            yield name, value


def every_field(spec: "VmSpec") -> GivenFields:
    """The fields of a spec that is meant as a whole."""
    return GivenFields(frozenset(field for field, _ in leaves(spec.model_dump(mode="json"))))


def remember(spec: "VmSpec", given: GivenFields) -> RememberedSpec:
    """The spec as a later create starts from it."""
    values = spec.model_dump(mode="json", exclude={"name"})
    named = dict(leaves(values))
    return RememberedSpec(values, tuple(sorted(field for field in given.ever if field in named)))
