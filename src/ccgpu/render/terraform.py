"""A plan as a Terraform configuration: an `azapi_resource` for each resource.

The provider azapi sends `body` as it is, and takes location, tags and identity from it (its
documentation, "azapi_resource", and its source at 2.12.0).
"""

from collections.abc import Iterator
from typing import Any

from ccgpu.domain.catalog import Kind
from ccgpu.domain.resource import EXPIRES, Resource, ResourceId, group_of, subscription_of
from ccgpu.render import hcl
from ccgpu.render.hcl import Expression
from ccgpu.render.rendered_plan import OpenValue, RenderedPlan

# `terraform_data` is part of Terraform since 1.4; `body` is no longer text since azapi 2.0.
_TERRAFORM, _AZAPI = ">= 1.4", "~> 2.0"
_CREATE_VM = "60m"  # azapi's own limit is 30 minutes; confidential disk encryption may take them
_LABELS = {
    Kind.GROUP: "group",
    Kind.NSG: "nsg",
    Kind.VNET: "vnet",
    Kind.PUBLIC_IP: "nat_ip",
    Kind.NAT: "nat",
    Kind.VM: "vm",
}
_REFERENCES = {
    OpenValue.CREATED: "terraform_data.lease.output.created",
    OpenValue.EXPIRES: "terraform_data.lease.output.expires",
    OpenValue.SSH_PUBLIC_KEY: "var.ssh_public_key",
}


def configuration(plan: RenderedPlan) -> str:
    """The configuration, one file."""
    about = "".join(f"# {line}\n" for line in plan.about())
    return about + "\n" + "\n\n".join(_blocks(plan)) + "\n"


def _blocks(plan: RenderedPlan) -> Iterator[str]:
    azapi = {"azapi": {"source": "Azure/azapi", "version": _AZAPI}}
    providers = hcl.block("required_providers", azapi)
    yield hcl.block("terraform", {"required_version": _TERRAFORM}, providers)
    if plan.is_open(OpenValue.SSH_PUBLIC_KEY):
        about = "The SSH public key that may log in."
        yield hcl.block(
            'variable "ssh_public_key"', {"type": Expression("string"), "description": about}
        )
    yield _LEASE_NOTE + _lease(plan)
    for resource in plan.resources:
        yield _resource(plan, resource)
    vm = next(one for one in plan.resources if one.kind is Kind.VM)
    yield hcl.block('output "vm"', {"value": Expression(f"azapi_resource.{_label(vm)}.id")})


_LEASE_NOTE = """\
# The times of the tags are those of the first apply. To make a deployment anew that was deleted:
# terraform apply -replace=terraform_data.lease
"""


def _lease(plan: RenderedPlan) -> str:
    times = {"created": Expression("timestamp()")}
    if plan.minutes is not None:
        times["expires"] = Expression(f'timeadd(timestamp(), "{plan.minutes}m")')
    kept = hcl.block("lifecycle", {"ignore_changes": Expression("[input]")})
    return hcl.block('resource "terraform_data" "lease"', {"input": times}, kept)


def _resource(plan: RenderedPlan, resource: Resource) -> str:
    """One resource. azapi's schemas do not have the API versions that are sent."""
    labels = {one.id: _label(one) for one in plan.resources}
    needs = [f"azapi_resource.{labels[id_]}" for id_ in plan.needs(resource)]
    attributes: dict[str, Any] = {
        "type": f"{resource.kind}@{resource.api_version}",
        "parent_id": _parent(resource),
        "name": resource.name,
        "schema_validation_enabled": False,
        "body": _referring(resource.body),
    }
    if needs:
        attributes["depends_on"] = Expression(f"[{', '.join(needs)}]")
    inner = []
    if resource.kind is Kind.VM:
        inner.append(hcl.block("timeouts", {"create": _CREATE_VM}))
    if EXPIRES in resource.body["tags"]:  # `ccgpu extend` changes it
        path = Expression(f'[body.tags["{EXPIRES}"]]')
        inner.append(hcl.block("lifecycle", {"ignore_changes": path}))
    return hcl.block(f'resource "azapi_resource" "{_label(resource)}"', attributes, *inner)


def _label(resource: Resource) -> str:
    return _LABELS[resource.kind]


def _parent(resource: Resource) -> ResourceId:
    subscription = f"/subscriptions/{subscription_of(resource.id)}"
    if resource.kind is Kind.GROUP:
        return ResourceId(subscription)
    return ResourceId(f"{subscription}/resourceGroups/{group_of(resource.id)}")


def _referring(value: Any) -> Any:
    """A JSON value whose open values refer to where they come from."""
    if isinstance(value, OpenValue):
        return Expression(_REFERENCES[value])
    if isinstance(value, dict):
        return {name: _referring(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_referring(one) for one in value]
    return value
