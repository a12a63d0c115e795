"""The challenge: each situation of caller, evidence and policy, check by check with both sides."""

from dataclasses import replace

import pytest

from ccgpu.attest import binding, freshness
from ccgpu.attest.check import Checks
from ccgpu.attest.freshness import Challenge
from ccgpu.attest.identity import CallerContext, Identity, resolve_identity
from ccgpu.domain import hostkey
from ccgpu.domain.evidence import Evidence, GpuEvidence, UnverifiedContext
from ccgpu.store import policies
from support.vms import HOST_KEY, NONCE

VM_ID, OTHER_ID = "AAAA0000-0000-4000-8000-000000000001", "bbbb0000-0000-4000-8000-000000000002"
KEY, OTHER_KEY = hostkey.sha256(HOST_KEY), b"\x09" * 32
SHOWN, OTHER_SHOWN = hostkey.fingerprint(KEY), hostkey.fingerprint(OTHER_KEY)
RECIPIENT = b"\x05" * 32
MAKER = "only the word of the evidence's maker"
CLAIMED = UnverifiedContext(NONCE, "ccgpu-bind-v1", HOST_KEY, RECIPIENT, VM_ID)
SILENT = UnverifiedContext(None)
B = binding.binding_of_digest(NONCE, KEY, RECIPIENT, VM_ID)

BARE, BOUND = policies.load("cpu-only"), policies.load("default")


def _asked(claimed, caller, policy=BARE, *gpu_nonces, **changes):
    """The challenge, and each check as `id: (ok, expected, actual)`."""
    checks = Checks()
    gpus = tuple(GpuEvidence("HOPPER", b"", b"", nonce) for nonce in gpu_nonces)
    evidence = Evidence("bundle", claimed=claimed, gpus=gpus)
    policy = policy.model_copy(update=changes)
    challenge = freshness.build_challenge(evidence, caller, policy, checks)
    return challenge, {made.id: (made.ok, made.expected, made.actual) for made in checks.made}


def _is_bound(vm_id=VM_ID, key=SHOWN, size=32):
    """What is checked of the parts of B."""
    return {
        "binding.nonce.size": (size == 32, "32 bytes", f"{size} bytes"),
        "binding.host-key.absent": (key != "absent", "a host key", key),
        "binding.vm-id.absent": (vm_id != "absent", "a GUID", vm_id),
    }


def _has_nonce(nonce=NONCE, least="32 bytes or more", enough=True):
    return {
        "freshness.nonce.absent": (True, "a nonce", nonce.hex()),
        "freshness.nonce.short": (enough, least, f"{len(nonce)} bytes"),
    }


NO_NONCE = {"freshness.nonce.absent": (False, "a nonce", "absent")}


def test_a_bare_nonce_of_the_maker_is_present_and_long_enough():
    plain = UnverifiedContext(NONCE)
    assert _asked(plain, CallerContext()) == (Challenge(NONCE, None), _has_nonce())
    assert _asked(SILENT, CallerContext()) == (Challenge(None, None), NO_NONCE)
    assert _asked(UnverifiedContext(b""), CallerContext()) == (Challenge(None, None), NO_NONCE)


@pytest.mark.parametrize("size", [1, 31, 32, 33, 64])
def test_a_nonce_has_32_bytes_unless_the_policy_loosens_that(size):
    nonce = b"\x01" * size
    of_it = UnverifiedContext(nonce)
    held = size >= 32

    strict, loose = (
        _asked(of_it, CallerContext()),
        _asked(of_it, CallerContext(), unsafe_short_nonce=True),
    )
    assert strict == (Challenge(nonce, None), _has_nonce(nonce, enough=held))
    assert loose == (Challenge(nonce, None), _has_nonce(nonce, "1 byte or more (unsafe)"))


def test_the_nonce_of_a_gpu_counts_where_the_maker_names_none():
    other = b"\x02" * 32
    found, made = _asked(SILENT, CallerContext(), BARE, None, b"", other, NONCE)
    assert (found, made) == (Challenge(other, None), _has_nonce(other))
    assert _asked(UnverifiedContext(NONCE), CallerContext(), BARE, other)[0].nonce == NONCE


