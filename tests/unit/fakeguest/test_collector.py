"""The collector of a simulated guest: evidence that is accepted, or refused for its reason."""

import base64
import copy
import json
from itertools import starmap

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ccgpu.attest.gpu import state
from ccgpu.attest.hcl import layout as hcl
from ccgpu.errors import GuestUnreachable
from ccgpu.fakearm import scenarios
from support.guest_evidence import ask, collect, fetch, hardware_of, judge, judge_with
from support.simulated_guests import add_bench, make_bench
from support.slow import mostly_slow
from support.vms import NONCE

_PIECES = [
    *(("cpu", name) for name in ("hcl", "quote", "signature", "event_log", "thim")),
    *(("gpus", name) for name in ("report", "chain", "state_document")),
]
_READY = ["sudo", "-n", "nvidia-smi", "conf-compute", "-srs"]


def _gpu_state(document):
    return state.parse(base64.b64decode(document["gpus"][0]["state_document"]))


@pytest.mark.parametrize("policy", ["default", "cpu-only"])
def test_a_good_guest_is_accepted(bench, policy):
    verdict = judge(bench, collect(bench), policy)
    assert (verdict.reasons, verdict.verdict) == ((), "accepted")


def test_a_good_guest_fails_strict_for_want_of_golden_values_only(bench):
    assert judge(bench, collect(bench), "strict").reasons == ("policy.pins.absent",)


_REFUSED = {
    "devtools": ("policy.gpu.dev-tools",),
    "old-firmware": ("policy.tcb.snp", "policy.tcb.microcode"),
    "old-paravisor": ("policy.guest-svn",),
    "debuggable": ("snp.policy.debug",),
    "gpu-firmware": ("golden.match",),
}


@pytest.mark.parametrize("name", mostly_slow(_REFUSED, 5))
def test_evidence_of_a_bad_state_is_refused_for_that_state(bench, name):
    scenarios.apply(bench.az.arm, name)
    assert judge(bench, collect(bench)).reasons == _REFUSED[name]
    scenarios.apply(bench.az.arm, "usual")
    assert judge(bench, collect(bench)).verdict == "accepted"


_REVOKED = {
    "vendors-revoke-chip": ("snp.crl.authorities",),
    "vendors-revoke-gpu": ("ocsp.revoked",),
}


@pytest.mark.parametrize("name", _REVOKED)
def test_evidence_of_revoked_hardware_is_refused(bench, name):
    document = collect(bench)
    scenarios.apply(bench.az.arm, name)
    assert judge(bench, document).reasons == _REVOKED[name]


def test_without_the_vendors_there_is_no_collateral(bench):
    document = collect(bench)
    scenarios.apply(bench.az.arm, "vendors-down")
    assert judge(bench, document).verdict == "no_verdict"


_SPOTS = 12  # changed bytes in each piece


