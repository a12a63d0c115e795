"""A plan as a shell script for Azure's CLI: `az rest` with the bodies that `create` sends.

No command of `az` that creates a resource takes a whole body as it is: `az vm create` makes one of
its own, and `az resource create` may leave out what its model does not have (`zones`). The shell is
POSIX's (IEEE Std 1003.1-2017, Shell Command Language, 2.7.4: what a here-document expands).
"""

import json
import re
import shlex
from typing import Any

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Resource
from ccgpu.render.rendered_plan import OpenValue, RenderedPlan

_END = "BODY"  # ends a here-document: no line of JSON begins so
_ONLY_NEW = "If-None-Match=*"  # as `az rest` takes a header
_VARIABLES = {
    OpenValue.CREATED: "created",
    OpenValue.EXPIRES: "expires",
    OpenValue.SSH_PUBLIC_KEY: "ssh_public_key",
}


def script(plan: RenderedPlan) -> str:
    """The script."""
    parts = [
        "#!/bin/sh",
        *(f"# {line}" for line in plan.about()),
        "# It needs az, signed in, and creates a new deployment, one resource after the other.",
        "set -eu",
        "",
        _SETTINGS.rstrip("\n"),
        _times(plan),
        *([_KEY.rstrip("\n")] if plan.is_open(OpenValue.SSH_PUBLIC_KEY) else []),
        "",
        _FUNCTIONS.replace("@DEPLOYMENT@", plan.deployment).rstrip("\n"),
        "",
        _refuse_existing(plan),
        "",
        *(_put(one) for one in plan.resources),
        f"echo 'ready: ccgpu show {plan.deployment}' >&2",
        "",
    ]
    return "\n".join(parts)


def body_text(value: Any, indent: str = "") -> str:
    """A body as JSON in a here-document that expands variables: open values are variables."""
    if isinstance(value, OpenValue):
        return f'"${{{_VARIABLES[value]}}}"'
    if isinstance(value, dict) and value:
        inner = f"{indent}  "
        rows = [
            f"{inner}{_kept(json.dumps(name))}: {body_text(one, inner)}"
            for name, one in value.items()
        ]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list | tuple) and value:
        inner = f"{indent}  "
        rows = [f"{inner}{body_text(one, inner)}" for one in value]
        return "[\n" + ",\n".join(rows) + f"\n{indent}]"
    return _kept(json.dumps(value))


def _kept(text: str) -> str:
    """A text that a here-document leaves as it is."""
    return re.sub(r"[\\$`]", r"\\\g<0>", text)


def _put(resource: Resource) -> str:
    """The call for one resource. The PUT of a VM fails if there is one, as that of `create`."""
    words = [resource.id, resource.api_version, *([_ONLY_NEW] if resource.kind is Kind.VM else [])]
    return f"put {shlex.join(words)} <<{_END}\n{body_text(resource.body)}\n{_END}\n"


def _times(plan: RenderedPlan) -> str:
    lines = [_CREATED]
    if plan.minutes is not None:
        lines.append(_EXPIRES.format(seconds=60 * plan.minutes))
    return "\n".join([*lines, _CHECK])


def _refuse_existing(plan: RenderedPlan) -> str:
    """Stop before the first write if something of the deployment is there: a PUT would change it.

    A group that is created is looked for as a whole, the user's own group by the names in it.
    """
    where = f"--subscription {shlex.quote(plan.subscription)}"
    group = shlex.quote(plan.group)
    if plan.own_group is not None:
        look = f'found=$(az group exists --name {group} {where})\n[ "$found" = false ]'
    else:
        names = " || ".join(f"name=='{one.name}'" for one in plan.in_group)
        query = shlex.quote(f"[?{names}].name")
        look = (
            f"found=$(az resource list --resource-group {group} {where} \\\n"
            f"  --query {query} --output tsv)\n"
            '[ -z "$found" ]'
        )
    return f"{look} || stop 'it exists already, at least in part'"


_SETTINGS = """\
# The seconds between two looks at a resource, how often it is looked at, the times of its tags
interval=${CCGPU_INTERVAL:-10}
looks=${CCGPU_LOOKS:-360}
"""
_CREATED = "created=${CCGPU_CREATED:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}"
# GNU's and BusyBox's `date` have -d, those of BSD and macOS -r.
_EXPIRES = """\
end=$(($(date -u +%s) + {seconds}))
expires=${{CCGPU_EXPIRES:-$(date -u -d "@$end" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null ||
  date -u -r "$end" +%Y-%m-%dT%H:%M:%SZ)}}"""
_CHECK = """\
case $created${expires:-} in
*[!0-9TZ:+.-]*)
  echo 'CCGPU_CREATED and CCGPU_EXPIRES are times such as 2026-01-31T12:00:00Z' >&2
  exit 2
  ;;
esac"""
_KEY = """\
ssh_public_key=${CCGPU_SSH_PUBLIC_KEY:?is to be one line, such as that of ~/.ssh/id_ed25519.pub}
case $ssh_public_key in
*[!A-Za-z0-9+/=@._\\ -]*)
  echo 'CCGPU_SSH_PUBLIC_KEY has a character that no plain key has' >&2
  exit 2
  ;;
esac
"""
_FUNCTIONS = """\
stop() {
  echo "@DEPLOYMENT@: $1" >&2
  echo 'what is there: ccgpu show @DEPLOYMENT@; to delete it: ccgpu delete @DEPLOYMENT@' >&2
  exit 1
}

# put ID API-VERSION [HEADER]: send the body on standard input, and wait until the resource is made
put() {
  echo "creating $1" >&2
  az rest --method put --url "$1?api-version=$2" ${3:+--headers "$3"} --body @- --output none ||
    stop "$1 is refused"
  look=0
  while :; do
    state=$(az rest --method get --url "$1?api-version=$2" \\
      --query properties.provisioningState --output tsv) || state=unknown
    case $state in
    Succeeded) return ;;
    Failed | Canceled) stop "$1 is in the state $state" ;;
    esac
    look=$((look + 1))
    [ "$look" -lt "$looks" ] || stop "$1 is still in the state $state"
    sleep "$interval"
  done
}
"""
