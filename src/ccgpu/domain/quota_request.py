"""Quota: where to ask for more, what to write there, and the numbers in Azure's refusals. Pure."""

import re
from dataclasses import dataclass

# Microsoft Learn, "Quickstart: Request a quota increase": My quotas, in the portal of each cloud.
PORTALS = {
    "public": "https://portal.azure.com/#view/Microsoft_Azure_Capacity/QuotaMenuBlade/~/myQuotas",
    "usgov": "https://portal.azure.us/#view/Microsoft_Azure_Capacity/QuotaMenuBlade/~/myQuotas",
    "china": "https://portal.azure.cn/#view/Microsoft_Azure_Capacity/QuotaMenuBlade/~/myQuotas",
}
# Recorded refusals (Azure/karpenter-provider-azure#192): "… exceeding approved NAME Cores quota.
# Additional details - Deployment Model: …, Location: …, Current Limit: …, Current Usage: …,
# Additional Required: …, (Minimum) New Limit Required: …".
_NAME = re.compile(r"exceeding approved (?P<name>[\w ]+?) quota", re.IGNORECASE)
# How the usage API names these quotas for people (Azure/az-cgpu-onboarding, docs/CGPU-Quota.md).
_NAMES = {
    "standardnccads2023family cores": "Standard NCCads2023 Family vCPUs",
    "total regional cores": "Total Regional vCPUs",
    "lowprioritycores": "Total Regional Low-priority vCPUs",
}
_NUMBERS = {
    "limit": re.compile(r"Current Limit: (\d+)"),
    "used": re.compile(r"Current Usage: (\d+)"),
    "needed": re.compile(r"Additional Required: (\d+)"),
}
_LOCATION = re.compile(r"Location: ([\w ]+?),")


@dataclass(frozen=True, slots=True)
class QuotaShortage:
    """A quota that is too small. Numbers are cores; region: ARM's name, if it is told."""

    name: str
    used: int
    limit: int
    needed: int
    region: str | None = None

    @property
    def wanted(self) -> int:
        """The smallest limit that suffices."""
        return self.used + self.needed

    @property
    def text(self) -> str:
        """The shortage in one line."""
        return (
            f"{self.name}: {self.used} of {self.limit} used, {self.needed} more needed: "
            f"the limit must be {self.wanted}"
        )

    def request(self, size: str) -> str:
        """A text for the support request."""
        where = f" in {self.region}" if self.region else ""
        return (
            f"Please raise {self.name}{where} from {self.limit} to {self.wanted}. It is for "
            f"{size}, a confidential VM with one H100 GPU, which has {self.needed} vCPUs."
        )


def parse_refusal(text: str) -> QuotaShortage | None:
    """The shortage that Azure's text names; None if the text has another form."""
    name, location = _NAME.search(text), _LOCATION.search(text)
    found = {key: pattern.search(text) for key, pattern in _NUMBERS.items()}
    numbers = {key: int(match[1]) for key, match in found.items() if match is not None}
    if name is None or numbers.keys() != _NUMBERS.keys():
        return None
    region = None if location is None else location[1].replace(" ", "").lower()
    shown = _NAMES.get(name["name"].casefold(), name["name"])
    return QuotaShortage(shown, **numbers, region=region)
