"""Why a sign-in failed: the cause that azure-identity's long text holds, and what to do about it.

Each credential of a chain says something; most only say that they were not set up. What one of
them was told by Entra, by `az`, or by the network is the cause. Codes: Microsoft Learn, "Microsoft
Entra authentication and authorization error codes".
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from azure.core import exceptions as sdk

_AGAIN = "the sign-in has expired: run `az login` again"
_TENANT = (
    "this account or application is not in the tenant of the subscription: run `az login "
    "--tenant TENANT` with that tenant"
)
_SECRET = "create a new secret or certificate for the application"  # noqa: S105  # a hint
_HINTS = {
    **dict.fromkeys(
        ("50173", "50089", "70008", "70043", "700081", "700082", "700084", "50132", "50133"), _AGAIN
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
_NAME = re.compile(
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
# What a credential says that was not set up: it is the cause only where nothing else is.
_NOT_SET_UP = re.compile(
    r"unavailable|not found on path|could not be found|is not installed|isn't installed|not fully "
    r"configured|requires the|cannot be found|no accounts were found|shared token cache"
    r"|no managed identity|not been implemented",
    re.IGNORECASE,
)
_CHALLENGE = re.compile(r"az login --claims-challenge [^\r\n]+")
_NOT_ASSIGNED = re.compile(r"has not been assigned to this|identity not found", re.IGNORECASE)
_NOBODY = re.compile(r"az login|azd auth login|Connect-AzAccount")


class Attempt(NamedTuple):
    """What one credential said when it was asked."""

    credential: str
    text: str


class Cause(NamedTuple):
    """Why it failed: a code for scripts, a sentence, what to do, and whether it may pass."""

    code: str
    text: str
    hint: str | None = None
    passing: bool = False


class SignInFailed(sdk.ClientAuthenticationError):
    """No token; `code_of_cause` is for scripts."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(message=cause.text)
        self.code_of_cause = cause.code
        self.hint = cause.hint


def cause_of(attempts: Sequence[Attempt]) -> Cause:
    """The cause of a sign-in that failed, from what each credential said."""
    for rule in (_entra_cause, _network_cause, _azure_cli_cause, _machine_cause):
        for attempt in attempts:
            if found := rule(attempt):
                return found
    for attempt in attempts:
        if not _NOT_SET_UP.search(attempt.text) and not _NOBODY.search(attempt.text):
            return Cause("Unauthenticated", _sentence(attempt))
    return _no_credential(attempts)


def _entra_cause(attempt: Attempt) -> Cause | None:
    code = _AADSTS.search(attempt.text)
    if code is None:
        return None
    line = next(line for line in attempt.text.splitlines() if code[0] in line)
    text = f"{attempt.credential}: {line[line.index(code[0]) :].strip()}"
    return Cause(code[0], text, _HINTS.get(code[1]))


def _network_cause(attempt: Attempt) -> Cause | None:
    text = attempt.text
    if _NOT_SET_UP.search(text) and "IMDS" in text:
        return None  # a machine that is not of Azure has no such address
    named = _HOST.search(text)
    host = (named[1] or named[2]) if named else "the sign-in's host"
    if _NAME.search(text):
        said = f"{attempt.credential}: the name {host} cannot be resolved"
        return Cause("NameResolution", said, "check this machine's DNS, network and proxy", True)
    if _TLS.search(text):
        said = f"{attempt.credential}: the certificate of {host} is not trusted"
        hint = "if a proxy intercepts TLS, set REQUESTS_CA_BUNDLE to its CA certificate"
        return Cause("CertificateNotTrusted", said, hint)
    if _NETWORK.search(text):
        said = f"{attempt.credential}: {host} cannot be reached: {_line(text)}"
        return Cause("SignInUnreachable", said, "check this machine's network and proxy", True)
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
        return Cause("SubscriptionNotFound", _sentence(attempt), hint)
    return None


def _machine_cause(attempt: Attempt) -> Cause | None:
    if _NOT_ASSIGNED.search(attempt.text):
        hint = "AZURE_CLIENT_ID must name an identity that this machine has"
        return Cause("IdentityNotAssigned", _sentence(attempt), hint)
    return None


def _no_credential(attempts: Sequence[Attempt]) -> Cause:
    asked = ", ".join(dict.fromkeys(one.credential for one in attempts)) or "none"
    told = [one for one in attempts if _NOBODY.search(one.text)]
    more = f"; {_sentence(told[0])}" if told else ""
    return Cause("Unauthenticated", f"not signed in (tried: {asked}){more}")


def _sentence(attempt: Attempt) -> str:
    return f"{attempt.credential}: {_line(attempt.text)}"


def _line(text: str) -> str:
    """The first line that says something; `az` begins it with `ERROR:`."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = next((one for one in lines if one.startswith("ERROR:")), lines[0] if lines else "")
    return first.removeprefix("ERROR:").strip() or "no reason was given"
