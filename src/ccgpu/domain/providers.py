"""Resource providers: Azure creates only resources whose provider is registered.

A provider is registered once for each subscription. The state `Registering` is sufficient
(Microsoft Learn, "Azure resource providers and types": do not block on `Registering`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

COMPUTE, NETWORK = "Microsoft.Compute", "Microsoft.Network"
# The providers of the resources that ccgpu creates. Identities and encryption sets exist already:
# their provider is registered in their own subscription.
NEEDED = (COMPUTE, NETWORK)
NOT_REGISTERED = "MissingSubscriptionRegistration"  # ARM's error code of the first PUT
_USABLE = frozenset({"registered", "registering"})


@dataclass(frozen=True, slots=True)
class Provider:
    """A resource provider's state in the subscription.

    `vm_regions`: the regions with virtual machines; empty if the response has none.
    """

    namespace: str
    state: str
    vm_regions: frozenset[str] = frozenset()

    @property
    def usable(self) -> bool:
        """Whether its resources can be created."""
        return self.state.casefold() in _USABLE


def register_hint(namespaces: Iterable[str], subscription: str) -> str:
    """The commands that register these providers."""
    commands = [
        f"az provider register --namespace {namespace} --subscription {subscription} --wait"
        for namespace in namespaces
    ]
    return f"`{' && '.join(commands)}`, once for the subscription"
