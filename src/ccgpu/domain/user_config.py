"""The user's own defaults: a few settings that are below everything else that a command is given.

`regions`, `ssh_from` and `resource_group` are defaults of the spec; the others are defaults of
options. None: not set.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ccgpu.domain.resource import SUBSCRIPTION_PATTERN, is_subscription_id
from ccgpu.domain.spec import fields
from ccgpu.domain.spec.schema import DIALECT

# The settings that are fields of the spec.
SPEC_FIELDS = ("regions", "ssh_from", "resource_group")


def _subscription(value: object) -> object:
    if isinstance(value, str) and not is_subscription_id(value):
        raise ValueError(
            "is not a subscription id, which is a GUID: `az account list -o table` shows yours"
        )
    return value


class UserSettings(BaseModel):
    """What the file may set."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    regions: Annotated[
        fields.Regions | None,
        Field(description="Regions in order of preference, for specs that name none."),
    ] = None
    ssh_from: Annotated[
        fields.SshFrom | None,
        Field(description="Who may reach port 22: an IPv4 network, or auto for your own address."),
    ] = None
    resource_group: Annotated[
        fields.ResourceGroup | None,
        Field(description="Resource group of new deployments whose spec names none."),
    ] = None
    policy: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=4096,
            description="Policy of attest, create, run, secret put: a name, or a file (relative to "
            "this one). `verify` never reads it.",
        ),
    ] = None
    subscription: Annotated[
        str | None,
        Field(
            pattern=f"^{SUBSCRIPTION_PATTERN}$",
            description="Id (a GUID) of the Azure subscription.",
        ),
        BeforeValidator(_subscription),
    ] = None
    backend: Annotated[
        Literal["azure", "fake"] | None, Field(description="Azure, or the simulated subscription.")
    ] = None


NAMES = tuple(UserSettings.model_fields)


def schema() -> dict[str, Any]:
    """The JSON Schema of the file."""
    body = UserSettings.model_json_schema()
    properties = {"$schema": {"type": "string"}} | body.pop("properties")
    about = {"$schema": DIALECT, "title": "ccgpu config"}
    body.pop("title")
    return about | body | {"properties": properties}
