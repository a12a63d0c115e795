"""`ccgpu attest --host`: machines that ccgpu did not create, and what is refused."""

import json
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ccgpu.domain import hostkey
from ccgpu.errors import GuestUnreachable
from ccgpu.guest.channel import Completed
from support.attesting import Attester, WrappedChannel, another_machine, make_demo, open_now
from support.cloud import make_backend
from support.foreign_vm import ForeignVm
from support.slow import mostly_slow

_OTHER_KEY = bytes.fromhex("0000000b7373682d6564323535313900000020") + b"\x5a" * 32
_OTHER_PRINT = hostkey.fingerprint(hostkey.sha256(_OTHER_KEY))


@pytest.fixture
def foreign(shell, prepared, tmp_path) -> ForeignVm:
    """A VM of somebody else's deployment."""
    return ForeignVm(Attester(prepared(shell, make_demo)), another_machine(tmp_path, shell.arm))


def _through(foreign, wrap):
    """The user's machine, with other channels."""

    def backend(_):
        made = make_backend(foreign.shell.arm, foreign.shell.state)

        @contextmanager
        def channels(target):
            yield wrap(made.channels, target)

        return replace(made, channels=channels)

    return replace(foreign.shell, backend=backend)


@pytest.mark.slow
def test_an_accepted_machine_gets_its_gpu_set_ready_and_its_key_is_told(foreign):
    address, vm_id = foreign.address, foreign.vm_id
    requests = len(foreign.shell.arm.show()["requests"])

    done = foreign.shell(
        f"attest --host azureuser@{address} --vm-id {vm_id.upper()} --backend fake -o json"
    )

    assert done.code == 0, done
    answer = done.document
    assert (answer["verdict"], answer["simulated"]) == ("accepted", True)
    assert (answer["name"], answer["host"]) == (None, f"azureuser@{address}")
    assert (answer["vm_id"], answer["bundle"], answer["gpu_ready"]) == (vm_id, None, True)
    name, *_ = answer["known_hosts"].split()
    assert name == address
    blob = hostkey.parse(answer["known_hosts"].encode())
    assert hostkey.fingerprint(hostkey.sha256(blob)) == answer["host_key"]
    assert len(foreign.shell.arm.show()["requests"]) == requests  # nobody asked Azure
    assert foreign.owner.ready


@pytest.mark.slow
def test_nothing_is_recorded_but_the_challenge(foreign):
    assert foreign().code == 0
    files = [path for path in foreign.shell.state.rglob("*") if path.is_file()]
    assert [path.parent.name for path in files] == ["challenges"]
    assert foreign.owner.shown["attestation"] is None


@pytest.mark.slow
@pytest.mark.parametrize(("scenario", "end"), [(None, "done"), ("devtools", "failed")])
def test_the_stream_of_events_tells_beginning_and_end(foreign, scenario, end):
    if scenario is not None:
        foreign.owner.scenario(scenario)
    events = [one for one in foreign("--events ndjson").events if one.get("action") == "attest"]
    host = f"attest azureuser@{foreign.address}"
    assert [(one["what"], one["text"]) for one in events] == [("begin", host), (end, host)]


@pytest.mark.slow
def test_neither_sign_in_nor_subscription_is_needed(foreign):
    def backend(_):
        def session():
            raise AssertionError("nobody signs in")

        return replace(make_backend(foreign.shell.arm, foreign.shell.state), session=session)

    shell = replace(foreign.shell, backend=backend)
    assert foreign.attest(f"--vm-id {foreign.vm_id}", shell).code == 0


@pytest.mark.slow
def test_without_the_vm_id_there_is_a_verdict_and_it_is_no(foreign):
    done = foreign.attest("")
    assert done.code == 9
    assert done.document["reasons"] == ["identity.vm-id.unknown"]
    assert (done.document["vm_id"], done.document["known_hosts"]) == (None, None)
    assert "ccgpu" not in done.error["hint"]
    assert not foreign.owner.ready


@pytest.mark.slow
def test_a_machine_with_another_vm_id_is_rejected(foreign):
    """A relay to another genuine VM, which answers with its own host key, passes all else."""
    done = foreign.attest("--vm-id 00000000-0000-4000-8000-000000000001")
    assert done.code == 9
    assert {"policy.vm-id", "identity.vm-id.other"} <= {*done.document["reasons"]}
    assert not foreign.owner.ready


