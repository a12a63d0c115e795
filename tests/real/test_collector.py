"""The collector in a VM with a real TPM in software, and the verdict on what it collects.

The TPM makes the quote; AMD and NVIDIA are simulated, so that the verdict is one of `--backend
fake`. Nothing of ccgpu's own takes part in the VM but the script.
"""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ccgpu.guest import collector
from support.attested import judge, refusals, running_vm
from support.cli import Shell
from support.collecting import guest_pythons
from support.paravisor import USER_DATA, served_as_device
from support.slow import mostly_slow
from support.vms import HOST_KEY, NONCE


@pytest.fixture
def shell(tmp_path):
    """The user's machine."""
    return Shell(tmp_path)


def test_what_it_collects_is_accepted(each_machine, shell):
    before = each_machine.files()
    done = each_machine.run()
    assert (done.exit_code, done.stderr) == (0, b"")
    bundle = collector.parse(done)
    judged = judge(shell, each_machine, bundle)
    assert judged.code == 0, judged.out
    assert judged.document["simulated"] is True
    assert each_machine.gpu.nonces == [bundle.gpus[0].nonce]
    assert each_machine.imds.requests == [("/metadata/THIM/amd/certification", "true")]
    assert each_machine.files() == before


@pytest.mark.slow
def test_without_the_flag_its_roots_are_unknown(each_machine, shell):
    vm_id = each_machine.paravisor.vm_id
    known = f"--nonce {NONCE.hex()} --host-key {shell.folder}/key --vm-id {vm_id}"
    judged = judge(shell, each_machine, collector.parse(each_machine.run()), known)
    assert judged.code == 9


@pytest.mark.parametrize(
    ("changed", "check"),
    mostly_slow(
        [
            pytest.param({"nonce": bytes(32)}, "freshness.nonce.other"),
            pytest.param({"host_key": HOST_KEY[:-1] + b"\x08"}, "hcl.user-data.other"),
            pytest.param({"recipient_key": bytes(32)}, "hcl.user-data.other"),
        ],
        3,
    ),
)
def test_another_word_of_the_vm_is_refused(machine, shell, changed, check):
    bundle = collector.parse(machine.run()).model_copy(update=changed)
    known = f"--nonce {NONCE.hex()} --vm-id {machine.paravisor.vm_id} --backend fake"
    judged = judge(shell, machine, bundle, f"{known} --unsafe-trust-bundle-identity")
    assert judged.code == 9
    assert check in refusals(judged)


@pytest.mark.parametrize("piece", ["event_log", "thim"])
def test_the_quote_covers_what_comes_with_it(machine, shell, piece):
    bundle = collector.parse(machine.run())
    assert bundle.cpu is not None
    cpu = bundle.cpu.model_copy(update={piece: getattr(bundle.cpu, piece) + b" "})
    judged = judge(shell, machine, bundle.model_copy(update={"cpu": cpu}))
    assert judged.code == 9
    assert "vtpm.nonce.other" in refusals(judged)


@pytest.mark.slow
def test_it_arrives_over_a_real_sshd_from_a_device(machine, shell, channel):
    class Ssh:
        """The channel, with the command but for `sudo`, and the script as it is."""

        def run(self, argv, stdin=b"", *, timeout):
            assert argv[:3] == ["sudo", "-n", "python3"]
            words = [machine.python, *argv[3:], *machine.options()]
            return channel.run(words, stdin, timeout=timeout)

    with served_as_device(machine.paravisor, machine.root / "dev/tpmrm0"):
        bundle = collector.collect(Ssh(), NONCE)
    assert judge(shell, machine, bundle).code == 0


@pytest.mark.slow
def test_cc_mode_off_is_reported_and_refused(machine, shell):
    machine.gpu.modes["cc_feature"] = 0
    judged = judge(shell, machine, collector.parse(machine.run()))
    assert judged.code == 9


@pytest.mark.slow
def test_developer_tools_are_reported_and_refused(machine, shell):
    machine.gpu.modes["dev_tools"] = 1
    judged = judge(shell, machine, collector.parse(machine.run()))
    assert judged.code == 9


