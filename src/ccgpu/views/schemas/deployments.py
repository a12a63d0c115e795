"""The documents about deployments: show, list, create, delete, extend, gc."""

from typing import Any, get_args

from ccgpu.domain.attestation import RecordedVerdict
from ccgpu.domain.garbage import CollectedAction
from ccgpu.domain.lease import Why
from ccgpu.domain.status import State
from ccgpu.views.schemas import places, plans
from ccgpu.views.schemas.words import (
    ARM_ID,
    COUNT,
    NUMBER,
    SHA256,
    SIGNED_IN_WITH,
    SIMULATED,
    TEXT,
    TIME,
    Schema,
    choice,
    described,
    document,
    listing,
    nullable,
    record,
)

_STATE = described(
    choice([*State, "attested", "rejected"]),
    "attested and rejected: ready, with a verdict of this machine that still counts.",
)
_RESOURCE = record({"id": ARM_ID, "kind": TEXT, "state": nullable(TEXT)})
_ATTESTATION = record(
    {
        "verdict": choice(get_args(RecordedVerdict)),
        "time": TIME,
        "age_seconds": COUNT,
        "until": described(nullable(TIME), "When it is too old for its policy."),
        "policy": TEXT,
        "reasons": listing(TEXT),
        "bundle": described(TEXT, "Path of the evidence on this machine."),
    }
)
_MEASURED = record(
    {
        "manifest": described(TEXT, "Path of image.json."),
        "manifest_sha256": SHA256,
        "config": described(TEXT, "Path of the config that the VM was given."),
        "config_sha256": SHA256,
    }
)
# The members that a list has, too; those that take more requests follow.
_LISTED: dict[str, Schema] = {
    "name": TEXT,
    "state": _STATE,
    "region": nullable(TEXT),
    "zone": nullable(TEXT),
    "size": nullable(TEXT),
    "resource_group": TEXT,
    "vm_id": described(nullable(TEXT), "ARM's vmId."),
    "expires": described(nullable(TIME), "End of the lease."),
    "hourly_usd": nullable(NUMBER),
    "spent_usd_at_most": described(nullable(NUMBER), "As if the VM ran all the time."),
    "simulated": SIMULATED,
}
_SHOWN: dict[str, Schema] = {
    **_LISTED,
    "stage": described(nullable(TEXT), "Where `create` would go on; null if it is done."),
    "public_ip": nullable(TEXT),
    "private_ip": nullable(TEXT),
    "price": nullable(places.PRICE),
    "resources": listing(_RESOURCE),
    "attestation": nullable(_ATTESTATION),
    "measured": described(
        nullable(_MEASURED), "The measured image that this machine has created it from."
    ),
    "admin_user": nullable(TEXT),
    "identity_file": described(nullable(TEXT), "Path of the private key on this machine."),
    "ssh": described(nullable(TEXT), "The command that logs in, by ccgpu."),
    "openssh": described(
        nullable(listing(TEXT)),
        "The words of OpenSSH's command that logs in and accepts the pinned host key alone; null "
        "without an address to connect to, or if this machine has not recorded that key.",
    ),
    "signed_in_with": SIGNED_IN_WITH,
}
_DELETED: dict[str, Schema] = {
    "name": TEXT,
    "gone": listing(ARM_ID),
    "kept": listing(record({"id": ARM_ID, "reason": TEXT})),
}
_TRY = record(
    {
        "region": TEXT,
        "zone": nullable(TEXT),
        "code": TEXT,
        "message": TEXT,
        "seconds": COUNT,
    }
)


def show() -> dict[str, Any]:
    """One deployment."""
    untagged = described(
        nullable(ARM_ID),
        "Its VM, if that has lost the tag ccgpu-deployment: it does not count as the deployment's, "
        "nor does what it costs.",
    )
    return document(
        "ccgpu.show/1", "One deployment, as Azure has it.", {**_SHOWN, "untagged_vm": untagged}
    )


def list_() -> dict[str, Any]:
    """All deployments."""
    row = {
        **_LISTED,
        "seconds_left": described(nullable(COUNT), "Of the lease, by Azure's clock."),
        "resources": listing(record({"id": ARM_ID, "kind": TEXT})),
    }
    return document(
        "ccgpu.list/1",
        "The deployments of the subscription.",
        {"deployments": listing(record(row)), "signed_in_with": SIGNED_IN_WITH},
    )


def create() -> dict[str, Any]:
    """What was created."""
    more: dict[str, Schema] = {
        "resources": listing(plans.STEP),
        "remembered": described(listing(TEXT), "Fields of the spec that the last create had."),
        "secrets": record(
            {
                "released": listing(TEXT),
                "held": described(listing(TEXT), "In the VM already."),
            }
        ),
        "warnings": listing(TEXT),
        "tries": described(listing(_TRY), "Where Azure had no room."),
    }
    return document("ccgpu.create/1", "The deployment, and what was done.", {**_SHOWN, **more})


def delete() -> dict[str, Any]:
    """What was deleted."""
    return document("ccgpu.delete/1", "What is gone, and what stays.", _DELETED)


def deletes() -> dict[str, Any]:
    """What was deleted of several deployments."""
    one = record({"schema": {"const": "ccgpu.delete/1"}, **_DELETED})
    return document(
        "ccgpu.deletes/1",
        "The ccgpu.delete/1 of each of several deployments.",
        {"deployments": listing(one)},
    )


def extend() -> dict[str, Any]:
    """The new end of a lease."""
    return document(
        "ccgpu.extend/1",
        "The lease of a deployment, before and now.",
        {
            "name": TEXT,
            "resource_group": TEXT,
            "before": described(nullable(TIME), "Null: there was none."),
            "expires": TIME,
            "resources": described(listing(ARM_ID), "Those whose tags were changed."),
        },
    )


def gc() -> dict[str, Any]:
    """The deployments that are garbage."""
    row = {
        "name": TEXT,
        "resource_group": TEXT,
        "why": described(nullable(choice(get_args(Why))), "Null: it is no garbage after all."),
        "expires": nullable(TIME),
        "created": nullable(TIME),
        "action": choice(get_args(CollectedAction)),
        "resources": listing(ARM_ID),
        "reason": described(nullable(TEXT), "Why it was skipped, or failed."),
        "hint": described(nullable(TEXT), "What to do about that; null: nothing is known."),
    }
    return document(
        "ccgpu.gc/1",
        "Expired and orphaned deployments, and what became of them.",
        {"deployments": listing(record(row))},
    )


def tunnel() -> dict[str, Any]:
    """An open tunnel."""
    return document(
        "ccgpu.tunnel/1",
        "A tunnel that is open until the command ends.",
        {"name": TEXT, "address": TEXT, "local_port": COUNT, "port": COUNT},
    )


def logs() -> dict[str, Any]:
    """A log of a VM."""
    return document(
        "ccgpu.logs/1",
        "A log of a VM, as it is.",
        {
            "name": TEXT,
            "source": choice(("setup", "serial", "workload")),
            "workload": TEXT,
            "text": TEXT,
        },
        optional=["workload"],
    )
