"""Parse ARM's error object in the variants of its services: its parts in order, outermost first.

A failed group delete has `Error`, `Code` and `Details` with capitals, and a detail's message may be
a JSON document itself (recorded). Compute adds `innererror`. A refusal by a policy names the policy
in `additionalInfo` or, in an older form, in the text.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

# Parts nested more deeply are ignored; no recorded error is nested as deeply.
_DEPTH = 12
_SHOWN = 5
_IDENTIFIERS = re.compile(r"Policy identifiers: '(\[.*\])'", re.DOTALL)


class Part(NamedTuple):
    """One error of an error object; each field may be empty."""

    code: str
    text: str
    target: str = ""

    def __str__(self) -> str:
        where = f"{self.target}: " if self.target and self.target not in self.text else ""
        return f"{where}{self.text}" + (f" ({self.code})" if self.code else "")


def error_object(body: Any) -> Mapping[str, Any]:
    """ARM's error object in any of its envelopes; empty if there is none."""
    if not isinstance(body, Mapping):
        return {}
    error = get_field(body, "error", get_field(body, "odata.error", body))
    return error if isinstance(error, Mapping) else {}


def get_field(body: Mapping[str, Any], name: str, default: Any = None) -> Any:
    """A field by its lower-case name, ignoring case, as Newtonsoft in Azure's services does."""
    if name in body:
        return body[name]
    return next((value for key, value in body.items() if str(key).casefold() == name), default)


def error_parts(error: Mapping[str, Any]) -> list[Part]:
    """The error itself and all errors nested in it, outermost first."""
    return list(_nested_parts(error, 0))


def _nested_parts(error: Mapping[str, Any], depth: int) -> Iterator[Part]:
    """An error's own part, then those in its message, its `details` and its `innererror`."""
    if depth > _DEPTH:
        return
    code, text = get_field(error, "code"), _message_text(error)
    target = str(get_field(error, "target") or "")
    nested = _embedded_error(text)
    if nested:
        inside = list(_nested_parts(nested, depth + 1))
        text = "" if inside else text
        yield from _own_part(code, text, target)
        yield from (part._replace(target=part.target or target) for part in inside)
    else:
        yield from _own_part(code, text, target)
    details = get_field(error, "details")
    inner = [*details] if isinstance(details, list) else []
    for one in (*inner, get_field(error, "innererror")):
        if isinstance(one, Mapping):
            yield from _nested_parts(error_object(one), depth + 1)


def _own_part(code: Any, text: str, target: str) -> Iterator[Part]:
    if code or text:
        yield Part(str(code or ""), text, target)


def _message_text(error: Mapping[str, Any]) -> str:
    text = get_field(error, "message") or get_field(error, "errordetail") or ""
    if isinstance(text, Mapping):  # OData's: {"lang", "value"}
        text = get_field(text, "value") or ""
    return str(text)


def _embedded_error(text: str) -> Mapping[str, Any]:
    """The error object in a message that is JSON text; empty if it is not."""
    if not text.lstrip().startswith("{"):
        return {}
    try:
        return error_object(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def error_details(parts: list[Part], main: Part, text: str) -> list[str]:
    """The texts of the other parts that are not contained in `text`, the text of `main`.

    The outermost part is often generic, so it is omitted unless it is `main`.
    """
    others = [part for part in parts[1:] if part is not main and part.text]
    texts = list(dict.fromkeys(str(part) for part in others if part.text not in text))
    more = [f"and {len(texts) - _SHOWN} more"] if len(texts) > _SHOWN else []
    return [*texts[:_SHOWN], *more]


def violated_policies(error: Mapping[str, Any]) -> tuple[str, ...]:
    """The policies that a `RequestDisallowedByPolicy` names, each with its assignment."""
    policies = [_policy_name(info) for info in _policy_violations(error, 0)]
    for part in error_parts(error):
        if identifiers := _IDENTIFIERS.search(part.text):
            policies += _identified_policy(identifiers[1])
    return tuple(dict.fromkeys(text for text in policies if text))


def _policy_violations(error: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    if depth > _DEPTH:
        return
    additional = get_field(error, "additionalinfo")
    for one in additional if isinstance(additional, list) else ():
        info = get_field(one, "info") if isinstance(one, Mapping) else None
        if isinstance(info, Mapping):
            yield info
    nested = get_field(error, "details")
    for one in nested if isinstance(nested, list) else ():
        if isinstance(one, Mapping):
            yield from _policy_violations(error_object(one), depth + 1)


def _policy_name(info: Mapping[str, Any]) -> str:
    name = _first_value(
        info, "policydefinitiondisplayname", "policydefinitionname", "policydefinitionid"
    )
    assigned = _first_value(
        info, "policyassignmentdisplayname", "policyassignmentname", "policyassignmentid"
    )
    return _named_policy(name, assigned, _first_value(info, "policyassignmentid"))


def _identified_policy(text: str) -> list[str]:
    """The policies in the older form, which quotes them as JSON in the message."""
    try:
        known = json.loads(text)
    except ValueError:
        return []
    policies = []
    for one in known if isinstance(known, list) else ():
        if isinstance(one, Mapping):
            policy, assigned = (
                get_field(one, f"policy{what}") or {} for what in ("definition", "assignment")
            )
            if isinstance(policy, Mapping) and isinstance(assigned, Mapping):
                names = _first_value(policy, "name", "id"), _first_value(assigned, "name", "id")
                policies.append(_named_policy(*names, _first_value(assigned, "id")))
    return policies


def _named_policy(policy: str, assignment: str, id_: str) -> str:
    if not policy and not assignment:
        return ""
    if not assignment:
        return f"{policy!r}"
    where = f"{assignment!r}" + (f", {id_}" if id_ and id_ != assignment else "")
    return f"{policy!r} (assignment {where})"


def _first_value(info: Mapping[str, Any], *names: str) -> str:
    return next((str(value) for name in names if (value := get_field(info, name))), "")
