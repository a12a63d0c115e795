"""Resource providers: Azure makes nothing of a kind whose provider is not registered.

Registration is once for a subscription. One that is under way stops nothing (Microsoft Learn,
"Azure resource providers and types": do not block on `Registering`).
"""

from collections.abc import Iterable
from dataclasses import dataclass

COMPUTE, NETWORK = "Microsoft.Compute", "Microsoft.Network"
# What every deployment is made of. Identities and encryption sets exist already: the provider is
# registered in *their* subscription.
NEEDED = (COMPUTE, NETWORK)
NOT_REGISTERED = "MissingSubscriptionRegistration"  # ARM's code for it, at the first PUT
_USABLE = frozenset({"registered", "registering"})


@dataclass(frozen=True, slots=True)
class Provider:
    """A resource provider as the subscription has it.

    `vm_regions`: where it has virtual machines; empty where that is not said.
    """

    namespace: str
    state: str
    vm_regions: frozenset[str] = frozenset()

    @property
    def usable(self) -> bool:
        """Whether resources of it can be made."""
        return self.state.casefold() in _USABLE


def register_hint(namespaces: Iterable[str], subscription: str) -> str:
    """The commands that register them."""
    commands = [
        f"az provider register --namespace {one} --subscription {subscription} --wait"
        for one in namespaces
    ]
    return f"`{' && '.join(commands)}`, once for the subscription"
