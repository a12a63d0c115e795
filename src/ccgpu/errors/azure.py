"""Azure refuses, or has something that was created and is left."""

from typing import ClassVar

from ccgpu.errors.base import CcgpuError


class AzureRefused(CcgpuError):
    """Azure refused the request. `code` is ARM's error code; `after` is its Retry-After."""

    exit_code: ClassVar[int] = 4
    usual_hint: ClassVar[str | None] = None
    transient: ClassVar[bool] = False  # the same request may be sent again

    def __init__(
        self, message: str, *, code: str, after: float | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint or self.usual_hint)
        self.code = code
        self.after = after


class NotSignedIn(AzureRefused):
    """There is no token, or Azure does not accept it."""

    usual_hint: ClassVar[str | None] = "run `az login`, or set AZURE_CLIENT_ID and AZURE_TENANT_ID"


class SignInUnavailable(NotSignedIn):
    """The sign-in service could not be reached for now."""

    transient: ClassVar[bool] = True


class Denied(AzureRefused):
    """A permission is missing. Retries fail until it is granted."""


class NotFound(AzureRefused):
    """The resource does not exist."""


class AlreadyExists(AzureRefused):
    """A precondition (`If-None-Match`, `If-Match`) failed: plan again."""


class SharedMeanwhile(AlreadyExists):
    """Others have begun to use a network that was to be deleted."""


class AzureUnavailable(AzureRefused):
    """No usable response, or a request to retry later: the same request may be sent again."""

    usual_hint: ClassVar[str | None] = "run the same command again: it continues where it stopped"
    transient: ClassVar[bool] = True


class ForeignAnswer(AzureUnavailable):
    """A response names a host that is not Azure Resource Manager's: not retried."""

    transient: ClassVar[bool] = False


class QuotaExceeded(AzureRefused):
    """The subscription's quota is too small."""

    exit_code: ClassVar[int] = 5
    usual_hint: ClassVar[str | None] = (
        "`ccgpu quota` tells what to ask for; it is asked for in the Azure portal: "
        "https://portal.azure.com/#view/Microsoft_Azure_Capacity/QuotaMenuBlade/~/myQuotas"
    )


class CapacityUnavailable(AzureRefused):
    """Azure has no free machine of that size in the region or zone."""

    exit_code: ClassVar[int] = 6
    usual_hint: ClassVar[str | None] = (
        "try later, or add regions in order of preference: `--region R`"
    )


class LeftBehind(CcgpuError):
    """Created resources still exist, or their state is unknown. Outranks its cause.

    A create that was told to keep them ends with a refusal (4) or a wrong host key (9) itself.
    """

    exit_code: ClassVar[int] = 7


class RemovalDenied(LeftBehind):
    """Resources are left because a permission is missing; exit code 4, unlike `LeftBehind`'s 7."""

    exit_code: ClassVar[int] = 4
