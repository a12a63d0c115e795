"""Disabled subscriptions and unregistered resource providers: nothing can be created.

Setting `providers`: namespace -> Registered, Registering, Unregistering or NotRegistered.
Setting `subscription_state`: one of `SUBSCRIPTION_STATES`.
"""

from ccgpu.fakearm.call import ArmCall
from ccgpu.fakearm.errors import GATEWAY, Refused, error

STATES = ("Registered", "Registering", "Unregistering", "NotRegistered")
SUBSCRIPTION_STATES = ("Enabled", "Warned", "PastDue", "Disabled", "Deleted")
_READ_ONLY = ("Disabled", "Deleted")
_WRITABLE_STATES = ("Registered", "Registering")


def check(call: ArmCall) -> None:
    """Refuse to write in a disabled subscription, or a resource of an unregistered provider."""
    is_read = call.request.method in ("GET", "HEAD", "DELETE") or not call.names  # of the tenant
    if not is_read and call.world.settings.value("subscription_state") in _READ_ONLY:
        raise _disabled_refusal(call.world.subscription)
    if call.request.method != "PUT":
        return
    path = call.request.path.lower()
    for namespace, state in call.world.settings.value("providers").items():
        if state not in _WRITABLE_STATES and f"/providers/{namespace.lower()}/" in path:
            raise _registration_refusal(namespace)


def _disabled_refusal(subscription: str) -> Refused:
    return Refused(
        409,
        "ReadOnlyDisabledSubscription",
        f"The subscription '{subscription}' is disabled and therefore marked as read only. You "
        "cannot perform any write actions on this subscription until it is re-enabled.",
        headers=GATEWAY,
    )


def _registration_refusal(namespace: str) -> Refused:
    text = (
        f"The subscription is not registered to use namespace '{namespace}'. See "
        "https://aka.ms/rps-not-found for how to register subscriptions."
    )
    detail = error("MissingSubscriptionRegistration", text, target=namespace)
    return Refused(409, "MissingSubscriptionRegistration", text, details=[detail], headers=GATEWAY)
