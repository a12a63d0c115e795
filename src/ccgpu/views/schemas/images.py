"""The documents of measured images: the manifest, and what a disk is."""

from typing import Any

from ccgpu.views.schemas.words import (
    BOOLEAN,
    COUNT,
    NUMBER,
    SHA256,
    TEXT,
    Schema,
    choice,
    described,
    document,
    listing,
    mapping,
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
_LISTS = ("packages", "units", "containers")
_MANIFEST = nullable(record({"path": TEXT, "sha256": SHA256, "name": TEXT, "version": TEXT}))


def image() -> dict[str, Any]:
    """The manifest of an image."""
    about = "A measured image: the digests of its bytes, and what its builder states."
    return document("ccgpu.image/1", about, {**_BYTES, **_FACTS})


def guest_config() -> dict[str, Any]:
    """The config that a VM of a measured image is given."""
    keys = listing(described(TEXT, "A public key, as OpenSSH writes it, without options."))
    return document(
        "ccgpu.guest-config/1",
        "The config of a measured image's guest, which the VM measures into PCR 8. It is public.",
        {
            "user": described(TEXT, "Who may log in, with sudo."),
            "ssh_keys": keys,
            "ssh_ca": described(keys, "Keys that sign certificates for that user."),
            "policy_sha256": described(SHA256, "The policy that the owner judges by."),
        },
        optional=("ssh_keys", "ssh_ca", "policy_sha256"),
    )


def image_built() -> dict[str, Any]:
    """What a build has made."""
    return document(
        "ccgpu.image-built/1",
        "A measured image that was built: its files, and the PCRs that it leads to.",
        {
            "name": TEXT,
            "version": TEXT,
            **dict.fromkeys(("disk", "manifest", "lock"), described(TEXT, "A path.")),
            "lock_sha256": SHA256,
            "vhd_sha256": SHA256,
            "packages": COUNT,
            "pcrs": _BYTES["pcrs"],
            "seconds": NUMBER,
        },
    )


def image_lock() -> dict[str, Any]:
    """The lock of an image."""
    part = record(
        {
            **dict.fromkeys(("name", "version"), TEXT),
            "architecture": choice(["amd64", "all"]),
            "path": described(TEXT, "Below a source."),
            "size": COUNT,
            "sha256": SHA256,
            "use": choice(["root", "boot"]),
        }
    )
    return document(
        "ccgpu.image-lock/1",
        "Every package and container image of a measured image, by its bytes.",
        {
            "suite": TEXT,
            "asked": listing(TEXT),
            "epoch": described(COUNT, "The time that files of the build get, since 1970."),
            "programs": mapping(TEXT),
            "packages": listing(part),
            "driver": described(nullable(TEXT), "The version of the GPU driver."),
            "containers": listing(
                record(
                    {
                        "repository": TEXT,
                        "digest": described(TEXT, "That of the recipe."),
                        "manifest": described(TEXT, "That of the manifest for amd64."),
                    }
                )
            ),
        },
    )


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
            "inside": described(
                nullable(record({each: _FACTS[each] for each in _LISTS})),
                "What the root file system lists, by its bytes; null if a manifest is shown.",
            ),
        },
    )


def image_publication() -> dict[str, Any]:
    """A version of a gallery's image."""
    copy = record(
        {
            "region": TEXT,
            "state": described(TEXT, "As Azure says it: Completed, Replicating, Failed, Unknown."),
            "progress": nullable(COUNT),
            "details": nullable(TEXT),
            "replicas": described(COUNT, "Copies that the region shall have."),
        }
    )
    return document(
        "ccgpu.image-publication/1",
        "A measured image as a version in a gallery.",
        {
            "action": choice(["published", "extended", "updated", "unchanged"]),
            **dict.fromkeys(("gallery", "definition", "version"), described(TEXT, "An ARM id.")),
            "name": TEXT,
            "image_version": TEXT,
            "manifest": described(TEXT, "A path."),
            "manifest_sha256": SHA256,
            "vhd_sha256": SHA256,
            "vhd_size": described(COUNT, "Bytes, with the footer."),
            "sent_bytes": described(COUNT, "Uploaded by this command."),
            "replicas": described(COUNT, "Copies in the first region."),
            "regions": listing(copy),
        },
    )
