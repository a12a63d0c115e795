"""A policy of the user's: which file it is, that it is not what ships, and what it loosens."""

import base64
import hashlib
import re
from importlib import resources

import pytest

from ccgpu.domain import bundle
from support import gpus
from support.cli import Shell
from support.gpus import gpu
from support.slow import mostly_slow
from support.vms import AT, HOST_KEY, NONCE, vm

_FAKE = (
    f"--backend fake --at {AT:%Y-%m-%dT%H:%M:%SZ} --nonce {NONCE.hex()} --vm-id {vm().vm_id}"
    f" --host-key SHA256:{base64.b64encode(hashlib.sha256(HOST_KEY).digest()).decode().rstrip('=')}"
)


@pytest.fixture
def shell(tmp_path):
    return Shell(tmp_path)


@pytest.fixture
def verify(shell, tmp_path):
    """`verify(policy text)`: the policy file, the text, and the document of a verdict by it."""
    evidence = tmp_path / "bundle.json"
    made = bundle.from_evidence(
        gpus.bound_evidence(vm(), gpu()),
        made_at=AT,
        tool="ccgpu test",
        notes=bundle.BundleNotes(policy="x", verdict={}),
    )
    evidence.write_text(made.model_dump_json(by_alias=True, exclude_none=True))

    def run(text, name="own.yaml"):
        file = tmp_path / name
        file.write_text(text)
        said = shell(f"verify {evidence} {_FAKE} --policy {file}")
        document = shell(f"verify {evidence} {_FAKE} --policy {file} -o json").document
        return file, said.out, document

    return run


def _edit_shipped_policy(shipped, /, **changes):
    text = (resources.files("ccgpu") / "templates" / "policies" / f"{shipped}.yaml").read_text(
        "utf-8"
    )
    for field, value in changes.items():
        text, count = re.subn(rf"(?m)^(\s*){field}: .*$", rf"\g<1>{field}: {value}", text)
        assert count == 1, field
    return text


def test_a_policy_file_is_shown_with_its_digest(verify):
    file, text, document = verify(_edit_shipped_policy("default", name="mine"))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()

    assert document["policy"] == "mine"
    assert document["policy_file"]["path"] == str(file)
    assert document["policy_file"]["sha256"] == digest
    assert document["policy_file"]["reserved_name"] is False
    assert document["loosened"] == []
    assert digest in text.replace("\n", "")
    assert "loosened" not in text


@pytest.mark.slow
def test_a_shipped_policy_has_no_path(shell, verify, tmp_path):
    verify(_edit_shipped_policy("default", name="mine"))
    document = shell(f"verify {tmp_path / 'bundle.json'} {_FAKE} -o json").document

    assert (document["policy"], document["policy_file"]) == ("default", None)
    assert document["loosened"] == []


@pytest.mark.parametrize("name", mostly_slow(["strict", "default", "cpu-only", "gpu-only"], 4))
def test_a_file_with_the_name_of_a_shipped_policy_is_marked(verify, name):
    other = _edit_shipped_policy("default", name=name, minimum_guest_svn="0x10001")
    _, text, document = verify(other)

    assert document["policy"] == f"{name} (a file of yours, not the policy that ships)"
    assert document["policy_file"]["reserved_name"] is True
    assert f"by policy {name} (a file of yours, not the policy that ships)" in text
    assert document["loosened"] == ["cpu.minimum_guest_svn"]


@pytest.mark.slow
def test_a_file_named_like_a_shipped_policy_is_a_file(verify):
    file, text, document = verify(_edit_shipped_policy("default", name="strict"), name="strict")

    assert document["policy_file"]["path"] == str(file)
    assert document["policy_file"]["reserved_name"] is True
    assert "not the policy that ships" in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["default", "strict"])
def test_an_unchanged_copy_of_a_shipped_policy_equals_it(verify, name):
    _, _, document = verify(_edit_shipped_policy(name) + "\n# copied\n")

    assert document["policy"] == name
    assert document["policy_file"]["reserved_name"] is False


