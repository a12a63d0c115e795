"""GPU drivers as dated data: which can be attested, until when, and which are known to fail.

The table ships with ccgpu (`templates/guest/drivers.yaml`, with the source of each fact). A driver
is offered only if NVIDIA has published a manifest of it and it is not known to fail. Nothing here
reads a clock or a file: both are handed in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

# Warn this long before a signer expires or the table is due: time enough for a new release.
NOTICE = timedelta(days=60)
SCHEMA = "ccgpu.drivers/1"
PUBLISHED, UNKNOWN = "published", "unknown"
_DEMAND_FIXES = ("default", "strict")  # policies with `minimum_secure_drivers`


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver.

    manifest: `published` or `unknown`. signer_expires: the day on which the certificate of the
    manifest's signer expires; None if that is not known. security_fixes: whether it has the fixes
    of NVIDIA's latest bulletin. seen: how it is known to run on the VM size; None if it is not.
    fails: why it is not offered.
    """

    version: str
    manifest: str
    signer_expires: date | None
    security_fixes: bool
    seen: str | None
    fails: str | None
    sources: tuple[str, ...]

    @property
    def branch(self) -> str:
        """The driver branch: the first part of the version."""
        return self.version.split(".")[0]

    @property
    def refusal(self) -> str | None:
        """Why it is not offered; None if it is."""
        if self.fails:
            return self.fails
        return None if self.manifest == PUBLISHED else "no published manifest of it is known"

    @property
    def rejected_by(self) -> tuple[str, ...]:
        """The shipped policies that reject it, whatever the evidence says."""
        return () if self.security_fixes else _DEMAND_FIXES

    def expires_within(self, at: datetime, notice: timedelta) -> bool:
        """Whether the signer is known to have expired by the time `notice` after `at`."""
        return self.signer_expires is not None and self._days_left(at) <= notice.days

    def warnings(self, at: datetime, notice: timedelta = NOTICE) -> Iterator[str]:
        """What may make `verify` reject this driver, now or soon."""
        if self.signer_expires is None:
            yield f"when the signer of {self.version}'s manifest expires is not known"
        yield from self.expiry_warnings(at, notice)
        if not self.security_fixes:
            yield (
                f"driver {self.version} lacks NVIDIA's security fixes of May 2026 "
                "(CVE-2026-24187): the policies default and strict reject it"
            )
        if self.seen is None:
            yield f"driver {self.version} is not known to run on this VM size"

    def expiry_warnings(self, at: datetime, notice: timedelta = NOTICE) -> Iterator[str]:
        """That its manifest's signer expires within `notice`, or has expired."""
        if self.expires_within(at, notice):
            yield self._expiry_text(self._days_left(at))

    def _days_left(self, at: datetime) -> int:
        """Days until the day of expiry, which does not count as valid any more."""
        expires = self.signer_expires or date.max
        return (expires - at.astimezone(UTC).date()).days

    def _expiry_text(self, days: int) -> str:
        signer = f"the signer of {self.version}'s manifest"
        if days <= 0:
            return (
                f"{signer} expired on {self.signer_expires}: `verify` rejects it, unless NVIDIA "
                "has signed the manifest anew"
            )
        return f"{signer} expires in {days} day{'s' if days != 1 else ''}"


@dataclass(frozen=True, slots=True)
class DriverKernel:
    """A kernel for which Canonical builds and signs NVIDIA's modules, on one Ubuntu release."""

    release: str
    flavour: str
    minimum: str
    source: str


