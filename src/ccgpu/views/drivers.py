"""The table of GPU drivers, as text and as JSON."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.domain.drivers import Driver, DriverTable
from ccgpu.views.tables import RowTable

_HEADS = ("", "driver", "manifest", "signed until", "security fixes", "seen on Azure")


def as_text(table: DriverTable, at: datetime, warnings: Sequence[str] = ()) -> RenderableType:
    """The dates of the table, a row for each driver, then why some are not or soon not offered.

    warnings: those of a check, which looks further ahead or less far.
    """
    rows = RowTable(*_HEADS, style="none")
    for driver in table.drivers:
        rows.add_row(*_row(driver))
    notes = [f"- {each.version}: {each.refusal}" for each in table.drivers if each.refusal]
    notes += [
        f"- {each.version}: the policies {' and '.join(each.rejected_by)} reject it"
        for each in table.offered()
        if each.rejected_by
    ]
    notes += [line for each in table.offered() for line in each.expiry_warnings(at)]
    notes += [f"warning: {line}" for line in warnings if line not in notes]
    default = table.resolve(table.default).version
    head = f"as of {table.as_of}, to be reviewed by {table.review_by}; default: {default}\n"
    return Group(Text(head), rows, Text(""), *(Text(note) for note in notes))


def _row(driver: Driver) -> tuple[str, ...]:
    return (
        "+" if driver.refusal is None else "-",
        driver.version,
        driver.manifest,
        str(driver.signer_expires or "unknown"),
        "yes" if driver.security_fixes else "no",
        "unknown" if driver.seen is None else "yes",
    )


def as_json(table: DriverTable, at: datetime, warnings: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON document; each driver has its warnings at the time `at`, the table those of a check.

    The latter do not make the check fail.
    """
    return {
        "schema": "ccgpu.drivers/1",
        "as_of": str(table.as_of),
        "review_by": str(table.review_by),
        "default": table.default,
        "warnings": list(warnings),
        "branches": dict(table.branches),
        "kernels": [
            {"release": k.release, "flavour": k.flavour, "minimum": k.minimum, "source": k.source}
            for k in table.kernels
        ],
        "drivers": [_fields(driver, at) for driver in table.drivers],
    }


def _fields(driver: Driver, at: datetime) -> dict[str, Any]:
    return {
        "version": driver.version,
        "branch": driver.branch,
        "offered": driver.refusal is None,
        "refusal": driver.refusal,
        "manifest": driver.manifest,
        "signer_expires": None if driver.signer_expires is None else str(driver.signer_expires),
        "security_fixes": driver.security_fixes,
        "rejected_by": list(driver.rejected_by),
        "seen": driver.seen,
        "warnings": list(driver.warnings(at)),
        "sources": list(driver.sources),
    }