@pytest.mark.slow
def test_every_loosening_of_a_policy_is_listed_in_text_and_json(verify):
    loose = _edit_shipped_policy(
        "default",
        name="mine",
        minimum_guest_svn="0x10009",
        require_alias_check="false",
        minimum_driver="550.90.07",
        minimum_vbios="96.00.00.00.00",
    )
    _, text, document = verify(loose)
    found = [
        "cpu.require_alias_check",
        "cpu.minimum_guest_svn",
        "gpu.minimum_driver",
        "gpu.minimum_vbios",
    ]
    assert document["verdict"] == "accepted"
    assert document["loosened"] == found
    assert document["policy_file"]["loosened"]["cpu.minimum_guest_svn"] == (
        "0x10009 instead of 0x1000b"
    )
    for field in found:
        assert f"loosened: {field}: " in text


def test_text_lists_each_loosening_once(verify):
    _, text, document = verify(
        _edit_shipped_policy("default", name="mine") + "unsafe_short_nonce: true\n"
    )

    assert document["unsafe"] == ["unsafe_short_nonce"]
    assert document["loosened"] == ["unsafe_short_nonce"]
    assert text.count("loosened: unsafe_short_nonce") == 1


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("minimum_guest_svn", "-1", "cpu.minimum_guest_svn"),
        ("minimum_guest_svn", "0x100000000", "cpu.minimum_guest_svn"),
        ("minimum_guest_svn", "new", "cpu.minimum_guest_svn"),
        ("minimum_guest_svn", "true", "cpu.minimum_guest_svn"),
        ("required_mitigations", "0x10000000000000000", "cpu.required_mitigations"),
        ("minimum_secure_drivers", "[595.1.1, 595.2.2]", "gpu"),
        ("minimum_secure_drivers", "[new]", "gpu.minimum_secure_drivers"),
        ("minimum_vbios", "96.00.5E", "gpu.minimum_vbios"),
    ],
)
def test_an_invalid_floor_is_refused_with_its_place(shell, tmp_path, field, value, where):
    file = tmp_path / "own.yaml"
    file.write_text(_edit_shipped_policy("default", name="mine", **{field: value}))
    done = shell(f"verify {tmp_path} --policy {file}")

    assert done.code == 3
    assert where in done.err
    assert "own.yaml" in done.err


def test_a_policy_of_an_older_release_lists_missing_fields(shell, tmp_path):
    """As it was before these were asked for: nothing is taken to be meant."""
    newer = ("required_mitigations", "minimum_guest_svn", "require_event_log", "minimum_vbios")
    lines = _edit_shipped_policy("default", name="mine").splitlines()
    file = tmp_path / "own.yaml"
    file.write_text("\n".join(each for each in lines if each.strip().split(":")[0] not in newer))
    done = shell(f"verify {tmp_path} --policy {file}")
    said = " ".join(done.err.split())

    assert (done.code, done.out) == (3, "")
    for field in newer:
        assert f".{field}: is missing" in said
    assert "hint: add what is missing" in said
    assert "cpu.minimum_guest_svn: 0x1000b" in said
    assert "gpu.minimum_vbios: 96.00.5E.00.00" in said


@pytest.mark.slow
def test_many_verdicts_show_the_policy_once(shell, verify, tmp_path):
    loose = _edit_shipped_policy("default", name="strict", minimum_guest_svn="0x10009")
    file, _, _ = verify(loose + "unsafe_short_nonce: true\n")
    bundles = tmp_path / "bundles"
    bundles.mkdir()
    for name in ("a.json", "b.json"):
        (bundles / name).write_bytes((tmp_path / "bundle.json").read_bytes())
    done = shell(f"verify {bundles}/a.json {bundles}/b.json --each {_FAKE} --policy {file}")

    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    said = done.out.replace("\n", "")
    assert said.count(digest) == 1
    assert "strict (a file of yours, not the policy that ships)" in said
    assert done.out.count("loosened: cpu.minimum_guest_svn: 0x10009 instead of 0x1000b") == 1
    assert done.out.count("loosened: unsafe_short_nonce") == 1


@pytest.mark.parametrize("command", ["verify --example --policy ''", "config set policy ''"])
def test_an_empty_policy_is_not_the_default(shell, command):
    done = shell(command)
    assert (done.code, done.out) == (2, "")
    assert "it is empty" in done.err