@pytest.mark.slow
def test_tpm2_tools_accept_the_quote(tpm):
    with running_vm(tpm, 2600) as machine:
        bundle = collector.parse(machine.run())
    assert bundle.cpu is not None
    quote, signature, hcl = (getattr(bundle.cpu, name) for name in ("quote", "signature", "hcl"))
    (tpm.folder / "message").write_bytes(quote)
    (tpm.folder / "signature").write_bytes(signature)
    extra = quote[44:76].hex()
    given = ["-u", "ak.pem", "-m", "message", "-s", "signature", "-q", extra]
    tpm.tool("checkquote", "-Q", "-g", "sha256", *given)
    bound = tpm.tool("nvread", hex(USER_DATA), "-C", "o")
    runtime = hcl[0x4D4:].rstrip(b"\0")
    assert bound.hex().upper().encode() in runtime


@pytest.mark.parametrize(
    "python", mostly_slow(guest_pythons(), 4), ids=lambda file: file.rsplit("/", 1)[-1]
)
def test_it_runs_on_every_python_from_3_10_in_a_hostile_environment(machine, shell, python):
    evil = machine.root / "evil"
    evil.mkdir()
    for name in ("openssl", "tpm2_quote", "nvidia-smi"):
        (evil / name).write_text("#!/bin/sh\ntouch called\n")
        (evil / name).chmod(0o755)
    (evil / "json.py").write_text("raise SystemExit('not this one')\n")
    machine.python = python
    machine.environ = {
        "PATH": str(evil),
        "PYTHONPATH": str(evil),
        "LC_ALL": "tr_TR.ISO-8859-9",
        "http_proxy": "http://127.0.0.1:1",
        "TPM2TOOLS_TCTI": "none",
    }
    done = machine.run(release=True)
    assert not (machine.root / "called").exists()
    assert judge(shell, machine, collector.parse(done)).code == 0


@pytest.mark.parametrize(
    "python", mostly_slow(guest_pythons(), 4), ids=lambda file: file.rsplit("/", 1)[-1]
)
def test_a_closed_stream_and_a_folder_that_is_gone_do_not_matter(machine_with_tools, shell, python):
    machine = machine_with_tools
    starter = machine.root / "starter"
    starter.write_text(f'#!/bin/sh\nmkdir gone\ncd gone\nrmdir ../gone\nexec {python} "$@" 2>&-\n')
    starter.chmod(0o755)
    machine.python = str(starter)
    machine.environ = {"TMPDIR": "/nowhere", "HOME": "/nowhere"}
    bundle = collector.parse(machine.run(tpm=False, release=True))
    assert judge(shell, machine, bundle).code == 0


@pytest.mark.slow
def test_release_makes_a_key_for_root_alone_that_replaces_the_last(each_machine, shell):
    bundle = collector.parse(each_machine.run(release=True))
    (key,) = (each_machine.root / "run/ccgpu").iterdir()
    assert key.name == "release.pem"
    assert (key.stat().st_mode & 0o7777, key.parent.stat().st_mode & 0o7777) == (0o600, 0o700)
    private = load_pem_private_key(key.read_bytes(), None)
    assert isinstance(private, X25519PrivateKey)
    assert private.public_key().public_bytes_raw() == bundle.recipient_key
    assert judge(shell, each_machine, bundle).code == 0

    again = collector.parse(each_machine.run(release=True))
    assert again.recipient_key != bundle.recipient_key
    assert [file.name for file in (each_machine.root / "run/ccgpu").iterdir()] == ["release.pem"]


@pytest.mark.parametrize("mode", mostly_slow([0o755, 0o770, 0o702], 3))
def test_release_refuses_a_folder_that_others_read_or_write(machine, mode):
    folder = machine.root / "run/ccgpu"
    folder.mkdir()
    folder.chmod(mode)
    assert machine.refusal(release=True)[0] == "release.error"
    assert not list(folder.iterdir())


@pytest.mark.slow
def test_release_follows_no_link(machine):
    (machine.root / "elsewhere").mkdir(mode=0o700)
    (machine.root / "run/ccgpu").symlink_to(machine.root / "elsewhere")
    assert machine.refusal(release=True)[0] == "release.error"
    assert not list((machine.root / "elsewhere").iterdir())


@pytest.mark.parametrize(
    ("file", "text", "code"),
    mostly_slow(
        [
            pytest.param(
                "proc/swaps", "Filename\tType\n/dev/zram0 partition 1 0 -2\n", "release.swap"
            ),
            pytest.param("proc/mounts", "/dev/sda1 / ext4 rw 0 0\n", "release.disk"),
            pytest.param("run/ccgpu", "", "release.error"),
        ],
        3,
    ),
)
def test_release_refuses_a_vm_that_would_keep_the_key(machine, file, text, code):
    (machine.root / file).write_text(text)
    before = machine.files()
    assert machine.refusal(release=True)[0] == code
    assert machine.files() == before
