"""`ccgpu attest` on a real guest, end to end: only AMD's and NVIDIA's roots are simulated.

systemd, cloud-init, sshd and sudo of the guest are real, as are this machine's OpenSSH and the
guest's TPM (in software). The collector runs by the very command line that every VM gets.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ccgpu.domain import hostkey
from ccgpu.guest import openssh
from support import real_guest
from support.attested import refusals
from support.cli import CommandResult, Shell
from support.cloud import vendors
from support.confidential_guest import ConfidentialParts, confidential_parts
from support.real_guest import USER, RealGuest

pytestmark = pytest.mark.slow

_PUBLIC_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"
# A hostile guest, whose Python answers another nonce than the one that it is asked.
_OTHER_NONCE = """\
#!/usr/bin/python3 -I
import os, re, sys
words = [re.sub('(?<="nonce":")[0-9a-f]+', "00" * 32, word) for word in sys.argv[1:]]
os.execv("/usr/bin/python3", ["python3", *words])
"""


@dataclass
class Rehearsal:
    """A booted confidential guest, and how to get into it."""

    guest: RealGuest
    parts: ConfidentialParts
    identity: Path

    @property
    def vm_id(self) -> str:
        """The vmId that its paravisor states."""
        return self.parts.paravisor.vm_id.lower()

    @property
    def host_key(self) -> bytes:
        """The blob of the host key on its console."""
        blob = self.guest.target(self.identity).host_key
        assert blob is not None
        return blob

    def attest(self, shell: Shell, more: str = "") -> CommandResult:
        """`ccgpu attest --host`."""
        where = f"--host {USER}@{self.guest.address} --vm-id {self.vm_id} -i {self.identity}"
        return shell(f"attest {where} --backend fake -o json {more}")

    def root(self, script: str, stdin: bytes = b"") -> bytes:
        """Run a script as root in the guest; its output."""
        with openssh.open_channel(self.guest.target(self.identity)) as channel:
            done = channel.run(["sudo", "-n", "bash", "-c", script], stdin, timeout=60)
        assert done.exit_code == 0, done
        return done.stdout

    @property
    def ready(self) -> bool:
        """Whether the GPU is set ready."""
        state = json.loads(self.guest.upper("machine.json").read_text())
        return bool(state["gpu"]["ready"] == "ready")


@pytest.fixture
def rehearsal(layers, identity, tpm, tmp_path) -> Iterator[Rehearsal]:
    """The guest, set up by what ccgpu gives cloud-init."""
    folder = tmp_path / "guest"
    public = identity.with_suffix(".pub").read_text()
    with confidential_parts(tpm, vendors(), folder / "upper") as parts:
        config = real_guest.user_data()
        with real_guest.booted(layers, folder, config, public, binds=parts.binds) as guest:
            guest.wait_for_set_up()
            assert guest.status()["state"] == "done", guest.console[-3000:]
            yield Rehearsal(guest, parts, identity)


def test_a_booted_machine_is_refused_in_every_bad_state_and_attested_in_the_good_one(
    rehearsal, tmp_path
):
    """One test, since the guest takes long to boot."""
    shell = Shell(tmp_path)  # the user's machine, which has no deployment
    _with_another_host_key_than_the_pinned_one_it_is_not_asked(rehearsal, shell)
    _evidence_bound_to_another_host_key(rehearsal, shell)
    _evidence_that_answers_another_nonce(rehearsal, shell)
    _developer_tools(rehearsal, shell)
    _the_id_of_another_vm(rehearsal, shell)
    _evidence_collected_by_hand_is_accepted_and_changes_nothing(rehearsal, shell)
    _the_good_one_is_attested(rehearsal, shell)


def _refused(rehearsal: Rehearsal, shell: Shell, more: str = "") -> set[str]:
    """The checks that fail in a verdict of 9, after which the GPU is not ready."""
    done = rehearsal.attest(shell, more)
    assert done.code == 9, done
    assert done.document["known_hosts"] is None
    assert not rehearsal.ready
    return refusals(done)


def _with_another_host_key_than_the_pinned_one_it_is_not_asked(
    rehearsal: Rehearsal, shell: Shell
) -> None:
    other = rehearsal.host_key[:-1] + bytes([rehearsal.host_key[-1] ^ 1])
    pin = shell.folder / "other.pub"
    pin.write_bytes(other)
    for given in (str(pin), hostkey.fingerprint(hostkey.sha256(other))):
        done = rehearsal.attest(shell, f"--host-key {given}")
        assert done.code == 9
        assert "WRONG HOST KEY" in done.error["message"]
    assert not list(shell.state.glob("challenges/*"))


def _evidence_bound_to_another_host_key(rehearsal: Rehearsal, shell: Shell) -> None:
    other = f"ssh-keygen -q -t ed25519 -N '' -f /srv/other; cp {_PUBLIC_KEY} /srv/own"
    rehearsal.root(f"{other}; cp /srv/other.pub {_PUBLIC_KEY}")
    failed = _refused(rehearsal, shell)
    rehearsal.root(f"cp /srv/own {_PUBLIC_KEY}")
    assert {"identity.host-key.other", "hcl.user-data.other"} <= failed


def _evidence_that_answers_another_nonce(rehearsal: Rehearsal, shell: Shell) -> None:
    hostile = "/usr/local/bin/python3"
    rehearsal.root(f"cat >{hostile}; chmod 755 {hostile}", _OTHER_NONCE.encode())
    failed = _refused(rehearsal, shell)
    rehearsal.root(f"rm {hostile}")
    assert {"freshness.nonce.other", "hcl.user-data.other"} <= failed


def _developer_tools(rehearsal: Rehearsal, shell: Shell) -> None:
    rehearsal.parts.gpu.modes["dev_tools"] = 1
    failed = _refused(rehearsal, shell)
    rehearsal.parts.gpu.modes["dev_tools"] = 0
    assert failed == {"policy.gpu.dev-tools"}


def _the_id_of_another_vm(rehearsal: Rehearsal, shell: Shell) -> None:
    other = "--vm-id 00000000-0000-4000-8000-000000000001"
    assert {"policy.vm-id", "identity.vm-id.other"} <= _refused(rehearsal, shell, other)


def _evidence_collected_by_hand_is_accepted_and_changes_nothing(
    rehearsal: Rehearsal, shell: Shell
) -> None:
    script = shell("attest --print-collector").out
    nonce = "5a" * 32
    request = json.dumps({"nonce": nonce, "release": False})
    run = f"cat >/srv/collect.py; python3 -I -S /srv/collect.py ccgpu-collect '{request}'"
    file = shell.folder / "evidence.json"
    file.write_bytes(rehearsal.root(run, script.encode()))
    key = hostkey.fingerprint(hostkey.sha256(rehearsal.host_key))
    known = f"--nonce {nonce} --vm-id {rehearsal.vm_id} --host-key {key}"
    done = shell(f"attest --evidence {file} {known} --backend fake -o json")
    assert done.code == 0, done
    assert not rehearsal.ready


def _the_good_one_is_attested(rehearsal: Rehearsal, shell: Shell) -> None:
    pin, bundle = shell.folder / "host.pub", shell.folder / "b.json"
    pin.write_bytes(rehearsal.host_key)

    done = rehearsal.attest(shell, f"--host-key {pin} --save {bundle}")

    assert done.code == 0, done
    answer = done.document
    assert (answer["verdict"], answer["simulated"], answer["gpu_ready"]) == ("accepted", True, True)
    assert answer["known_hosts"].split()[0] == rehearsal.guest.address
    assert hostkey.parse(answer["known_hosts"].encode()) == rehearsal.host_key
    assert answer["facts"]["boot applications"]  # of the event log, which the TPM's PCRs confirm
    assert rehearsal.ready
    saved = json.loads(bundle.read_text())
    assert len(base64.b64decode(saved["cpu"]["hcl"])) == 2600
    again = shell(f"verify {bundle} --backend fake --at {saved['made_at']} -o json")
    assert again.code == 0, again
    assert again.document["checks"] == answer["checks"]