def test_the_nonce_of_the_caller_goes_first_and_must_be_the_makers_too():
    other = b"\x02" * 32
    caller = CallerContext(nonce=other)
    differs = {"freshness.nonce.other": (False, other.hex(), NONCE.hex())}
    same = {"freshness.nonce.other": (True, NONCE.hex(), NONCE.hex())}

    assert _asked(UnverifiedContext(NONCE), caller) == (
        Challenge(other, None),
        _has_nonce(other) | differs,
    )
    assert _asked(UnverifiedContext(NONCE), CallerContext(nonce=NONCE))[1] == _has_nonce() | same
    assert _asked(SILENT, caller) == (Challenge(other, None), _has_nonce(other))
    empty = _asked(UnverifiedContext(NONCE), CallerContext(nonce=b""))
    assert empty == (
        Challenge(None, None),
        {"freshness.nonce.absent": (False, "a nonce", "(empty)")},
    )


@pytest.mark.parametrize(
    ("claimed", "earlier", "named"),
    [
        (NONCE[:31], False, {"length": (False, "32 bytes", "31 bytes")}),
        (NONCE + b"\0", False, {"length": (False, "32 bytes", "33 bytes")}),
        (NONCE[:8] + b"\xff" * 24, False, {"prefix": ...}),
        (NONCE[:-1] + b"\xff", True, {"prefix": ..., "earlier": ...}),
        (NONCE[:7] + b"\xff" * 25, False, {}),
        (b"\x02" * 32, True, {"earlier": ...}),
        (NONCE[:8], True, {"length": (False, "32 bytes", "8 bytes"), "earlier": ...}),
    ],
    ids=["short", "long", "prefix", "last-byte", "no-prefix", "earlier", "start"],
)
def test_another_nonce_is_refused_with_what_is_known_of_it(claimed, earlier, named):
    caller = CallerContext(nonce=NONCE, answers_earlier=earlier)
    _, made = _asked(UnverifiedContext(claimed), caller)
    differs = (False, NONCE.hex(), claimed.hex())
    told = {name: differs if value is ... else value for name, value in named.items()}
    explained = {f"freshness.nonce.{name}": value for name, value in told.items()}
    assert made == _has_nonce() | {"freshness.nonce.other": differs} | explained


def test_the_right_nonce_is_of_no_earlier_challenge():
    _, made = _asked(UnverifiedContext(NONCE), CallerContext(nonce=NONCE, answers_earlier=True))
    assert "freshness.nonce.earlier" not in made


def test_a_bare_nonce_may_be_asked_of_one_vm():
    caller = CallerContext(vm_id=VM_ID)
    named = UnverifiedContext(NONCE, vm_id=VM_ID.lower())
    agrees = {"identity.vm-id.other": (True, VM_ID, VM_ID.lower())}

    assert _asked(UnverifiedContext(NONCE), caller) == (
        Challenge(NONCE, None, VM_ID),
        _has_nonce(),
    )
    assert _asked(named, caller) == (Challenge(NONCE, None, VM_ID), _has_nonce() | agrees)
    assert _asked(named, CallerContext()) == (Challenge(NONCE, None), _has_nonce())


def test_a_bound_challenge_is_made_of_what_the_caller_knows():
    caller = CallerContext(NONCE, VM_ID, KEY)
    challenge, made = _asked(CLAIMED, caller, BOUND)

    assert challenge == Challenge(NONCE, B, VM_ID, KEY)
    assert made == {
        **_has_nonce(),
        "freshness.nonce.unknown": (True, "a nonce", NONCE.hex()),
        "freshness.nonce.other": (True, NONCE.hex(), NONCE.hex()),
        "identity.vm-id.unknown": (True, "a vmId", VM_ID),
        "identity.host-key.unknown": (True, "an SSH host key", SHOWN),
        "identity.vm-id.other": (True, VM_ID, VM_ID),
        "identity.host-key.other": (True, SHOWN, SHOWN),
        "binding.kind": (True, "ccgpu-bind-v1", "ccgpu-bind-v1"),
        **_is_bound(),
    }


def test_values_of_the_caller_replace_those_of_the_maker():
    caller = CallerContext(NONCE, OTHER_ID, OTHER_KEY)
    challenge, made = _asked(CLAIMED, caller, BOUND)

    bound = binding.binding_of_digest(NONCE, OTHER_KEY, RECIPIENT, OTHER_ID)
    assert challenge == Challenge(NONCE, bound, OTHER_ID, OTHER_KEY)
    assert made["identity.vm-id.other"] == (False, OTHER_ID, VM_ID)
    assert made["identity.host-key.other"] == (False, OTHER_SHOWN, SHOWN)


