"""A plan as an ARM template.

With a resource group of its own it is a template of the subscription, with the rest of the
resources in a nested one; else it is a template of the existing group. Syntax and functions:
Microsoft Learn, "Syntax and expressions in ARM templates", "Date functions for ARM templates".
"""

import json
from typing import Any

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import Resource
from ccgpu.render.rendered_plan import OpenValue, RenderedPlan

_SCHEMAS = "https://schema.management.azure.com/schemas"
_OF_SUBSCRIPTION = f"{_SCHEMAS}/2018-05-01/subscriptionDeploymentTemplate.json#"
_OF_GROUP = f"{_SCHEMAS}/2019-04-01/deploymentTemplate.json#"
_VERSION = "1.0.0.0"  # of the template's content; ARM requires one, and does not read it
_DEPLOYMENTS = "Microsoft.Resources/deployments"
_DEPLOYMENTS_API = "2025-04-01"  # azure-mgmt-resource 26.0.0 has resource groups at the same one
_TIME = "yyyy-MM-ddTHH:mm:ssZ"  # of .NET: as `ccgpu` writes it in tags

_PARAMETERS = {
    OpenValue.CREATED: "created",
    OpenValue.EXPIRES: "expires",
    OpenValue.SSH_PUBLIC_KEY: "sshPublicKey",
}


def template(plan: RenderedPlan) -> str:
    """The template, as JSON."""
    group = plan.own_group
    document = {
        "$schema": _OF_GROUP if group is None else _OF_SUBSCRIPTION,
        "contentVersion": _VERSION,
        "metadata": {"description": literal(" ".join(plan.about()))},
        "parameters": _parameters(plan),
        "resources": _resources(plan) if group is None else [_resource(plan, group), _inner(plan)],
        "outputs": {"vm": {"type": "string", "value": _vm_id(plan)}},
    }
    return json.dumps(document, indent=2) + "\n"


def literal(text: str) -> str:
    """A string that ARM reads as `text`: only one in brackets is an expression."""
    return f"[{text}" if text.startswith("[") and text.endswith("]") else text


def _parameters(plan: RenderedPlan) -> dict[str, Any]:
    """The parameters of the open values. The time of the deployment is the default of the tags."""
    created = f"parameters('{_PARAMETERS[OpenValue.CREATED]}')"
    known: dict[OpenValue, dict[str, str]] = {
        OpenValue.CREATED: {
            "defaultValue": f"[utcNow('{_TIME}')]",
            "description": "Tag: when the deployment was created.",
        },
        OpenValue.EXPIRES: {
            "defaultValue": f"[dateTimeAdd({created}, 'PT{plan.minutes}M', '{_TIME}')]",
            "description": "Tag: when the lease ends, after which `ccgpu gc` deletes it.",
        },
        OpenValue.SSH_PUBLIC_KEY: {"description": "The SSH public key that may log in."},
    }
    return {
        _PARAMETERS[value]: {
            "type": "string",
            **({"defaultValue": one["defaultValue"]} if "defaultValue" in one else {}),
            "metadata": {"description": one["description"]},
        }
        for value, one in known.items()
        if plan.is_open(value)
    }


def _inner(plan: RenderedPlan) -> dict[str, Any]:
    """The nested template of what is in the group.

    Its scope is its own: one that is evaluated with the outer template may be evaluated twice, and
    then a literal in brackets is an expression after all.
    """
    group = plan.own_group
    names = [_PARAMETERS[value] for value in OpenValue if plan.is_open(value)]
    return {
        "type": _DEPLOYMENTS,
        "apiVersion": _DEPLOYMENTS_API,
        "name": plan.deployment,
        "subscriptionId": plan.subscription,
        "resourceGroup": plan.group,
        "dependsOn": [] if group is None else [group.id],
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": "inner"},
            "parameters": {name: {"value": f"[parameters('{name}')]"} for name in names},
            "template": {
                "$schema": _OF_GROUP,
                "contentVersion": _VERSION,
                "parameters": {name: {"type": "string"} for name in names},
                "resources": _resources(plan),
            },
        },
    }


def _resources(plan: RenderedPlan) -> list[dict[str, Any]]:
    return [_resource(plan, one) for one in plan.in_group]


def _resource(plan: RenderedPlan, resource: Resource) -> dict[str, Any]:
    """One resource. The group of a nested template is awaited by that template."""
    group = plan.own_group
    needs = [id_ for id_ in plan.needs(resource) if group is None or id_ != group.id]
    return {
        "type": str(resource.kind),
        "apiVersion": resource.api_version,
        "name": resource.name,
        **({"dependsOn": needs} if needs else {}),
        **_escaped(resource.body),
    }


def _escaped(value: Any) -> Any:
    """A JSON value as it is written in a template; open values are parameters."""
    if isinstance(value, OpenValue):
        return f"[parameters('{_PARAMETERS[value]}')]"
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, dict):
        return {literal(name): _escaped(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(one) for one in value]
    return value


def _vm_id(plan: RenderedPlan) -> str:
    return next(str(one.id) for one in plan.resources if one.kind is Kind.VM)
