"""How clients reach the served simulation: a shell script, and a JSON document."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

_CLOUD = "ccgpu-fake"  # the name by which `az` keeps the cloud


@dataclass(frozen=True, slots=True)
class ServedAzure:
    """The simulated subscription, served over HTTPS on loopback.

    Args:
        url: Without a slash at its end.
        subscription: Its id.
        tenant: Its id.
        authority: The file with the certificate (PEM) that clients have to trust.
        identity_path: The path at `url` where the managed identity gets its tokens.
        identity_secret: What clients of the managed identity have to send.
        az_folder: Where `az` can keep the sign-in of this server alone.
    """

    url: str
    subscription: str
    tenant: str
    authority: str
    identity_path: str
    identity_secret: str
    az_folder: str


def environment(served: ServedAzure) -> Mapping[str, str]:
    """The variables that lead a client to the server."""
    return {
        "AZURE_CONFIG_DIR": served.az_folder,
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "REQUESTS_CA_BUNDLE": served.authority,
        "IDENTITY_ENDPOINT": f"{served.url}{served.identity_path}",
        "IDENTITY_HEADER": served.identity_secret,
    }


def sign_in(served: ServedAzure) -> Sequence[Sequence[str]]:
    """The commands that sign `az` in there, each as its words."""
    return (
        ("az", "cloud", "register", "--name", _CLOUD, "--endpoint-resource-manager", served.url),
        ("az", "cloud", "set", "--name", _CLOUD),
        ("az", "login", "--identity", "--output", "none"),
    )


def as_text(served: ServedAzure) -> RenderableType:
    """A script for a shell, whose lines are never wrapped."""
    lines = [f"# The simulated Azure answers at {served.url} until this command ends."]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in environment(served).items()]
    lines += [shlex.join(words) for words in sign_in(served)]
    return Group(*(Text(line, no_wrap=True, overflow="ignore") for line in lines))


def as_json(served: ServedAzure) -> dict[str, Any]:
    """The JSON document."""
    return {
        "schema": "ccgpu.fake-serve/1",
        "url": served.url,
        "subscription_id": served.subscription,
        "tenant_id": served.tenant,
        "ca_file": served.authority,
        "environment": dict(environment(served)),
        "commands": [list(words) for words in sign_in(served)],
    }