@dataclass(frozen=True, slots=True)
class DriverTable:
    """All drivers that ccgpu knows of, as of a day.

    default: the branch or version that a spec has unless it says otherwise. branches: the exact
    version that a branch stands for. review_by: the day from which the table counts as out of date.
    """

    as_of: date
    review_by: date
    default: str
    kernels: tuple[DriverKernel, ...]
    branches: Mapping[str, str]
    drivers: tuple[Driver, ...]

    def offered(self) -> tuple[Driver, ...]:
        """The drivers that a spec may name."""
        return tuple(driver for driver in self.drivers if driver.refusal is None)

    def resolve(self, wanted: str) -> Driver:
        """The driver of a branch or of an exact version.

        Raises:
            ValueError: why it is not offered, as the end of a sentence, with the alternatives.
        """
        version = self.branches.get(wanted, wanted)
        found = next((driver for driver in self.drivers if driver.version == version), None)
        if found is not None and found.refusal is None:
            return found
        why = found.refusal if found else "no published manifest of it is known"
        raise ValueError(f"cannot be {wanted}: {why}; choose {self.alternatives()}")

    def alternatives(self) -> str:
        """What a spec may name, in words: `595 (595.71.05), 550.144.03`."""
        by_version = {version: branch for branch, version in self.branches.items()}
        names = (
            f"{by_version[version]} ({version})" if version in by_version else version
            for version in (driver.version for driver in self.offered())
        )
        return ", ".join(names)

    def warnings(self, driver: Driver, at: datetime) -> tuple[str, ...]:
        """What to say ahead of a create with this driver."""
        return (*driver.warnings(at), *self._age(at, NOTICE))

    def findings(self, at: datetime, notice: timedelta) -> tuple[str, ...]:
        """Why the table needs work; empty if it is good for the time `notice` after `at`.

        A signer that expires soon counts if it is the default driver's; the others are notes. One
        that has expired counts whoever it is, since the driver is still offered.
        """
        found = [*self._age(at, notice)]
        try:
            self.resolve(self.default)
        except ValueError as err:
            found.append(f"the default driver {err}")
        for driver in self.offered():
            limit = notice if self._is_default(driver) else timedelta()
            found += driver.expiry_warnings(at, limit)
        return tuple(found)

    def notes(self, at: datetime, notice: timedelta) -> tuple[str, ...]:
        """What will become a finding: signers of other drivers that expire within `notice`."""
        known = self.findings(at, notice)
        lines = (line for driver in self.offered() for line in driver.expiry_warnings(at, notice))
        return tuple(line for line in lines if line not in known)

    def _is_default(self, driver: Driver) -> bool:
        return driver.version == self.branches.get(self.default, self.default)

    def _age(self, at: datetime, notice: timedelta) -> Iterator[str]:
        left = (self.review_by - at.astimezone(UTC).date()).days
        if left <= notice.days:
            is_over = "too old since" if left <= 0 else "good until"
            yield (
                f"ccgpu's table of drivers is of {self.as_of}, and {is_over} {self.review_by}: "
                "update ccgpu"
            )


def parse_table(values: Mapping[str, Any]) -> DriverTable:
    """The table from the values of its file, which are texts.

    Raises:
        ValueError: the file is not such a table: a field is missing or unknown, a version is
            listed twice, or a branch or the default stands for a driver that is not listed.
    """
    if values.get("schema") != SCHEMA:
        raise ValueError(f"is not {SCHEMA}")
    try:
        table = DriverTable(
            date.fromisoformat(values["as_of"]),
            date.fromisoformat(values["review_by"]),
            values["default"],
            tuple(DriverKernel(**kernel) for kernel in values["kernels"]),
            dict(values["branches"]),
            tuple(_driver(one) for one in values["drivers"]),
        )
    except (KeyError, TypeError) as err:
        raise ValueError(f"is not a table of drivers: {err}") from err
    versions = [driver.version for driver in table.drivers]
    named = {*table.branches.values(), table.branches.get(table.default, table.default)}
    if len(set(versions)) != len(versions) or not named <= set(versions):
        raise ValueError("lists a driver twice, or names one that it does not list")
    if any(not version.startswith(f"{branch}.") for branch, version in table.branches.items()):
        raise ValueError("has a branch that stands for a driver of another one")
    return table


def _driver(values: Mapping[str, Any]) -> Driver:
    expires, seen = values["signer_expires"], values["seen"]
    if values["manifest"] not in (PUBLISHED, UNKNOWN):
        raise ValueError(f"has a manifest that is {values['manifest']!r}")
    if values["security_fixes"] not in ("true", "false"):
        raise ValueError("has security_fixes that is neither true nor false")
    if extra := values.keys() - _FIELDS:
        raise ValueError(f"has the unknown fields {sorted(extra)}")
    return Driver(
        values["version"],
        values["manifest"],
        None if expires == UNKNOWN else date.fromisoformat(expires),
        values["security_fixes"] == "true",
        None if seen == UNKNOWN else seen,
        values.get("fails"),
        tuple(values["sources"]),
    )


_FIELDS = set(Driver.__dataclass_fields__)
