"""Compares Microsoft's token with the SNP report that was verified here.

A genuine token may be of another VM, or of an earlier start of this one. Values that change while a
VM runs are not compared: report data (the guest may write it) and the TCB (the host may update it).
"""

from collections.abc import Sequence

from ccgpu.attest.check import Checks, Rule
from ccgpu.attest.tokens.jws import Jws
from ccgpu.attest.tokens.registered import member
from ccgpu.attest.vm_identity import VmIdentity

_SOURCE = "Microsoft Azure Attestation, claims for confidential VMs; docs/trust.md"
_TEE = "x-ms-isolation-tee"


# The field of `VmIdentity`, its name for people, the claim, the rule.
_COMPARED: Sequence[tuple[str, str, tuple[str, ...], Rule]] = (
    (
        "report_id",
        "report id",
        (_TEE, "x-ms-sevsnpvm-reportid"),
        Rule("maa.report-id", "token and report are of one start of one guest", _SOURCE),
    ),
    (
        "measurement",
        "measurement",
        (_TEE, "x-ms-sevsnpvm-launchmeasurement"),
        Rule("maa.measurement", "token and report have one launch measurement", _SOURCE),
    ),
    (
        "id_key_digest",
        "id key digest",
        (_TEE, "x-ms-sevsnpvm-idkeydigest"),
        Rule("maa.id-key-digest", "token and report name one signer of the paravisor", _SOURCE),
    ),
    (
        "host_data",
        "host data",
        (_TEE, "x-ms-sevsnpvm-hostdata"),
        Rule("maa.host-data", "token and report have the same host data", _SOURCE),
    ),
    (
        "guest_svn",
        "guest SVN",
        (_TEE, "x-ms-sevsnpvm-guestsvn"),
        Rule("maa.guest-svn", "token and report have one security version", _SOURCE),
    ),
    (
        "vmpl",
        "VMPL",
        (_TEE, "x-ms-sevsnpvm-vmpl"),
        Rule("maa.vmpl", "token and report are of one privilege level", _SOURCE),
    ),
    (
        "debug",
        "debug",
        (_TEE, "x-ms-sevsnpvm-is-debuggable"),
        Rule("maa.debuggable.other", "token and report agree on debugging", _SOURCE),
    ),
    (
        "secure_boot",
        "secure boot",
        ("secureboot",),
        Rule("maa.secure-boot", "token and runtime claims agree on secure boot", _SOURCE),
    ),
)
NEVER_COMPARED = ("report data", "TCB")


def compare(token: Jws, evidence: VmIdentity | None, checks: Checks) -> tuple[str, ...]:
    """Check each claim that both sides have. Returns the names of the others."""
    not_compared = []
    for field, name, path, rule in _COMPARED:
        known = None if evidence is None else getattr(evidence, field)
        claimed = member(token.claims, *path)
        if known is None or claimed is None:
            not_compared.append(name)
            continue
        same = type(claimed) is type(known) and _lower_case(claimed) == known
        checks.record(rule, same, known, token.describe(claimed))
    return (*not_compared, *NEVER_COMPARED)


def _lower_case(value: object) -> object:
    """Text in lower case, since claims are hex; anything else unchanged."""
    return value.lower() if isinstance(value, str) else value
