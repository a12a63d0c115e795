"""Reads what `ccgpu render` prints as the tools do: what would be sent, by resource id."""

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import hcl2

from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import RunTags, desired_resources
from ccgpu.domain.first_boot import FirstBoot
from ccgpu.domain.resource import Body
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.render.rendered_plan import RUN_OF_RENDERED, OpenValue, RenderedPlan
from support.specs import SUBSCRIPTION, first_placement, make_spec

NOW = "2026-10-01T12:00:00Z"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6ugBULBtCw910h8qCEhpAPD7DM4vsd0jymRQxwbA2J me@here"
# Texts that mean something to one of the tools.
HOSTILE = [
    *(
        "${x}",
        "$${x}",
        "$$${x}",
        "%{if}",
        "%%{x}",
        "$",
        "%",
        "$$",
        "{",
        "a$",
        '"',
        "\\",
        "\\$",
        '\\"',
    ),
    *(
        "$(id)",
        "`id`",
        "\\`",
        "a\nBODY\nb",
        "BODY",
        "\n",
        "\r\n",
        "\t",
        "\x00",
        "\x1e",
        "\x7f",
        "'",
        "''",
    ),
    *("[x]", "[[x]", "[[x]]", "[x", "x]", "[", "]", "[]", "[parameters('created')]", "[[", "]]"),
    *(
        "#",
        "//",
        "/*",
        "<<EOT",
        "é",
        "\u202e",
        "\u2028",
        "\U000e0001",
        "😀",
        "",
        " ",
        "null",
        "for",
    ),
]

_BOOT = FirstBoot("#cloud-config\n# `$(date)` ${x} %{if}\n")


@dataclass(frozen=True)
class Sent:
    """A resource as a tool sends it. needs: the ids that it waits for; a script has an order."""

    api_version: str
    body: Body
    needs: frozenset[str] = frozenset()


def later(minutes: int) -> str:
    """The time so long after `NOW`."""
    moment = datetime.fromisoformat(NOW) + timedelta(minutes=minutes)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def new_plan(*, owns_group: bool = True, knows_key: bool = True, **changes: Any) -> RenderedPlan:
    """The plan of a new deployment of `make_spec(**changes)`, with its open values."""
    spec = make_spec(**changes)
    if not knows_key:
        spec = spec.model_copy(update={"ssh_keys": (OpenValue.SSH_PUBLIC_KEY,)})
    return plan_of(spec, owns_group=owns_group)


def plan_of(spec: VmSpec, *, owns_group: bool = True) -> RenderedPlan:
    """The plan of a new deployment of a spec."""
    expires = OpenValue.EXPIRES if spec.ttl else None
    tags = RunTags(RUN_OF_RENDERED, OpenValue.CREATED, expires)
    made = desired_resources(spec, SUBSCRIPTION, first_placement(spec), tags, _BOOT)
    shown = tuple(one for one in made.values() if owns_group or one.kind is not Kind.GROUP)
    return RenderedPlan(spec.name, SUBSCRIPTION, spec.group, shown, spec.ttl, False, "1.2.3")


def expected(plan: RenderedPlan) -> dict[str, Sent]:
    """What the tools have to send, by id, once the open values are known."""
    values = {
        OpenValue.CREATED: NOW,
        OpenValue.EXPIRES: later(plan.minutes or 0),
        OpenValue.SSH_PUBLIC_KEY: KEY,
    }
    return {
        str(one.id): Sent(
            one.api_version, _filled(one.body, values), frozenset(map(str, plan.needs(one)))
        )
        for one in plan.resources
    }


def _filled(value: Any, values: Mapping[OpenValue, str]) -> Any:
    if isinstance(value, OpenValue):
        return values[value]
    if isinstance(value, dict):
        return {name: _filled(one, values) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(one, values) for one in value]
    return value


# --- ARM templates -------------------------------------------------------------------------------