@pytest.mark.slow
@pytest.mark.parametrize("as_file", mostly_slow([True, False], 2), ids=["file", "fingerprint"])
def test_a_pinned_host_key_has_to_be_shown(foreign, as_file):
    shown = foreign().document
    file = foreign.shell.folder / "host.pub"
    file.write_text(shown["known_hosts"])
    pin = str(file) if as_file else shown["host_key"]
    assert foreign(f"--host-key {pin}").code == 0

    before = len([*foreign.shell.state.glob("challenges/*")])
    file.write_bytes(_OTHER_KEY)
    pin = str(file) if as_file else _OTHER_PRINT
    done = foreign(f"--host-key {pin}")
    assert done.code == 9
    assert "WRONG HOST KEY" in done.error["message"]
    sent = "Nothing was sent" if as_file else "Nothing but a public script was sent"
    assert sent in done.error["message"]
    assert len([*foreign.shell.state.glob("challenges/*")]) == before  # it was not asked


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("--host-key SHA256:short", 2, "is not a fingerprint"),
        ("--host-key nosuch.pub", 3, "cannot be read"),
        ("--reachable", 2, "--reachable is for deployments"),
        ("--nonce 5a", 2, "--nonce is for --evidence"),
        ("-g mine", 2, "--resource-group is for deployments"),
        ("--evidence b.json", 2, "exclude each other"),
        ("--policy gpu-only", 2, "does not look at the CPU"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_sent(foreign, words, code, message):
    done = foreign(words)
    assert done.code == code
    assert message in done.error["message"]
    assert not list(foreign.shell.state.glob("challenges/*"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "say what to attest"),
        ("demo --host me@10.0.0.4", "exclude each other"),
        ("demo --vm-id 00000000-0000-4000-8000-000000000001", "Azure tells those"),
        (f"demo --host-key {_OTHER_PRINT}", "Azure tells those"),
        ("demo --nonce 5a", "--nonce is for --evidence"),
        ("--host 10.0.0.4", "is not user@address"),
        ("--host me@10.0.0.4 --vm-id 5", "is not a vmId"),
    ],
)
def test_what_is_to_be_attested_is_said_once_and_clearly(shell, line, message):
    done = shell(f"attest {line} --backend fake -o json")
    assert done.code == 2
    assert message in done.error["message"]
    assert shell.arm.show()["requests"] == []


@pytest.mark.parametrize(
    ("scenario", "code"),
    [("devtools", 9), ("old-firmware", 9), ("tpm-absent", 8), ("gpu-missing", 8)],
)
def test_a_machine_that_is_not_accepted_gets_nothing(foreign, scenario, code):
    foreign.owner.scenario(scenario)
    done = foreign()
    assert done.code == code, done
    assert "ccgpu delete" not in str(done.error["hint"])
    assert not foreign.owner.ready


@pytest.mark.slow
def test_evidence_is_judged_by_the_roots_of_the_simulation_not_by_those_it_brings(foreign):
    """A real machine brings none, and is judged by the simulated vendors all the same."""

    def wrap(channels, target):
        inner = open_now(channels, target)

        def run(argv, stdin, timeout):
            done = inner.run(argv, stdin, timeout=timeout)
            if "ccgpu-collect" not in argv:
                return done
            document = json.loads(done.stdout)
            del document["simulated_roots"]
            return Completed(0, json.dumps(document).encode(), b"")

        return WrappedChannel(inner, run)

    done = foreign.attest(f"--vm-id {foreign.vm_id}", _through(foreign, wrap))
    assert done.code == 0, done


@pytest.mark.slow
def test_a_man_in_the_middle_with_a_key_of_his_own_is_rejected(foreign):
    def wrap(channels, target):
        inner = open_now(channels, target)
        return WrappedChannel(inner, lambda a, i, t: inner.run(a, i, timeout=t), _OTHER_KEY)

    done = foreign.attest(f"--vm-id {foreign.vm_id}", _through(foreign, wrap))
    assert done.code == 9
    assert {"identity.host-key.other", "hcl.user-data.other"} <= {*done.document["reasons"]}
    assert not foreign.owner.ready


@pytest.mark.slow
def test_a_machine_without_sudo_is_told_what_it_needs(foreign):
    def wrap(channels, target):
        inner = open_now(channels, target)

        def run(argv, stdin, timeout):
            if "ccgpu-collect" in argv:
                return Completed(127, b"", b"timeout: failed to run command 'sudo'")
            return inner.run(argv, stdin, timeout=timeout)

        return WrappedChannel(inner, run)

    done = foreign.attest(f"--vm-id {foreign.vm_id}", _through(foreign, wrap))
    assert done.code == 8
    assert "failed to run command 'sudo'" in done.error["message"]
    assert "`sudo` without a password" in done.error["hint"]


@pytest.mark.slow
def test_a_gpu_that_does_not_become_ready_is_an_error_beside_the_verdict(foreign):
    def wrap(channels, target):
        inner = open_now(channels, target)

        def run(argv, stdin, timeout):
            if "-srs" in argv:
                return Completed(4, b"", b"Insufficient Permissions")
            return inner.run(argv, stdin, timeout=timeout)

        return WrappedChannel(inner, run)

    done = foreign.attest(f"--vm-id {foreign.vm_id}", _through(foreign, wrap))
    assert done.code == 10
    assert done.document["gpu_ready"] is False
    assert "Insufficient Permissions" in done.error["message"]
    assert done.error["hint"] is None


