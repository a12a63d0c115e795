"""Names in options and arguments that become a part of ids, paths of requests and names of files.

A value that is no such name is refused by the parser. An empty one too: a variable that is not set
must not select the default in its place.
"""

import typer


def check_name(value: str | None) -> str | None:
    """The name of a deployment; raises `typer.BadParameter` if it is none."""
    from ccgpu.domain.resource import is_deployment_name

    if value is not None and not is_deployment_name(value):
        raise typer.BadParameter(f"{value!r} is not a deployment name: use only a-z, 0-9 and '-'")
    return value


def check_names(values: list[str]) -> list[str]:
    """The names of deployments; raises `typer.BadParameter` if one is none."""
    for value in values:
        check_name(value)
    return values


def check_group(value: str | None) -> str | None:
    """The name of a resource group; raises `typer.BadParameter` if it is none."""
    from ccgpu.domain.resource import is_group_name

    if value is not None and not is_group_name(value):
        raise typer.BadParameter(
            f"{value!r} is not a resource group: use 1 to 90 letters, digits and _-.(), and no '.' "
            "at the end"
        )
    return value


def check_subscription(value: str | None) -> str | None:
    """The id of a subscription in lower case, as it names a folder of journals.

    Raises `typer.BadParameter` if it is none.
    """
    from ccgpu.domain.resource import is_subscription_id

    if value is not None and not is_subscription_id(value):
        raise typer.BadParameter(
            f"{value!r} is not a subscription id, which is a GUID: `az account list -o table` "
            "shows yours"
        )
    return value and value.lower()
