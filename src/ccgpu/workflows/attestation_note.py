"""What to say before a VM is reached that this machine has not attested in its present boot.

It is read from this machine's records alone, without the verifier: what it does not say proves
nothing. `require_attested` is the check.
"""

from datetime import datetime

from ccgpu.azure.context import AzureContext
from ccgpu.domain.desired import Names
from ccgpu.errors import StateUnusable
from ccgpu.store.attestations import Attestations
from ccgpu.store.known_hosts import KnownHosts
from ccgpu.workflows.record_names import record_name_of


def attestation_note(
    cloud: AzureContext, names: Names, vm_id: str, host_key: bytes | None
) -> str | None:
    """One sentence about the VM; None if it was accepted, and the verdict is not too old."""
    name, recorded = names.deployment, record_name_of(cloud, names)
    remedy = f"`ccgpu attest {name}`"
    folder, subscription = cloud.journals.folder, cloud.subscription
    try:
        record = Attestations(folder).find(subscription, recorded)
    except StateUnusable as err:
        return f"{name} does not count as attested: {err}"
    if record is None or record.vm_id != vm_id:
        known = KnownHosts(folder).find(subscription, recorded, vm_id)
        attested = known is not None and known.source == "attested"
        key = (
            "was attested in an earlier boot" if attested else "is known from its serial log alone"
        )
        return f"{name} is not attested in this boot, and its host key {key}: {remedy}"
    if record.verdict == "rejected":
        reasons = ", ".join(record.reasons)
        return f"{name} was REJECTED at {record.at} ({reasons}): send it nothing secret"
    if record.host_key != host_key:
        return f"the host key of {name} is not the one that was attested: {remedy}"
    over = record.until is not None and _seconds(record.until) <= cloud.wall()
    if over or cloud.wall() < _seconds(record.at):  # the age of one of the future is unknown
        return f"the verdict on {name}, of {record.at}, does not count any more: {remedy}"
    return None


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
