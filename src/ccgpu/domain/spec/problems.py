"""Messages about the problems of a spec, for its author.

Every pydantic error passes through `from_pydantic`, so a `ValidationError` of a spec already has
the messages that users read. Messages never quote what was given where it may be secret.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from ccgpu.domain.spec.structure import known_fields, map_depth

Path = tuple[str | int, ...]

MISSING = "is missing"


class FieldProblem(NamedTuple):
    """One problem: the path of the field, and the message."""

    path: Path
    message: str


# Likely but unsupported keys, and why ccgpu does not have them.
REFUSED_KEYS: Mapping[str, str] = {
    "accelerated_networking": "is not supported by confidential-GPU sizes, remove it",
    "admin_password": "is refused: login is by SSH key only, use ssh_keys",
    "bandwidth": "belongs to the size, remove it",
    "capacity_reservation": "is not offered for this series by Azure, remove it",
    "count": "is not supported: a spec is one VM",
    "custom_data": "is made by ccgpu: parts of your own go to guest.cloud_init",
    "disk_controller_type": "is fixed: the series does not support NVMe disks",
    "encryption_at_host": "is refused together with confidential disk encryption, remove it",
    "ephemeral": "is not supported: the OS disk of a confidential VM is a managed disk",
    "ephemeral_os_disk": "is not supported: the OS disk of a confidential VM is a managed disk",
    "generation": "is fixed: confidential VMs are of generation 2",
    "gpu_count": "belongs to the size: one H100",
    "hibernation": "is not supported for confidential VMs, remove it",
    "image_reference": "is called image",
    "location": "is called regions, a list in order of preference",
    "nested_virtualization": "is not supported by the series, remove it",
    "password": "is refused: login is by SSH key only, use ssh_keys",
    "private_key": "is refused: private keys stay with you, use ssh_keys with the public key",
    "public_ip": "is decided by private: true means no public address",
    "region": "is called regions, a list in order of preference",
    "security_type": "is fixed: every VM made here is a ConfidentialVM",
    "ssh_key": "is called ssh_keys, a list",
    "user_data": "is refused: every process in the VM could read it",
    "vm_size": "is called size",
    "vtpm": "is always on: confidential VMs need it",
    "zones": "is called zone, and is one",
}


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The message about an unknown key: a reason, or the field that was probably meant."""
    plain = key.lower().replace("-", "_")
    if plain in REFUSED_KEYS:
        return REFUSED_KEYS[plain]
    close = difflib.get_close_matches(plain, sorted(known), n=1)
    if close:
        return f"is not a field here, did you mean {close[0]}?"
    return "is not a field here, `ccgpu schema spec` prints them all"


_MESSAGES: Mapping[str, str] = {
    "missing": MISSING,
    "string_type": "must be text, put it in quotes",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of sensible size",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list, as in [a, b]",
    "dict_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of fields to values",
    "model_attributes_type": "must be a mapping of fields to values",
    "invalid_key": "must have text for a name",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "has {actual_length} entries, at least {min_length} are needed",
    "too_long": "has {actual_length} entries, at most {max_length} are allowed",
    "string_too_short": "is too short, the least length is {min_length}",
    "string_too_long": "is too long, the greatest length is {max_length}",
    "string_pattern_mismatch": "is not written as it has to be: {pattern}",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
}


def _message(error: ErrorDetails, model: type[BaseModel]) -> str:
    context: dict[str, Any] = error.get("ctx", {})
    if error["type"] == "value_error":
        return str(context["error"])
    if error["type"] == "extra_forbidden":
        *parents, key = error["loc"]
        section = tuple(part for part in parents if isinstance(part, str))
        return unknown_key(str(key), known_fields(model)[section])
    return message_for(error)


def message_for(error: ErrorDetails) -> str:
    """The message for one of pydantic's errors, with the valid values where possible."""
    text = _MESSAGES.get(error["type"])
    return text.format_map(error.get("ctx", {})) if text else error["msg"]


def from_pydantic(error: ValidationError, model: type[BaseModel]) -> tuple[FieldProblem, ...]:
    """Convert a `ValidationError` of `model` to problems."""
    details = error.errors(include_url=False, include_input=False)
    return tuple(FieldProblem(_path(each["loc"], model), _message(each, model)) for each in details)


def _path(location: Path, model: type[BaseModel]) -> Path:
    # pydantic appends "[key]" to the path if a mapping's key is invalid.
    depth = map_depth(model, location)
    return location[: depth + 1] if depth else location


def refusal(title: str, problems: Iterable[FieldProblem]) -> ValidationError:
    """One error with all problems, without the input's values."""
    details = [
        InitErrorDetails(type=PydanticCustomError("spec", message), loc=path, input=None)
        for path, message in problems
    ]
    return ValidationError.from_exception_data(title, details, hide_input=True)


def problems_in(error: ValidationError) -> tuple[FieldProblem, ...]:
    """The problems in a `ValidationError` that `refusal` made."""
    return tuple(FieldProblem(each["loc"], each["msg"]) for each in error.errors())
