"""Why a sign-in failed: the cause in azure-identity's long messages, with a hint.

Each credential of a chain fails with a message; most only say that the credential is not set up. An
error of Entra, of `az`, or of the network is the cause. Codes: Microsoft Learn, "Microsoft Entra
authentication and authorization error codes".
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from azure.core import exceptions as sdk

_SIGN_IN_AGAIN = "the sign-in has expired: run `az login` again"
_TENANT = (
    "this account or application is not in the tenant of the subscription: run `az login "
    "--tenant TENANT` with that tenant"
)
_SECRET = "create a new secret or certificate for the application"  # noqa: S105  # a hint
_HINTS = {
    **dict.fromkeys(
        ("50173", "50089", "70008", "70043", "700081", "700082", "700084", "50132", "50133"),
        _SIGN_IN_AGAIN,
    ),
    **dict.fromkeys(
        ("16000", "50020", "50034", "90002", "90072", "700016", "500021", "530004"), _TENANT
    ),
    **dict.fromkeys(
        ("50076", "50078", "50079", "53003"), "run `az login` again: a stronger sign-in is required"
    ),
    **dict.fromkeys(("7000222", "7000215", "700027"), _SECRET),
    "700024": "the assertion has expired, or this machine's clock is wrong",
}
_AADSTS = re.compile(r"\bAADSTS(\d{4,7})\b")
_HOST = re.compile(r"host='?([\w.-]+)'?|https?://([\w.-]+)")
_NAME_RESOLUTION = re.compile(
    r"name ?resolution|failed to resolve|getaddrinfo|name or service not known|nodename nor "
    r"servname|no address associated|unable to resolve|could not resolve",
    re.IGNORECASE,
)
_TLS = re.compile(r"certificate.verify.failed|self.signed certificate|SSLError", re.IGNORECASE)
_NETWORK = re.compile(
    r"max retries exceeded|connection (refused|reset|aborted|timed out)|timed out|proxy"
    r"|network is unreachable|no route to host",
    re.IGNORECASE,
)
_NO_SUBSCRIPTION = re.compile(
    r"subscription.*(not found|doesn't exist|does not exist)", re.IGNORECASE | re.DOTALL
)
# Messages of a credential that is not set up. They are the cause only if there is no other.
_NOT_SET_UP = re.compile(
    r"unavailable|not found on path|could not be found|is not installed|isn't installed|not fully "
    r"configured|requires the|cannot be found|no accounts were found|shared token cache"
    r"|no managed identity|not been implemented",
    re.IGNORECASE,
)
_CHALLENGE = re.compile(r"az login --claims-challenge [^\r\n]+")
_NOT_ASSIGNED = re.compile(r"has not been assigned to this|identity not found", re.IGNORECASE)
_NOT_SIGNED_IN = re.compile(r"az login|azd auth login|Connect-AzAccount")


_FIRST_RUN = (
    "run `az login`, or set AZURE_CLIENT_ID and AZURE_TENANT_ID; without Azure, on a simulated "
    "subscription: `--backend fake`"
)


class Attempt(NamedTuple):
    """A credential's failure to get a token, with its message."""

    credential: str
    text: str


class Cause(NamedTuple):
    """Why a sign-in failed: a code for scripts, a sentence, a hint, and whether it is transient."""

    code: str
    text: str
    hint: str | None = None
    transient: bool = False


class SignInFailed(sdk.ClientAuthenticationError):
    """There is no token. `code_of_cause` is a code for scripts."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(message=cause.text)
        self.code_of_cause = cause.code
        self.hint = cause.hint


def cause_of(attempts: Sequence[Attempt]) -> Cause:
    """The cause of a failed sign-in, from the messages of all credentials.

    Causes of Entra come first, then those of the network, of `az`, and of the machine's identity.
    """
    for rule in (_entra_cause, _network_cause, _azure_cli_cause, _machine_cause):
        for attempt in attempts:
            if cause := rule(attempt):
                return cause
    for attempt in attempts:
        if not _NOT_SET_UP.search(attempt.text) and not _NOT_SIGNED_IN.search(attempt.text):
            return Cause("Unauthenticated", _attempt_text(attempt))
    return _no_credential(attempts)


def _entra_cause(attempt: Attempt) -> Cause | None:
    code = _AADSTS.search(attempt.text)
    if code is None:
        return None
    line = next(line for line in attempt.text.splitlines() if code[0] in line)
    text = f"{attempt.credential}: {line[line.index(code[0]) :].strip()}"
    return Cause(code[0], text, _HINTS.get(code[1]))


def _network_cause(attempt: Attempt) -> Cause | None:
    """The cause if a name was not resolved, a certificate not trusted, or a host not reached."""
    text = attempt.text
    if _NOT_SET_UP.search(text) and "IMDS" in text:
        return None  # IMDS exists in Azure only, so it is not reachable from other machines
    match = _HOST.search(text)
    host = (match[1] or match[2]) if match else "the sign-in's host"
    if _NAME_RESOLUTION.search(text):
        reason = f"{attempt.credential}: the name {host} cannot be resolved"
        return Cause("NameResolution", reason, "check this machine's DNS, network and proxy", True)
    if _TLS.search(text):
        reason = f"{attempt.credential}: the certificate of {host} is not trusted"
        hint = "if a proxy intercepts TLS, set REQUESTS_CA_BUNDLE to its CA certificate"
        return Cause("CertificateNotTrusted", reason, hint)
    if _NETWORK.search(text):
        reason = f"{attempt.credential}: {host} cannot be reached: {_first_error_line(text)}"
        return Cause("SignInUnreachable", reason, "check this machine's network and proxy", True)
    return None


def _azure_cli_cause(attempt: Attempt) -> Cause | None:
    if challenge := _CHALLENGE.search(attempt.text):
        text = f"{attempt.credential}: a stronger sign-in is required"
        return Cause("ClaimsChallenge", text, f"`{challenge[0].strip()}`")
    if attempt.credential == "AzureCliCredential" and _NO_SUBSCRIPTION.search(attempt.text):
        hint = (
            "`az account list --all --refresh` lists the subscriptions; `az login --tenant "
            "TENANT` signs in to another tenant"
        )
        return Cause("SubscriptionNotFound", _attempt_text(attempt), hint)
    return None


def _machine_cause(attempt: Attempt) -> Cause | None:
    if _NOT_ASSIGNED.search(attempt.text):
        hint = "AZURE_CLIENT_ID must name an identity that this machine has"
        return Cause("IdentityNotAssigned", _attempt_text(attempt), hint)
    return None


def _no_credential(attempts: Sequence[Attempt]) -> Cause:
    tried = ", ".join(dict.fromkeys(one.credential for one in attempts)) or "none"
    not_signed_in = [one for one in attempts if _NOT_SIGNED_IN.search(one.text)]
    more = f"; {_attempt_text(not_signed_in[0])}" if not_signed_in else ""
    return Cause("Unauthenticated", f"not signed in (tried: {tried}){more}", _FIRST_RUN)


def _attempt_text(attempt: Attempt) -> str:
    return f"{attempt.credential}: {_first_error_line(attempt.text)}"


def _first_error_line(text: str) -> str:
    """The first line with an error of `az` (`ERROR:`), else the first line that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = next((one for one in lines if one.startswith("ERROR:")), lines[0] if lines else "")
    return first.removeprefix("ERROR:").strip() or "no reason was given"
