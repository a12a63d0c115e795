"""The default subscription of the Azure CLI's profile."""

import json
from collections.abc import Mapping
from pathlib import Path


def default_subscription(environ: Mapping[str, str]) -> str | None:
    """The id of the subscription that `az account set` chose, or None.

    The file is `azureProfile.json` in AZURE_CONFIG_DIR or ~/.azure, UTF-8 with a byte-order mark.
    """
    folder = environ.get("AZURE_CONFIG_DIR")
    path = (Path(folder) if folder else Path.home() / ".azure") / "azureProfile.json"
    try:
        profile = json.loads(path.read_text(encoding="utf-8-sig"))
        subscriptions = profile["subscriptions"]
        return next(
            (
                str(subscription["id"])
                for subscription in subscriptions
                if subscription.get("isDefault")
            ),
            None,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
