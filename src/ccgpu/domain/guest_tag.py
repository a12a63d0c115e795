"""The tag `ccgpu-guest` of a VM: its section `guest` when it was created.

What the section asks for happens at the first boot only, and no GET returns customData. So the tag
is what a later create is compared with, and where it takes the fields from that were not given. It
is readable text, `driver=595;docker=true;…`, and has only a hash of the extra cloud-init parts. A
VM without the tag was made before there was one, and is left as it is.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ccgpu.domain.compare import Difference
from ccgpu.domain.resource import GUEST, Body, tag

if TYPE_CHECKING:
    from ccgpu.domain.spec.vm import VmSpec

PREFIX = "guest."
_NONE = "none"
_PARTS = "cloud_init"
_PARTS_DIGITS = 16
_INSTALLED = "installed"


def tag_text(spec: "VmSpec", installed: str | None = None) -> str:
    """The value of the tag, at most 256 characters (Azure's limit).

    installed: the exact version of the driver that the set-up installs.
    """
    from ccgpu.domain.spec.guest import Guest

    values = spec.guest.model_dump(mode="json")
    names = [name for name in values if spec.is_set_up or name not in Guest.SET_UP]
    values[_PARTS] = _parts_text(spec.guest.cloud_init)
    pairs = [f"{name}={_text(values[name])}" for name in names]
    return ";".join([*pairs, *([f"{_INSTALLED}={installed}"] if installed else [])])


def installed_driver(vm: Body) -> str | None:
    """The exact version of the driver that the set-up of the VM installs, if its tag says so.

    The table may have come to resolve the VM's branch to another version since then.
    """
    text = _fields(tag(vm, GUEST)).get(_INSTALLED, "")
    return text if re.fullmatch(r"[0-9]+(\.[0-9]+){1,2}", text, re.ASCII) else None


def live_guest(vm: Body) -> dict[str, Any]:
    """The fields that the tag holds, as values of `Guest`. Fields that are not valid are left out.

    The value of `cloud_init` may be `unknown_part`, which stands for parts of that hash.
    """
    return dict(_live_fields(_fields(tag(vm, GUEST))))


def guest_differences(wanted: Body, live: Body) -> tuple[Difference, ...]:
    """The fields that both tags hold, with different values. The path is that of the spec."""
    from ccgpu.domain.spec.guest import Guest

    before = _fields(tag(live, GUEST))
    return tuple(
        Difference(f"{PREFIX}{name}", _shown(name, value), _shown(name, before[name]))
        for name, value in _fields(tag(wanted, GUEST)).items()
        if name in Guest.model_fields and name in before and before[name] != value
    )


def _live_fields(texts: dict[str, str]) -> Iterator[tuple[str, Any]]:
    from pydantic import ValidationError

    from ccgpu.domain.spec.guest import Guest, unknown_part

    for name, text in texts.items():
        if name == _PARTS and text != _NONE:
            if len(text) == _PARTS_DIGITS and set(text) <= set("0123456789abcdef"):
                yield name, (unknown_part(text),)
        else:
            value: Any = () if name == _PARTS else text
            try:
                yield name, getattr(Guest.model_validate({name: value}), name)
            except ValidationError:
                continue


def _fields(text: str | None) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in (text or "").split(";"))
    return {name: value for name, equals, value in pairs if equals}


def _parts_text(parts: tuple[str, ...]) -> str:
    from ccgpu.domain.spec.guest import is_unknown_part

    if parts and is_unknown_part(parts[0]):
        return parts[0].partition(":")[2]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return digest[:_PARTS_DIGITS] if parts else _NONE


def _shown(name: str, text: str) -> str:
    """A value in a difference: a hash is said to be one."""
    from ccgpu.domain.spec.guest import unknown_part

    return unknown_part(text) if name == _PARTS and text != _NONE else text


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
