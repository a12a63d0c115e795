"""The opener as a whole, run as in a VM: what it takes, what it refuses, what it leaves."""

import ast
import base64
import json
import os
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from ccgpu.domain.secret import MOST_BYTES, MOST_SECRETS, Secret
from ccgpu.errors import ReleaseFailed
from ccgpu.guest import release
from ccgpu.guest.release import StoredSecret
from ccgpu.templates.guest.release import files, main
from ccgpu.templates.guest.release.refusal import ReleaseError
from support.opening import BOUND, MOUNTS, VERDICT, OpenerVm, mode_of
from support.repository import ROOT
from support.slow import mostly_slow

_FOLDER = ROOT / "templates" / "guest" / "release"
_VALUE = b"canary-\x00\xff-of-the-token"
_ME = os.geteuid()
TOKEN = Secret("hf-token", _VALUE, _ME)


@pytest.fixture
def vm(tmp_path) -> OpenerVm:
    """A VM that has booted."""
    return OpenerVm(tmp_path / "root").boot()


def refused(vm: OpenerVm, sealed: bytes, *context: bytes) -> str:
    """The code that a message is refused with; no value of a secret is anywhere after it."""
    with pytest.raises(ReleaseFailed) as caught:
        vm.open(sealed, *context)
    told = [vm.done[-1].stdout, vm.done[-1].stderr, str(caught.value).encode()]
    assert not any(b"canary" in one for one in (*told, *vm.contents().values()))
    return caught.value.reason


def test_secrets_become_files_in_memory_and_the_key_is_gone(vm):
    assert vm.put(TOKEN, Secret("other", b"x", _ME)) == (
        StoredSecret("hf-token", len(_VALUE), _ME),
        StoredSecret("other", 1, _ME),
    )
    assert vm.contents() == {
        "run/ccgpu/secrets/hf-token": _VALUE,
        "run/ccgpu/secrets/other": b"x",
    }
    modes = [mode_of(path) for path in (vm.run_folder, vm.secrets, vm.secrets / "hf-token")]
    assert modes == [0o711, 0o711, 0o600]


@pytest.mark.slow
def test_the_answer_has_no_value(vm):
    vm.put(TOKEN)
    (done,) = vm.done
    assert json.loads(done.stdout) == {
        "schema": "ccgpu.release/1",
        "secrets": [{"name": "hf-token", "size": len(_VALUE), "owner": _ME}],
    }
    assert done.stderr == b""


@pytest.mark.slow
@pytest.mark.skipif(_ME != 0, reason="only root gives files away")
def test_the_owner_is_the_one_that_was_chosen(vm):
    assert vm.put(Secret("hf-token", b"x", 12345))[0].owner == 12345
    there = (vm.secrets / "hf-token").stat()
    assert (there.st_uid, there.st_mode & 0o7777) == (12345, 0o600)
    assert release.list_secrets(vm) == (StoredSecret("hf-token", 1, 12345),)


@pytest.mark.slow
def test_the_limits_themselves_pass(vm):
    many = [Secret(f"s{n:02}", bytes([n]) * MOST_BYTES, _ME) for n in range(MOST_SECRETS)]
    assert len(vm.put(*many)) == MOST_SECRETS
    assert sorted(one.size for one in release.list_secrets(vm)) == [MOST_BYTES] * MOST_SECRETS


@pytest.mark.slow
def test_a_key_works_once(vm):
    sealed = vm.seal(TOKEN)
    vm.open(sealed)
    (vm.secrets / "hf-token").unlink()
    assert refused(vm, sealed) == "key.absent"


@pytest.mark.slow
def test_a_key_is_gone_after_a_message_that_does_not_open(vm):
    sealed = vm.seal(TOKEN)
    assert refused(vm, sealed[:-1]) == "seal"
    assert refused(vm, sealed) == "key.absent"


def test_a_message_for_another_vm_does_not_open(vm, tmp_path):
    other = OpenerVm(tmp_path / "other").boot()
    sealed = other.seal(TOKEN)
    vm.make_key()
    assert refused(vm, sealed) == "seal"


@pytest.mark.slow
def test_a_message_for_an_earlier_key_does_not_open(vm):
    sealed = vm.seal(TOKEN)
    vm.make_key()
    assert refused(vm, sealed) == "seal"


@pytest.mark.slow
def test_a_message_does_not_open_after_a_boot(vm, tmp_path):
    sealed = vm.seal(TOKEN)
    vm.root = tmp_path / "rebooted"
    assert refused(vm.boot(), sealed) == "key.absent"


