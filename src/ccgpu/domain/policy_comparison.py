"""Compares policies: finds the fields in which a user's policy is looser than the default one.

`DIRECTIONS` says for each field which values are looser. A field without an entry counts as looser
if it differs, so that a new field cannot loosen a policy unnoticed.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ccgpu.domain.policy import CpuPolicy, GpuPolicy, Policy
from ccgpu.domain.verdict_age import age_limit
from ccgpu.domain.workload_policy import AllowedWorkload

# (the policy's value, the baseline's value) -> whether the policy is looser.
Looser = Callable[[Any, Any], bool]


@dataclass(frozen=True, slots=True)
class PolicyOrigin:
    """The file that a policy was read from.

    sha256: The hash of its bytes, in hex.
    reserved_name: Whether it has the name of a shipped policy but differs from it.
    loosened: The fields that are looser than in `default`, with both values.
    """

    path: str
    sha256: str
    reserved_name: bool
    loosened: Mapping[str, str]

    def display_name(self, name: str) -> str:
        """The policy's name, marked if it is that of a shipped policy."""
        return (
            f"{name} (a file of yours, not the policy that ships)" if self.reserved_name else name
        )


def loosened_fields(policy: Policy, baseline: Policy) -> Mapping[str, str]:
    """The fields in which `policy` is looser than `baseline`, with both values as text."""
    return dict(_compare(policy, baseline, ""))


def in_words(policy: Policy) -> Mapping[str, str]:
    """The fields of a policy as text, by path; long lists are cut."""
    return dict(_fields_as_text(policy, ""))


def _fields_as_text(part: BaseModel, prefix: str) -> Iterator[tuple[str, str]]:
    for field, value in part:
        path = f"{prefix}{field}"
        if isinstance(value, BaseModel):
            yield from _fields_as_text(value, f"{path}.")
        elif isinstance(value, tuple):
            yield path, f"[{_value_text(path, value) if value else ''}]"
        else:
            yield path, _value_text(path, value)


def _compare(own: BaseModel, base: BaseModel, prefix: str) -> Iterator[tuple[str, str]]:
    for field in type(own).model_fields:
        path = f"{prefix}{field}"
        mine, theirs = getattr(own, field), getattr(base, field)
        if isinstance(mine, BaseModel) and isinstance(theirs, BaseModel):
            yield from _compare(mine, theirs, f"{path}.")
        elif path not in _IGNORED and _is_looser(path, own, mine, theirs):
            yield path, f"{_value_text(path, mine)} instead of {_value_text(path, theirs)}"


def _is_looser(path: str, own: BaseModel, mine: Any, theirs: Any) -> bool:
    if path == "gpu.denied_drivers" and isinstance(own, GpuPolicy):
        # Drivers below the minimum are denied anyway.
        theirs = [v for v in theirs if _version(v) >= _version(own.minimum_driver)]
    if path == "cpu.require_secure_boot" and isinstance(own, CpuPolicy) and own.require_image:
        return False  # all that boots is pinned, byte for byte
    if path.rpartition(".")[2].startswith("unsafe_"):
        return bool(mine > theirs)
    return DIRECTIONS.get(path, _differs)(mine, theirs)


def _differs(mine: Any, theirs: Any) -> bool:
    return bool(mine != theirs)


def _is_lower(mine: Any, theirs: Any) -> bool:
    return bool(mine < theirs)


def _more_allowed(mine: Collection[Any], theirs: Collection[Any]) -> bool:
    return not set(mine) <= set(theirs)


def _less_demanded(mine: Collection[Any], theirs: Collection[Any]) -> bool:
    return not set(mine) >= set(theirs)


def _more_allowed_or_any(mine: Collection[Any], theirs: Collection[Any]) -> bool:
    """Whether a list that allows everything if empty allows more."""
    return bool(theirs) and (not mine or _more_allowed(mine, theirs))


def _admits_other(mine: Collection[AllowedWorkload], theirs: Collection[AllowedWorkload]) -> bool:
    """Whether `mine` accepts a workload that nothing in `theirs` accepts."""
    return not all(any(_is_within(own, base) for base in theirs) for own in mine)