@pytest.mark.parametrize("trusted", [True, False])
def test_the_makers_word_is_called_that_and_counts_only_if_the_policy_says_so(trusted):
    loose = {"unsafe_trust_bundle_nonce": trusted, "unsafe_trust_bundle_identity": trusted}
    challenge, made = _asked(CLAIMED, CallerContext(), BOUND, **loose)

    assert challenge == Challenge(NONCE, B, VM_ID, KEY)
    assert made == {
        **_has_nonce(),
        "freshness.nonce.unknown": (trusted, "a nonce", MAKER),
        "identity.vm-id.unknown": (trusted, "a vmId", MAKER),
        "identity.host-key.unknown": (trusted, "an SSH host key", MAKER),
        "binding.kind": (True, "ccgpu-bind-v1", "ccgpu-bind-v1"),
        **_is_bound(),
    }


def test_what_nobody_names_is_absent():
    challenge, made = _asked(SILENT, CallerContext(), BOUND)

    assert challenge == Challenge(None, None)
    assert made == {
        **NO_NONCE,
        "freshness.nonce.unknown": (False, "a nonce", "absent"),
        "identity.vm-id.unknown": (False, "a vmId", "absent"),
        "identity.host-key.unknown": (False, "an SSH host key", "absent"),
        "binding.kind": (False, "ccgpu-bind-v1", "nonce"),
        **_is_bound("absent", "absent", 0),
    }


def test_a_host_key_of_the_caller_demands_a_binding_whatever_the_policy():
    caller = CallerContext(NONCE, VM_ID, KEY)
    made = _asked(UnverifiedContext(NONCE), caller)[1]
    assert made["binding.kind"] == (False, "ccgpu-bind-v1", "nonce")

    without_key = _asked(UnverifiedContext(NONCE), replace(caller, host_key=None))[1]
    assert "binding.kind" not in without_key


def test_evidence_that_says_it_is_bound_is_held_to_it_where_a_bare_nonce_suffices():
    challenge, made = _asked(CLAIMED, CallerContext())

    assert challenge == Challenge(NONCE, B, VM_ID, KEY)
    assert made == _has_nonce() | _is_bound()


@pytest.mark.parametrize("size", [31, 33])
def test_only_32_bytes_are_bound(size):
    nonce = b"\x01" * size
    challenge, made = _asked(replace(CLAIMED, nonce=nonce), CallerContext())

    assert challenge == Challenge(nonce, None, VM_ID, KEY)
    assert made["binding.nonce.size"] == (False, "32 bytes", f"{size} bytes")


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"vm_id": None}, _is_bound(vm_id="absent")),
        ({"host_key": None}, _is_bound(key="absent")),
        ({"host_key": b""}, _is_bound(key="absent")),
    ],
)
def test_nothing_is_bound_without_each_part(changes, shown):
    challenge, made = _asked(replace(CLAIMED, **changes), CallerContext())

    assert challenge.binding is None
    assert made == _has_nonce() | shown


def test_a_gpu_answers_the_challenge_or_what_is_derived_of_it():
    assert freshness.gpu_nonce(Challenge(NONCE, None), None) == NONCE
    assert freshness.gpu_nonce(Challenge(NONCE, B), None) is None


@pytest.mark.parametrize("policy", [BARE, BOUND])
def test_an_identity_is_the_callers_else_the_makers_part_by_part(policy):
    for caller, identity in (
        (CallerContext(), Identity(VM_ID, KEY)),
        (CallerContext(vm_id=OTHER_ID), Identity(OTHER_ID, KEY)),
        (CallerContext(host_key=OTHER_KEY), Identity(VM_ID, OTHER_KEY)),
        (CallerContext(vm_id=OTHER_ID, host_key=OTHER_KEY), Identity(OTHER_ID, OTHER_KEY)),
    ):
        assert resolve_identity(CLAIMED, caller, policy, Checks()) == identity
    assert resolve_identity(SILENT, CallerContext(), policy, Checks()) == Identity(None, None)
