"""Resource providers that the subscription has not registered: nothing of theirs can be made.

Setting `providers`: namespace -> Registered, Registering, Unregistering or NotRegistered.
"""

from ccgpu.fakearm.call import ArmCall
from ccgpu.fakearm.errors import GATEWAY, Refused, error

STATES = ("Registered", "Registering", "Unregistering", "NotRegistered")
_WRITABLE_STATES = ("Registered", "Registering")


def check(call: ArmCall) -> None:
    """Refuse to write what belongs to a provider that is not registered; reading is free."""
    if call.request.method != "PUT":
        return
    path = call.request.path.lower()
    for namespace, state in call.world.settings.at("providers").items():
        if state not in _WRITABLE_STATES and f"/providers/{namespace.lower()}/" in path:
            raise _registration_refusal(namespace)


def _registration_refusal(namespace: str) -> Refused:
    text = (
        f"The subscription is not registered to use namespace '{namespace}'. See "
        "https://aka.ms/rps-not-found for how to register subscriptions."
    )
    detail = error("MissingSubscriptionRegistration", text, target=namespace)
    return Refused(409, "MissingSubscriptionRegistration", text, details=[detail], headers=GATEWAY)
