"""The groups of checks, by the first word of their reason code, and their names for people.

docs/trust.md lists them.
"""

from collections.abc import Iterable, Mapping

from ccgpu.attest.check import Check

# In the order in which a verdict shows them.
GROUPS: Mapping[str, str] = {
    "bundle": "Signature of the bundle",
    "freshness": "Freshness",
    "identity": "Identity",
    "binding": "Binding to VM and host key",
    "evidence": "Evidence at hand",
    "collateral": "Collateral at hand",
    "snp": "SNP report",
    "hcl": "Paravisor's claims (HCL)",
    "json": "JSON in the evidence",
    "vtpm": "vTPM quote and event log",
    "workloads": "Log of workloads",
    "gpu": "GPU report",
    "rim": "NVIDIA's manifests (RIM)",
    "golden": "GPU measurements",
    "ocsp": "NVIDIA's revocation (OCSP)",
    "token": "Token signatures",
    "nras": "NVIDIA's token (NRAS)",
    "maa": "Microsoft's token (MAA)",
    "policy": "Policy",
}


def group_of(id_: str) -> str:
    """The name of a reason code's group; the code's first word if the group is unknown."""
    first = id_.partition(".")[0]
    return GROUPS.get(first, first)


def group_checks(checks: Iterable[Check]) -> Mapping[str, list[Check]]:
    """The checks by group, in the order of `GROUPS`; unknown groups come last."""
    groups: dict[str, list[Check]] = {name: [] for name in GROUPS.values()}
    for check in checks:
        groups.setdefault(group_of(check.id), []).append(check)
    return {name: those for name, those in groups.items() if those}