@pytest.mark.slow
@pytest.mark.parametrize("context", [(b"C" * 64, VERDICT), (BOUND, b"w" * 32)])
def test_a_message_for_another_binding_or_verdict_does_not_open(vm, context):
    assert refused(vm, vm.seal(TOKEN), *context) == "seal"


@pytest.mark.slow
@pytest.mark.parametrize("cut", mostly_slow([0, 10, 32, 47, 60], 9))
def test_a_message_that_was_cut_does_not_open(vm, cut):
    assert refused(vm, vm.seal(TOKEN)[:cut]) == "seal"


@pytest.mark.slow
def test_a_new_value_replaces_the_old_one_whole(vm):
    vm.put(TOKEN)
    with (vm.secrets / "hf-token").open("rb") as held:
        vm.put(Secret("hf-token", b"new", _ME))
        assert held.read() == _VALUE  # who has it open keeps what it was
    assert vm.contents() == {"run/ccgpu/secrets/hf-token": b"new"}


@pytest.mark.slow
def test_a_link_in_the_place_of_a_secret_is_replaced_and_not_followed(vm, tmp_path):
    vm.put(TOKEN)
    outside = tmp_path / "outside"
    outside.write_text("as it was")
    (vm.secrets / "linked").symlink_to(outside)
    vm.put(Secret("linked", b"new", _ME))
    assert outside.read_text() == "as it was"
    assert not (vm.secrets / "linked").is_symlink()


@pytest.mark.slow
@pytest.mark.parametrize("part", ["run/ccgpu", "run/ccgpu/secrets"])
def test_a_link_in_the_place_of_a_folder_is_refused(vm, tmp_path, part):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    sealed = vm.seal(TOKEN)
    place = vm.root / part
    if place.exists():
        place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "elsewhere")
    assert refused(vm, sealed) == "folder"
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("part", ["run/ccgpu", "run/ccgpu/secrets"])
@pytest.mark.parametrize("mode", mostly_slow([0o755, 0o722, 0o777, 0o740], 9))
def test_a_folder_that_others_read_or_write_is_refused(vm, part, mode):
    sealed = vm.seal(TOKEN)
    vm.secrets.mkdir(mode=0o700)
    (vm.root / part).chmod(mode)
    assert refused(vm, sealed) == "folder"


@pytest.mark.slow
@pytest.mark.parametrize("mode", mostly_slow([0o640, 0o604, 0o620], 9))
def test_a_key_that_others_could_read_is_not_used(vm, mode):
    sealed = vm.seal(TOKEN)
    (vm.run_folder / "release.pem").chmod(mode)
    assert refused(vm, sealed) == "key.unsafe"
    assert not list(vm.run_folder.iterdir())


@pytest.mark.slow
def test_a_key_that_is_a_link_is_not_used(vm, tmp_path):
    sealed = vm.seal(TOKEN)
    file = vm.run_folder / "release.pem"
    file.rename(tmp_path / "key")
    file.symlink_to(tmp_path / "key")
    assert refused(vm, sealed) == "key.unsafe"
    assert (tmp_path / "key").exists()


@pytest.mark.slow
def test_a_key_of_another_kind_is_not_used(vm):
    sealed = vm.seal(TOKEN)
    (vm.run_folder / "release.pem").write_text("no key")
    assert refused(vm, sealed) == "seal"


@pytest.mark.parametrize(
    ("file", "text", "code"),
    [
        ("proc/swaps", "Filename\n/swap.img file 1 0 -2\n", "swap"),
        ("proc/mounts", "/dev/sda1 / ext4 rw 0 0\n", "disk"),
        ("proc/mounts", "", "disk"),
        ("proc/mounts", f"{MOUNTS}/dev/sdb1 /run/ccgpu ext4 rw 0 0\n", "disk"),
        ("proc/mounts", f"{MOUNTS}/dev/sdb1 /run/ccgpu/secrets xfs rw 0 0\n", "disk"),
        ("proc/mounts", f"{MOUNTS}/dev/sdb1 /run ext4 rw 0 0\n", "disk"),
        ("proc/mounts", f"{MOUNTS}overlay / overlay rw 0 0\n", "disk"),
    ],
)
def test_a_secret_could_reach_a_disk(vm, file, text, code):
    (vm.root / file).write_text(text)
    with pytest.raises(ReleaseError) as caught:
        files.require_memory(vm.root)
    assert caught.value.code == code


