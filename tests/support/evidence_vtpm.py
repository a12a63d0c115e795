"""A simulated vTPM's keys, and outcomes of checks."""

from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import rsa

from ccgpu.attest.check import Checks, Rule, Unverified, Verified

T = TypeVar("T")

_RULE = Rule("test.made", "this is for a test to say", "the test")


_ours = cache(lambda: rsa.generate_private_key(65537, 2048))
_theirs = cache(lambda: rsa.generate_private_key(65537, 2048))


def ak(which: str = "ours") -> rsa.RSAPrivateKey:
    """An attestation key, generated once: "ours", or that of another vTPM."""
    return _ours() if which == "ours" else _theirs()


@dataclass(frozen=True)
class Report:
    """The part of a report that the HCL checks need."""

    report_data: bytes


def verified_value(value: T) -> Verified[T]:
    """The value, with one check that passed."""
    checks = Checks()
    since = checks.checkpoint()
    checks.record_equal(_RULE, 1, 1)
    outcome = checks.conclude(value, since)
    assert isinstance(outcome, Verified)
    return outcome


def unverified_value(value: T) -> Unverified[T]:
    """The value, with no check at all."""
    outcome = Checks().conclude(value, 0)
    assert isinstance(outcome, Unverified)
    return outcome


def failed_checks(checks: Checks) -> list[str]:
    """The ids of failed checks in order."""
    return [check.id for check in checks.made if not check.ok]