_PARAMETER = re.compile(r"\[parameters\('(\w+)'\)\]")
_NOW = re.compile(r"\[utcNow\('yyyy-MM-ddTHH:mm:ssZ'\)\]")
_LATER = re.compile(
    r"\[dateTimeAdd\(parameters\('created'\), 'PT(\d+)M', 'yyyy-MM-ddTHH:mm:ssZ'\)\]"
)


def of_template(text: str, subscription: str, group: str) -> dict[str, Sent]:
    """What ARM makes of a template: of the subscription, or of an existing group in it."""
    template = json.loads(text)
    values = {
        name: _default(one.get("defaultValue"))
        for name, one in template.get("parameters", {}).items()
    }
    scope = f"/subscriptions/{subscription}"
    if "subscriptionDeploymentTemplate" not in template["$schema"]:
        return _resources(template, values, f"{scope}/resourceGroups/{group}")
    owned, nested = template["resources"]
    id_ = f"{scope}/resourceGroups/{owned['name']}"
    assert nested["type"] == "Microsoft.Resources/deployments"
    assert nested["properties"]["expressionEvaluationOptions"] == {"scope": "inner"}
    assert (nested["subscriptionId"], nested["resourceGroup"]) == (subscription, group)
    assert nested["dependsOn"] == [id_]
    inner = nested["properties"]["template"]
    given = {
        name: evaluated(one["value"], values)
        for name, one in nested["properties"]["parameters"].items()
    }
    assert given.keys() == inner["parameters"].keys()
    made = _resources(inner, given, id_)
    made = {name: Sent(one.api_version, one.body, one.needs | {id_}) for name, one in made.items()}
    return _resources({"resources": [owned]}, values, scope) | made


def _resources(template: Any, values: Mapping[str, str], scope: str) -> dict[str, Sent]:
    made = {}
    for one in template["resources"]:
        body = {name: value for name, value in one.items() if name not in _OF_TEMPLATE}
        where = "resourceGroups" if one["type"].endswith("/resourceGroups") else None
        id_ = f"{scope}/{where or 'providers/' + one['type']}/{one['name']}"
        needs = frozenset(one.get("dependsOn", []))
        made[id_] = Sent(one["apiVersion"], evaluated(body, values), needs)
    return made


_OF_TEMPLATE = {"type", "apiVersion", "name", "dependsOn"}


def _default(text: str | None) -> str:
    """The value of a parameter that nobody gives; a key has to be given."""
    if text is None:
        return KEY
    if _NOW.fullmatch(text):
        return NOW
    found = _LATER.fullmatch(text)
    assert found, text
    return later(int(found[1]))


def evaluated(value: Any, values: Mapping[str, str]) -> Any:
    """A value after ARM has evaluated it: names of properties may be expressions, too."""
    if isinstance(value, dict):
        return {evaluated(name, values): evaluated(one, values) for name, one in value.items()}
    if isinstance(value, list):
        return [evaluated(one, values) for one in value]
    if not isinstance(value, str) or not (value.startswith("[") and value.endswith("]")):
        return value
    if value.startswith("[["):
        return value[1:]
    found = _PARAMETER.fullmatch(value)
    assert found, f"an expression: {value}"
    return values[found[1]]


# --- scripts for az ------------------------------------------------------------------------------

_FAKE_AZ = r"""
az() {
  case "$1 $2 $3" in
  'group exists --name') echo "${FOUND-false}" ;;
  'resource list --resource-group') echo "${FOUND-}" ;;
  'rest --method get') echo "${STATE-Succeeded}" ;;
  'rest --method put')
    case $5 in "${REFUSED-none}"*) return 1 ;; esac
    printf '%s\n' "$5"; cat; printf '\036' ;;
  *) echo "az $*" >&2; exit 99 ;;
  esac
}
"""


