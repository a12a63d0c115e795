"""Unregistered resource providers: their resources cannot be created.

Setting `providers`: namespace -> Registered, Registering, Unregistering or NotRegistered.
"""

from ccgpu.fakearm.call import ArmCall
from ccgpu.fakearm.errors import GATEWAY, Refused, error

STATES = ("Registered", "Registering", "Unregistering", "NotRegistered")
_WRITABLE_STATES = ("Registered", "Registering")


def check(call: ArmCall) -> None:
    """Refuse to write a resource of an unregistered provider. Reads need no registration."""
    if call.request.method != "PUT":
        return
    path = call.request.path.lower()
    for namespace, state in call.world.settings.value("providers").items():
        if state not in _WRITABLE_STATES and f"/providers/{namespace.lower()}/" in path:
            raise _registration_refusal(namespace)


def _registration_refusal(namespace: str) -> Refused:
    text = (
        f"The subscription is not registered to use namespace '{namespace}'. See "
        "https://aka.ms/rps-not-found for how to register subscriptions."
    )
    detail = error("MissingSubscriptionRegistration", text, target=namespace)
    return Refused(409, "MissingSubscriptionRegistration", text, details=[detail], headers=GATEWAY)