def _is_within(own: AllowedWorkload, base: AllowedWorkload) -> bool:
    """Whether `base` accepts all that `own` accepts."""
    return all(value is None or getattr(own, name) == value for name, value in base)


def _section_missing(mine: BaseModel | None, theirs: BaseModel | None) -> bool:
    return mine is None and theirs is not None


def _bits_missing(mine: int, theirs: int) -> bool:
    return bool(theirs & ~mine)


def _is_older(mine: str, theirs: str) -> bool:
    return _version(mine) < _version(theirs)


def _older_vbios(mine: str, theirs: str) -> bool:
    return mine < theirs  # five bytes in upper-case hex, each with two digits


def _lasts_longer(mine: str, theirs: str) -> bool:
    """Whether a `max_age` is the longer one; `none` is longer than any."""
    own, base = age_limit(mine), age_limit(theirs)
    return base is not None and (own is None or own > base)


def _older_branches(mine: Collection[str], theirs: Collection[str]) -> bool:
    """Whether `mine` accepts a driver that `theirs` refuses.

    A branch that is not listed is accepted only if it is newer than all listed ones.
    """
    own, base = _by_branch(mine), _by_branch(theirs)
    if not base:
        return False
    if not own or max(own) < max(base):
        return True
    return any(
        (floor < base[branch]) if branch in base else branch < max(base)
        for branch, floor in own.items()
    )


def _by_branch(versions: Collection[str]) -> Mapping[int, tuple[int, ...]]:
    return {_version(each)[0]: _version(each) for each in versions}


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


_IGNORED = frozenset({"name", "cpu", "gpu"})  # a section is there exactly when `requires` has it
DIRECTIONS: Mapping[str, Looser] = {
    "requires": _less_demanded,
    "binding": _differs,
    "max_age": _lasts_longer,
    "cpu.products": _more_allowed,
    "cpu.minimum_tcb.bootloader": _is_lower,
    "cpu.minimum_tcb.tee": _is_lower,
    "cpu.minimum_tcb.snp": _is_lower,
    "cpu.minimum_tcb.microcode": _is_lower,
    "cpu.required_mitigations": _bits_missing,
    "cpu.require_alias_check": _is_lower,
    "cpu.id_key_digests": _more_allowed,
    "cpu.minimum_guest_svn": _is_lower,
    "cpu.require_secure_boot": _is_lower,
    "cpu.require_event_log": _is_lower,
    "cpu.require_crl": _is_lower,
    "cpu.required_pcrs": _less_demanded,
    "cpu.require_pins": _is_lower,
    "cpu.require_image": _is_lower,
    "gpu.architectures": _more_allowed,
    "gpu.count": _differs,
    "gpu.minimum_driver": _is_older,
    "gpu.minimum_secure_drivers": _older_branches,
    "gpu.denied_drivers": _less_demanded,
    "gpu.minimum_vbios": _older_vbios,
    "gpu.allowed_vbios": _more_allowed_or_any,
    "gpu.denied_vbios": _less_demanded,
    "gpu.require_state": _is_lower,
    "gpu.require_ocsp": _is_lower,
    "tokens.require_nras": _is_lower,
    "tokens.nras_issuers": _more_allowed,
    "tokens.require_maa": _is_lower,
    "tokens.maa_issuers": _more_allowed,
    "workloads": _section_missing,
    "workloads.allowed": _admits_other,
    "workloads.only": _is_lower,
    "workloads.required": _is_lower,
}
_HEX = frozenset({"cpu.minimum_guest_svn", "cpu.required_mitigations"})
_MAX_ITEMS_SHOWN = 4  # of a list


def _value_text(path: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        hexadecimal = path in _HEX or path.startswith("cpu.minimum_tcb.")
        return f"{value:#x}" if hexadecimal else str(value)
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return "a section"
    if isinstance(value, tuple):
        rest = f" and {len(value) - _MAX_ITEMS_SHOWN} more" if len(value) > _MAX_ITEMS_SHOWN else ""
        return (", ".join(map(str, value[:_MAX_ITEMS_SHOWN])) or "none") + rest
    return str(value)