def run_script(text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script with an `az` that finds nothing and whose resources succeed at once.

    FOUND: what its lists answer; STATE: what each resource is in; REFUSED: how the URLs begin that
    it refuses to write.
    """
    usual = {
        "PATH": "/usr/bin:/bin",
        "CCGPU_INTERVAL": "0",
        "CCGPU_CREATED": NOW,
        "CCGPU_SSH_PUBLIC_KEY": KEY,
    }
    return subprocess.run(
        ["sh", "-s"],
        input=_FAKE_AZ + text,
        env=usual | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def of_script(text: str) -> dict[str, Sent]:
    """What a script sends, in this order."""
    found = re.search(r"\+ (\d+)\)\)$", text, re.MULTILINE)
    expires = {"CCGPU_EXPIRES": later(int(found[1]) // 60)} if found else {}
    done = run_script(text, **expires)
    assert done.returncode == 0, done.stderr
    made = {}
    for record in done.stdout.split("\036")[:-1]:
        url, _, body = record.partition("\n")
        id_, _, version = url.partition("?api-version=")
        made[id_] = Sent(version, json.loads(body))
    return made


# --- Terraform -----------------------------------------------------------------------------------

_ESCAPED = re.compile(r"""\\(?:([nrt"\\])|u([0-9a-f]{4})|U([0-9a-f]{8}))|([$%])\4\{|[$%]\{|\\""")
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}


def of_configuration(text: str) -> dict[str, Sent]:
    """What azapi makes of a configuration at its first apply."""
    document = hcl2.loads(text)
    blocks = {
        decoded(label): block
        for resource in document["resource"]
        for type_, named in resource.items()
        if decoded(type_) == "azapi_resource"
        for label, block in named.items()
    }
    times = _times(document)
    ids = {label: _id_of(block) for label, block in blocks.items()}
    made = {}
    for label, block in blocks.items():
        kind, _, version = decoded(block["type"]).partition("@")
        assert ids[label].endswith(
            f"{kind.removeprefix('Microsoft.Resources/')}/{decoded(block['name'])}"
        )
        assert block["schema_validation_enabled"] is False
        needs = {ids[one[len("${azapi_resource.") : -1]] for one in block.get("depends_on", [])}
        made[ids[label]] = Sent(version, json_value(block["body"], times), frozenset(needs))
    return made


def _id_of(block: Any) -> str:
    kind = decoded(block["type"]).partition("@")[0]
    where = "resourceGroups" if kind.endswith("/resourceGroups") else f"providers/{kind}"
    return f"{decoded(block['parent_id'])}/{where}/{decoded(block['name'])}"


def _times(document: Any) -> dict[str, str]:
    (lease,) = (
        one['"terraform_data"']['"lease"']
        for one in document["resource"]
        if '"terraform_data"' in one
    )
    times = {"var.ssh_public_key": KEY}
    assert lease["lifecycle"][0]["ignore_changes"] == ["input"]
    for name, expression in lease["input"].items():
        found = re.fullmatch(r'\$\{timeadd\(timestamp\(\), "(\d+)m"\)\}', expression)
        assert found or expression == "${timestamp()}"
        times[f"terraform_data.lease.output.{name}"] = later(int(found[1])) if found else NOW
    return times


def json_value(value: Any, known: Mapping[str, str]) -> Any:
    """A value of python-hcl2 as JSON, with the values of expressions."""
    if isinstance(value, dict):
        return {decoded(name): json_value(one, known) for name, one in value.items()}
    if isinstance(value, list):
        return [json_value(one, known) for one in value]
    if isinstance(value, str) and not value.startswith('"'):
        return known[value.removeprefix("${").removesuffix("}")]
    return decoded(value) if isinstance(value, str) else value


def decoded(text: str) -> str:
    """The value of a string literal or a bare key; fails if anything in it is evaluated."""
    if not text.startswith('"'):
        return text
    return _ESCAPED.sub(_letter, text[1:-1])


def _letter(found: re.Match[str]) -> str:
    if found[1]:
        return _LETTERS[found[1]]
    if code := found[2] or found[3]:
        return chr(int(code, 16))
    assert found[4], f"{found.string} is no literal at {found.start()}"
    return f"{found[4]}{{"
