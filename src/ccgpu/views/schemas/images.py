"""The documents of measured images: the manifest, and what a disk is."""

from typing import Any

from ccgpu.views.schemas.words import (
    BOOLEAN,
    COUNT,
    SHA256,
    TEXT,
    Schema,
    choice,
    described,
    document,
    listing,
    nullable,
    record,
)

_SECTION = record({"name": TEXT, "size": COUNT, "sha256": SHA256})
_BYTES: dict[str, Schema] = {
    "disk": record({"size": COUNT, "sha256": SHA256, "vhd_sha256": SHA256}),
    "uki": record(
        {
            "authenticode": SHA256,
            "kernel_authenticode": SHA256,
            "stub": described(COUNT, "The version of systemd-stub."),
            "command_line": TEXT,
            "sections": listing(_SECTION),
        }
    ),
    "root": record(
        {
            "hash": SHA256,
            "salt": TEXT,
            "uuid": TEXT,
            "data_blocks": COUNT,
            "block_size": COUNT,
            "algorithm": choice(["sha256"]),
        }
    ),
    "secure_boot": choice(["off"]),
    "pcrs": described(
        record(dict.fromkeys(("4", "8", "9", "11", "12", "13"), SHA256)),
        "After a boot without a config, before workloads.",
    ),
}
_FACTS: dict[str, Schema] = {
    "name": TEXT,
    "version": TEXT,
    "lock_sha256": SHA256,
    "packages": listing(record({"name": TEXT, "version": TEXT, "architecture": TEXT})),
    "units": listing(TEXT),
    "containers": listing(record({"reference": TEXT, "digest": TEXT})),
}
_MANIFEST = nullable(record({"path": TEXT, "sha256": SHA256, "name": TEXT, "version": TEXT}))


def image() -> dict[str, Any]:
    """The manifest of an image."""
    about = "A measured image: the digests of its bytes, and what its builder states."
    return document("ccgpu.image/1", about, {**_BYTES, **_FACTS})


def image_measured() -> dict[str, Any]:
    """What a disk is."""
    return document(
        "ccgpu.image-measured/1",
        "What a disk is, by its bytes, and whether it is that of a manifest.",
        {
            "source": TEXT,
            "same": described(nullable(BOOLEAN), "Null: no manifest was given."),
            "manifest": _MANIFEST,
            "measured": record(_BYTES),
            "differences": listing(record({"field": TEXT, "expected": TEXT, "found": TEXT})),
        },
    )


def image_shown() -> dict[str, Any]:
    """What is inside of an image."""
    known = {"schema": TEXT, **_BYTES, **_FACTS}
    return document(
        "ccgpu.image-shown/1",
        "What is inside an image; without a manifest, what its bytes say.",
        {
            "source": TEXT,
            "manifest": _MANIFEST,
            "image": record(known, ["schema", *_FACTS]),
        },
    )
