"""The documents of verdicts: verify, verify --each, attest, attest --every."""

from typing import Any, get_args

from ccgpu.attest.appraisal import Verdict
from ccgpu.attest.trust_basis import TrustSource
from ccgpu.views.schemas.words import (
    BOOLEAN,
    COUNT,
    HEX,
    NUMBER,
    SHA256,
    TEXT,
    TIME,
    Schema,
    choice,
    described,
    document,
    listing,
    mapping,
    nullable,
    record,
)

VERDICT = choice(get_args(Verdict))
_POLICY_FILE = record(
    {
        "path": TEXT,
        "sha256": SHA256,
        "reserved_name": described(BOOLEAN, "Whether a policy that ships has its name."),
        "loosened": described(mapping(TEXT), "Field by field, with both values."),
    }
)
_EVENT = record(
    {
        "pcr": COUNT,
        "what": TEXT,
        "detail": TEXT,
        "sha256": SHA256,
        "replayed": described(BOOLEAN, "Whether the log leads to the quoted PCR."),
    }
)
_MODEL = record({"repository": TEXT, "commit": TEXT, "manifest": TEXT})
_WORKLOAD = record(
    {
        "name": TEXT,
        "image": TEXT,
        "image_digest": TEXT,
        "command": listing(TEXT),
        "mounts": listing(TEXT),
        "model": nullable(_MODEL),
        "environment": described(listing(TEXT), "Names of variables."),
        "sha256": described(SHA256, "What PCR 13 was extended with."),
        "replayed": BOOLEAN,
    }
)
_CHECK = record(
    {
        "id": described(TEXT, "Reason code: docs/verifier-checks.md."),
        "what": TEXT,
        "ok": BOOLEAN,
        "expected": TEXT,
        "actual": TEXT,
        "source": described(TEXT, "The specification that demands it."),
    }
)
_JUDGED: dict[str, Schema] = {
    "verdict": VERDICT,
    "simulated": described(BOOLEAN, "Whether it proves nothing of any hardware."),
    "policy": TEXT,
    "policy_file": nullable(_POLICY_FILE),
    "loosened": listing(TEXT),
    "at": TIME,
    "unsafe": listing(TEXT),
    "reasons": described(listing(TEXT), "The ids of the checks that failed."),
    "rests_on": described(
        listing(record({"what": TEXT, "whose": choice(get_args(TrustSource))})),
        "The inputs that are taken on trust.",
    ),
    "not_proven": listing(TEXT),
    "facts": described(mapping(TEXT), "What the evidence states of itself."),
    "events": listing(_EVENT),
    "workloads": listing(_WORKLOAD),
    "checks": listing(_CHECK),
}
_SHOWN: dict[str, Schema] = {
    "to_do": described(mapping(TEXT), "What to do about a failed check, by its id."),
    "format": described(TEXT, "The format of the evidence."),
    "ignored": described(listing(TEXT), "Files that were not read."),
}
_ERROR = record({"code": TEXT, "message": TEXT, "hint": nullable(TEXT)})


def verdict() -> dict[str, Any]:
    """The verdict of `verify`; `--sign` and bundles have it without the members of a screen."""
    return document(
        "ccgpu.verdict/1",
        "A verdict, and every check behind it. What is signed has no to_do, format and ignored.",
        {**_JUDGED, **_SHOWN},
        optional=_SHOWN,
    )


def verdicts() -> dict[str, Any]:
    """The verdicts of `verify --each`."""
    head: dict[str, Schema] = {
        "schema": {"const": "ccgpu.verdict/1"},
        "source": TEXT,
        "exit_code": COUNT,
    }
    judged = record({**head, **_JUDGED, **_SHOWN})
    failed = record({**head, "verdict": {"type": "null"}, "error": nullable(_ERROR)})
    counts = {"accepted": COUNT, "rejected": COUNT, "no_verdict": COUNT, "not_judged": COUNT}
    return document(
        "ccgpu.verdicts/1",
        "One verdict for each evidence; `error` says why one has none at all.",
        {
            "exit_code": COUNT,
            "counts": record(counts),
            "verdicts": listing({"oneOf": [judged, failed]}),
        },
    )


def attest() -> dict[str, Any]:
    """The verdict of `attest`."""
    seconds = record({"collect": NUMBER, "collateral": NUMBER, "verify": NUMBER})
    more: dict[str, Schema] = {
        "name": described(nullable(TEXT), "The deployment; null for `--host`."),
        "host": nullable(TEXT),
        "vm_id": nullable(TEXT),
        "nonce": HEX,
        "host_key": described(TEXT, "Fingerprint, as OpenSSH shows it."),
        "known_hosts": described(nullable(TEXT), "A line of known_hosts, for `--host`."),
        "gpu_ready": BOOLEAN,
        "bundle": described(nullable(TEXT), "Path of the evidence on this machine."),
        "pins": described(nullable(TEXT), "Path of the golden PCR values."),
        "until": described(nullable(TIME), "When it is too old for its policy."),
        "seconds": seconds,
    }
    return document(
        "ccgpu.attest/1",
        "All members of ccgpu.verdict/1, and how the VM was asked.",
        {**_JUDGED, **_SHOWN, **more},
    )


def attest_round() -> dict[str, Any]:
    """A round of `attest --every`."""
    return document(
        "ccgpu.attest-round/1",
        "One round of `attest --every`, on one line.",
        {
            "round": COUNT,
            "name": TEXT,
            "time": TIME,
            "verdict": VERDICT,
            "simulated": BOOLEAN,
            "reasons": listing(TEXT),
            "policy": nullable(TEXT),
            "until": nullable(TIME),
            "gpu_ready": BOOLEAN,
            "bundle": nullable(TEXT),
            "exit_code": COUNT,
            "error": nullable(record({"code": TEXT, "message": TEXT})),
            "next_at": described(nullable(TIME), "Null: this was the last round."),
        },
    )