@pytest.mark.parametrize(
    ("host", "message"),
    [("azureuser@203.0.113.99", "no VM has this address"), ("root@{}", "refuses the user root")],
)
def test_a_machine_that_cannot_be_reached_is_named(foreign, host, message):
    where = host.format(foreign.address)
    done = foreign.shell(f"attest --host {where} --backend fake -o json")
    assert done.code == 10
    assert message in done.error["message"]


def test_a_machine_that_does_not_answer_is_waited_for_a_minute_not_as_long_as_a_boot(foreign):
    def wrap(channels, target):
        def run(*_):
            raise GuestUnreachable("Connection refused", transient=True)

        return WrappedChannel(open_now(channels, target), run)

    began = foreign.shell.arm.clock.now()
    done = foreign.attest("", _through(foreign, wrap))
    assert done.code == 10
    assert 30 < foreign.shell.arm.clock.now() - began <= 60


@pytest.mark.slow
def test_the_way_that_is_given_is_the_way_that_is_taken(foreign):
    targets = []
    key = foreign.shell.folder / "id"
    key.write_text("a key\n")

    def wrap(channels, target):
        targets.append(target)
        return open_now(channels, target)

    words = f"-i {key} --jump me@bastion --vm-id {foreign.vm_id}"
    assert foreign.attest(words, _through(foreign, wrap)).code == 0
    first = targets[0]
    assert (first.deployment, first.host_key, first.port) == (None, None, 22)
    assert (first.identity, first.jump) == (Path(key), "me@bastion")
    assert targets[-1].host_key is not None  # the GPU is set ready over the attested key


@pytest.mark.slow
def test_a_bundle_that_was_saved_is_judged_by_what_this_machine_asked(foreign):
    bundle = foreign.shell.folder / "b.json"
    first = foreign(f"--save {bundle}").document
    at = first["at"]
    again = foreign.shell(f"verify {bundle} --backend fake --at {at} -o json")
    assert again.code == 0, again
    assert again.document["checks"] == first["checks"]


@pytest.mark.slow
def test_a_vm_id_that_nobody_told_is_not_known_later_either(foreign):
    bundle = foreign.shell.folder / "b.json"
    at = foreign.attest(f"--save {bundle}").document["at"]
    verify = f"verify {bundle} --backend fake --at {at} -o json"
    assert foreign.shell(verify).document["reasons"] == ["identity.vm-id.unknown"]
    assert foreign.shell(f"{verify} --vm-id {foreign.vm_id}").code == 0


@pytest.mark.slow
def test_golden_values_of_one_machine_hold_for_it_and_for_its_evidence(foreign):
    pins, bundle = foreign.shell.folder / "pins.json", foreign.shell.folder / "b.json"
    done = foreign(f"--policy strict --record {pins} --save {bundle}")
    assert done.code == 0, done
    assert foreign(f"--policy strict --pins {pins}").code == 0
    evidence = f"attest --evidence {bundle} --policy strict --backend fake -o json"
    assert foreign.shell(f"{evidence} --pins {pins}").code == 0
    again = foreign.shell.folder / "again.json"
    assert foreign.shell(f"{evidence} --record {again}").code == 0
    values = [json.loads(file.read_text())["pcrs"] for file in (pins, again)]
    assert values[0] == values[1]

    document = json.loads(pins.read_text())
    document["pcrs"]["4"] = "00" * 32
    document.pop("events", None)
    pins.write_text(json.dumps(document))
    assert foreign(f"--policy strict --pins {pins}").code == 9
    assert foreign.shell(f"{evidence} --pins {pins}").code == 9


@pytest.mark.slow
def test_people_can_copy_the_line_for_known_hosts(foreign):
    done = foreign.shell(
        f"attest --host azureuser@{foreign.address} --vm-id {foreign.vm_id} --backend fake"
    )
    assert done.code == 0
    assert f"host          azureuser@{foreign.address}\n" in done.out
    line = done.out.splitlines()[-1]
    assert line.startswith(f"{foreign.address} ssh-ed25519 AAAA")
    assert len(hostkey.parse(line.encode())) == hostkey.BLOB_SIZE


@pytest.mark.parametrize(
    ("address", "simulated"),
    [("203.0.113.99", True), ("198.51.100.1", True), ("127.0.0.1", False), ("gpu.example", False)],
)
def test_only_addresses_of_the_simulation_are_simulated(shell, address, simulated):
    assert shell.arm.has_address(address) is simulated


def test_the_private_address_of_a_simulated_vm_is_simulated(foreign):
    assert foreign.shell.arm.has_address(foreign.owner.shown["private_ip"])