def test_a_vm_in_which_a_secret_could_reach_a_disk_is_refused(vm):
    sealed = vm.seal(TOKEN)
    (vm.root / "proc/swaps").write_text("Filename\n/swap.img file 1 0 -2\n")
    assert refused(vm, sealed) == "swap"
    assert (vm.run_folder / "release.pem").exists()  # it was not tried with


def test_a_vm_without_proc_is_refused(vm):
    (vm.root / "proc/swaps").unlink()
    with pytest.raises(ReleaseError) as caught:
        files.require_memory(vm.root)
    assert caught.value.code == "error"


@pytest.mark.parametrize(
    "more", ["tmpfs /run/ccgpu tmpfs rw 0 0\n", "/dev/sdb1 /run/ccgpux ext4 rw 0 0\n", "odd\n"]
)
def test_other_mounts_do_not_matter(vm, more):
    (vm.root / "proc/mounts").write_text(MOUNTS + more)
    files.require_memory(vm.root)


@pytest.mark.slow
def test_without_the_package_it_says_so_and_keeps_the_key(vm):
    sealed = vm.seal(TOKEN)
    hidden = b"import sys; sys.modules['cryptography'] = None\n" + release.script(sealed)
    request = {"action": "open", "bound": BOUND.hex(), "verdict": VERDICT.hex()}
    assert vm.refusal(request, hidden) == "crypto.absent"
    assert (vm.run_folder / "release.pem").exists()
    assert vm.open(sealed)


@pytest.mark.slow
def test_listing_and_removing_need_no_package(vm):
    vm.put(TOKEN)
    hidden = b"import sys; sys.modules['cryptography'] = None\n" + release.script()
    for request in ({"action": "list"}, {"action": "remove", "names": ["hf-token"]}):
        done = vm.run(release.command_line(request), hidden, timeout=60)
        assert done.exit_code == 0, done
    assert not list(vm.secrets.iterdir())


# --- List and remove ---


@pytest.mark.slow
def test_there_is_nothing_to_list_before_the_first_release(vm):
    assert release.list_secrets(vm) == ()
    assert not vm.run_folder.exists()


@pytest.mark.slow
def test_only_files_with_names_of_secrets_are_listed(vm):
    vm.put(TOKEN)
    (vm.secrets / ".hf-token.1").write_text("left over")
    (vm.secrets / "Other").write_text("not ours")
    (vm.secrets / "folder").mkdir()
    (vm.secrets / "link").symlink_to("hf-token")
    assert [one.name for one in release.list_secrets(vm)] == ["hf-token"]


@pytest.mark.slow
def test_what_is_removed_is_overwritten_first(vm):
    vm.put(TOKEN, Secret("kept", b"x", _ME))
    with (vm.secrets / "hf-token").open("rb") as held:
        assert release.remove_secrets(vm, ["hf-token"])[0].name == "hf-token"
        assert held.read() == bytes(len(_VALUE))
    assert [one.name for one in release.list_secrets(vm)] == ["kept"]


@pytest.mark.slow
def test_one_that_is_not_there_is_not_among_the_removed(vm):
    vm.put(TOKEN)
    assert [one.name for one in release.remove_secrets(vm, ["other", "hf-token"])] == ["hf-token"]
    assert release.remove_secrets(vm, ["hf-token"]) == release.list_secrets(vm) == ()


# --- Requests and contents that are none ---

_OPEN = {"action": "open", "bound": BOUND.hex(), "verdict": VERDICT.hex()}


@pytest.mark.parametrize(
    "request_",
    [
        [],
        {},
        {"action": "close"},
        {"action": "list", "names": []},
        {**_OPEN, "more": 1},
        {**_OPEN, "bound": "00"},
        {**_OPEN, "bound": 1},
        {**_OPEN, "verdict": "zz"},
        {"action": "remove"},
        {"action": "remove", "names": "hf-token"},
        {"action": "remove", "names": [1]},
        {"action": "remove", "names": ["../../etc/passwd"]},
        {"action": "remove", "names": ["a", "a"]},
    ],
    ids=str,
)
def test_a_request_that_is_none_is_refused(vm, request_):
    with pytest.raises(ReleaseError) as caught:
        main.answer(vm.root, main.parse_request(json.dumps(request_)), b"")
    assert caught.value.code == "request"


@pytest.mark.slow
def test_a_request_that_is_refused_is_answered(vm):
    assert vm.refusal({"action": "close"}) == "request"
    assert vm.refusal("{") == "request"