@pytest.mark.slow
@pytest.mark.parametrize(("part", "name"), mostly_slow(starmap(pytest.param, _PIECES), 4))
def test_a_changed_byte_of_a_piece_is_refused(bench, part, name):
    document = collect(bench)
    fetched = fetch(bench, document)
    assert judge_with(bench, document, fetched).verdict == "accepted"
    holder = document[part] if part == "cpu" else document[part][0]
    raw = base64.b64decode(holder[name])
    for spot in {len(raw) * at // (_SPOTS - 1) for at in range(_SPOTS - 1)} | {len(raw) - 1}:
        changed = raw[:spot] + bytes([raw[spot] ^ 1]) + raw[spot + 1 :]
        holder[name] = base64.b64encode(changed).decode()
        assert judge_with(bench, document, fetched).verdict == "rejected", spot


def test_a_vm_without_secure_boot_is_refused(az):
    body = {"security__uefiSettings__secureBootEnabled": False}
    bench = make_bench(az, **body)
    reasons = judge(bench, collect(bench)).reasons
    assert reasons == ("policy.secure-boot", "policy.secure-boot.measured")


_NO_EVIDENCE = {
    "cc-off": ("gpu.error", 0),
    "driver-skew": ("gpu.error", 0),
    "gpu-missing": ("gpu.absent", 0),
    "host-key-absent": ("host-key.absent", 0),
    "tpm-absent": ("tpm.absent", 0),
    "tpm-error": ("tpm.error", 0),
    "claims-absent": ("claims.absent", 0),
    "claims-malformed": ("claims.malformed", 0),
    "claims-late": ("claims.late", 15),
    "event-log-large": ("event-log.large", 0),
    "gpu-count": ("gpu.count", 0),
    "gpu-hung": ("gpu.hung", 60),
    "imds-error": ("imds.error", 0),
    "imds-slow": ("imds.slow", 10),
    "collector-busy": ("busy", 20),
}


@pytest.mark.parametrize("name", _NO_EVIDENCE)
def test_a_guest_without_evidence_says_why(bench, name):
    scenarios.apply(bench.az.arm, name)
    code, seconds = _NO_EVIDENCE[name]
    before = bench.az.arm.now()
    done = ask(bench)
    document = json.loads(done.stdout)
    assert (done.exit_code, document["schema"]) == (1, "ccgpu.collector-error/1")
    assert (document["code"], bench.az.arm.now() - before) == (code, seconds)
    assert document["message"]


def test_before_the_driver_is_installed_there_is_no_evidence(az):
    bench = make_bench(az, wait=60)
    assert json.loads(ask(bench).stdout)["code"] == "gpu.absent"


@pytest.mark.parametrize(
    "request_",
    [
        *("", "{", "[]", "{}", '{"nonce":"00","release":false}', '{"nonce":1,"release":false}'),
        json.dumps({"nonce": NONCE.hex(), "release": 0}),
        json.dumps({"nonce": NONCE.hex() + "00", "release": False}),
        json.dumps({"nonce": NONCE.hex(), "release": False, "vm_id": "x"}),
        json.dumps({"nonce": NONCE.hex(), "release": False, "host_key": "x"}),
    ],
)
def test_a_request_with_anything_but_a_nonce_is_refused(bench, request_):
    argv = ["sudo", "-n", "python3", "-I", "-S", "-", "ccgpu-collect", request_]
    done = bench.channel.run(argv, timeout=5)
    assert (done.exit_code, json.loads(done.stdout)["code"]) == (1, "request")


def test_only_root_reaches_the_tpm(bench):
    request = json.dumps({"nonce": NONCE.hex(), "release": False})
    done = bench.channel.run(["python3", "-I", "-S", "-", "ccgpu-collect", request], timeout=5)
    assert (done.exit_code, json.loads(done.stdout)["code"]) == (1, "tpm.error")


@pytest.mark.parametrize("nonce", [bytes(32), NONCE[:-1] + b"\x00", NONCE[::-1]])
def test_evidence_for_another_nonce_is_refused(bench, nonce):
    reasons = judge(bench, collect(bench, nonce)).reasons
    assert {"freshness.nonce.other", "vtpm.nonce.other", "gpu.nonce.other"} <= set(reasons)


def test_the_ready_state_is_reported_and_lost_at_a_boot(bench):
    assert _gpu_state(collect(bench)).ready is False
    assert bench.channel.run([*_READY, "1"], timeout=5).exit_code == 0
    document = collect(bench)
    assert _gpu_state(document).ready is True
    assert judge(bench, document).verdict == "accepted"
    bench.reboot(wait=600)
    assert _gpu_state(collect(bench)).ready is False


def test_collecting_leaves_the_ready_state_alone(bench):
    before = bench.texts()["ready"]
    collect(bench)
    assert bench.texts()["ready"] == before
    bench.channel.run([*_READY, "1"], timeout=5)
    ready = bench.texts()["ready"]
    collect(bench)
    assert (bench.texts()["ready"], ready != before) == (ready, True)


@pytest.mark.slow
def test_a_recipient_key_is_made_only_for_a_release_and_is_bound(bench):
    assert collect(bench)["recipient_key"] == ""
    first, second = (collect(bench, release=True) for _ in range(2))
    assert len(base64.b64decode(first["recipient_key"])) == 32
    assert first["recipient_key"] != second["recipient_key"]
    assert judge(bench, first).verdict == "accepted"
    with hardware_of(bench) as hardware:
        kept = json.loads(hardware.guest.machine.rows.fact("recipient-key") or "{}")
        assert kept["boot_id"] == hardware.guest.boot_id
    private = X25519PrivateKey.from_private_bytes(bytes.fromhex(kept["key"]))
    public = base64.b64encode(private.public_key().public_bytes_raw()).decode()
    assert public == second["recipient_key"]
    swapped = {**first, "recipient_key": second["recipient_key"]}
    assert "hcl.user-data.other" in judge(bench, swapped).reasons


@pytest.mark.parametrize(("part", "name"), mostly_slow(starmap(pytest.param, _PIECES), 4))
def test_a_piece_of_another_answer_of_the_same_vm_is_refused(bench, part, name):
    document, other = copy.deepcopy(collect(bench)), collect(bench, bytes(32))
    bench.channel.run([*_READY, "1"], timeout=5)
    later = collect(bench)
    source = later if name in ("state_document", "event_log") else other
    mine, theirs = (one[part] if part == "cpu" else one[part][0] for one in (document, source))
    if name == "event_log":  # of this boot there is but one: cut its last byte off
        theirs = {name: base64.b64encode(base64.b64decode(mine[name])[:-1]).decode()}
    assert mine[name] != theirs[name]
    mine[name] = theirs[name]
    assert judge(bench, document).verdict == "rejected"


def _identity(bench):
    """PCR values, chip, GPU and attestation key."""
    document = collect(bench)
    claims = base64.b64decode(document["cpu"]["hcl"])[hcl.RUNTIME_START :]
    keys = json.loads(claims[hcl.RUNTIME_HEADER_SIZE :].rstrip(b"\0"))["keys"]
    facts = judge(bench, document).facts
    return document["cpu"]["pcrs"], facts["chip id"], facts["GPU ueid"], keys


@pytest.mark.slow
def test_a_vm_keeps_its_keys_over_boots_and_has_its_own(bench):
    pcrs, *mine = _identity(bench)
    other_pcrs, *theirs = _identity(add_bench(bench.az, "other"))
    assert all(one != other for one, other in zip(mine, theirs, strict=True))
    assert {index for index in pcrs if pcrs[index] != other_pcrs[index]} == {"6", "10", "15"}
    bench.reboot(wait=600)
    assert _identity(bench) == (pcrs, *mine)


def test_the_collector_is_the_only_other_input_for_a_vm_that_is_not_known(bench):
    stranger = bench.pinned(None)
    assert ask(stranger).exit_code == 0
    with pytest.raises(GuestUnreachable):
        stranger.channel.run(["sudo", "-n", "python3", "-", "other", "{}"], b"x", timeout=5)


def test_evidence_is_as_good_after_years_of_virtual_time(bench):
    bench.az.arm.advance(3 * 365 * 86400)
    assert judge(bench, collect(bench)).verdict == "accepted"