@pytest.mark.slow
def test_what_nobody_thought_of_is_an_error_without_its_text(vm):
    broken = release.script().replace(b"sys.argv[2:], ''", b"sys.argv[2:], 'canary'")
    assert vm.refusal({"action": "list"}, broken) == "bug"
    assert json.loads(vm.done[-1].stdout)["message"] == "Error in the opener"


def _document(**changes):
    value = base64.b64encode(_VALUE).decode()
    return {"schema": "ccgpu.secrets/1", "secrets": [_entry(value)]} | changes


def _entry(value, **changes):
    return {"name": "hf-token", "owner": _ME, "value": value} | changes


_GOOD = base64.b64encode(_VALUE).decode()
_LARGE = base64.b64encode(b"canary" + bytes(MOST_BYTES)).decode()


@pytest.mark.parametrize(
    "content",
    [
        b"canary",
        b'["canary"]',
        json.dumps(_document(schema="ccgpu.secrets/2")).encode(),
        json.dumps(_document(secrets=[])).encode(),
        json.dumps(_document(secrets=[_entry(_GOOD)] * 2)).encode(),
        json.dumps(_document(secrets=[_entry(_GOOD, name=f"s{n}") for n in range(17)])).encode(),
        json.dumps(_document(secrets=[_entry(_GOOD, name="../../tmp/canary")])).encode(),
        json.dumps(_document(secrets=[_entry(_GOOD, name=".hidden")])).encode(),
        json.dumps(_document(secrets=[_entry(_GOOD, name=1)])).encode(),
        json.dumps(_document(secrets=[_entry("canary!")])).encode(),
        json.dumps(_document(secrets=[_entry("")])).encode(),
        json.dumps(_document(secrets=[_entry(_LARGE)])).encode(),
        json.dumps(_document(secrets=[_entry(_GOOD, owner=-1)])).encode(),
        json.dumps(_document(secrets=[_entry(_GOOD, owner=True)])).encode(),
        json.dumps(_document(secrets=[_entry(_GOOD, owner=2**32 - 1)])).encode(),
        json.dumps(_document(secrets=["canary"])).encode(),
    ],
)
def test_a_message_without_secrets_of_this_version_is_refused(content):
    with pytest.raises(ReleaseError, match="the opened message does not hold secrets") as caught:
        main.read_content(content)
    assert caught.value.code == "content"


@pytest.mark.slow
def test_what_was_opened_is_not_quoted(vm):
    content = b'["canary"]'
    suite = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
    public = X25519PublicKey.from_public_bytes(vm.make_key())
    sealed = suite.encrypt(content, public, release.release_info(BOUND, VERDICT))
    assert refused(vm, sealed) == "content"


def test_a_message_with_secrets_is_read():
    assert main.read_content(json.dumps(_document()).encode()) == [("hf-token", _VALUE, _ME)]


@pytest.mark.slow
@pytest.mark.skipif(_ME != 0, reason="only root mounts")
def test_a_full_memory_leaves_no_part_of_a_secret(vm):
    vm.put(TOKEN)
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k,mode=711", "tmpfs", str(vm.secrets)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        sealed = vm.seal(Secret("first", b"canary", _ME), Secret("big", b"canary" * 9000, _ME))
        assert refused(vm, sealed) == "write"
        assert not list(vm.secrets.iterdir())
    finally:
        subprocess.run(["umount", str(vm.secrets)], check=True)


# --- The script's text ---


def test_its_syntax_is_that_of_python_3_10_and_it_imports_what_an_image_has():
    for file in _FOLDER.glob("*.py"):
        tree = ast.parse(file.read_text(), feature_version=(3, 10))
        found = [one for one in ast.walk(tree) if isinstance(one, (ast.Import, ast.ImportFrom))]
        names = [
            name
            for one in found
            for name in (
                [one.module or ""]
                if isinstance(one, ast.ImportFrom)
                else [alias.name for alias in one.names]
            )
        ]
        foreign = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names}
        ours = {name for name in foreign if name.startswith("ccgpu.templates.guest.release.")}
        others = {name.split(".")[0] for name in foreign - ours}
        assert others <= ({"cryptography"} if file.name == "hpke.py" else set())


def test_every_part_is_in_the_script_and_every_code_has_a_hint():
    parts = list(_FOLDER.glob("*.py"))
    script = release.script().decode()
    assert all(repr(file.read_text()) in script for file in parts)
    calls = [
        node.args[0].value
        for file in parts
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in ("ReleaseError", "DiskRisk")
        and isinstance(node.args[0], ast.Constant)
    ]
    assert {*calls, "bug"} == release.HINTS.keys()
