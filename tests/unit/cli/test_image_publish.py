"""`ccgpu image publish`: what users see, what is asked before, and what nobody may see."""

import json
from pathlib import Path

import pytest
import requests

from ccgpu.fakearm import Request
from support.built_folders import GALLERY, STAYS, BuiltFolder, build_folder
from support.faults import NthRequest, request_to

_LINE = "image publish {} --gallery images --region eastus2"


@pytest.fixture
def built(tmp_path: Path) -> BuiltFolder:
    """A folder as `image build` leaves it."""
    return build_folder(tmp_path / "built")


def test_the_answer_names_version_regions_digests_and_costs(shell, built, golden):
    shell.width = 100
    done = shell(f"{_LINE.format(built.path)} --region westeurope --yes")
    assert done.code == 0
    golden("cli/image-publish.txt", str(done).replace(str(built.path), "built"))
    again = shell(f"{_LINE.format(built.path)} --yes")
    assert "is published already: nothing to do" in again.out


def test_replicas_of_a_published_image_are_changed(shell, built):
    line = _LINE.format(built.path)
    assert shell(f"{line} --yes").code == 0
    document = shell(f"{line} --replicas 3 -o json").document
    assert document["action"] == "updated"
    assert (document["replicas"], [one["replicas"] for one in document["regions"]]) == (3, [3])
    text = shell(f"{line} --replicas 2").out
    assert "was published already; its copies are changed" in text
    assert "eastus2, completed, 2 copies" in text
    assert "storage of 2 copies" in text
    assert [shell(f"{line} --replicas {number}").code for number in (0, 101)] == [2, 2]


def test_a_vm_of_a_published_image_is_held_to_it(shell, built):
    document = shell(f"{_LINE.format(built.path)} --yes -o json").document
    spec = {"image": {"measured": str(built.path / "image.json"), "gallery": document["version"]}}
    (shell.folder / "spec.json").write_text(json.dumps({"name": "demo", **spec}))
    done = shell(f"create --backend fake -f {shell.folder}/spec.json --yes -o json")
    assert (done.code, done.document["state"]) == (0, "attested")
    assert shell("attest demo --backend fake -o json").document["policy"] == "measured"


def test_the_document_has_ids_regions_and_digests(shell, built):
    document = shell(f"{_LINE.format(built.path)} --yes -o json").document
    assert document["schema"] == "ccgpu.image-publication/1"
    assert document["version"].endswith(f"{GALLERY}/images/tiny/versions/1.2.3")
    assert [(one["region"], one["state"]) for one in document["regions"]] == [
        ("eastus2", "Completed")
    ]
    assert document["action"] == "published"


def test_what_stays_is_asked_for_once(shell, built):
    asked: list[str] = []

    def refuse(text: str) -> bool:
        asked.append(text)
        return False

    shell.ask = refuse
    done = shell(_LINE.format(built.path))
    assert done.code == 2
    assert len(asked) == 1
    assert "- resourceGroups ccgpu-images" in done.err
    assert "- galleries images" in done.err
    assert shell.writes() == []
    shell.ask = None
    refused = shell(_LINE.format(built.path))
    named = "resourceGroups ccgpu-images and galleries images (no command deletes them)"
    assert (refused.code, f"refusing to create {named} without" in refused.err) == (2, True)
    assert shell(f"{_LINE.format(built.path)} --yes").code == 0
    assert shell(_LINE.format(built.path)).code == 0


def test_a_wrong_gallery_is_2_and_a_missing_folder_3(shell, built):
    assert shell(f"image publish {built.path} --gallery a-b --yes").code == 2
    done = shell(f"image publish {built.path}/none --gallery images --yes")
    assert done.code == 3
    assert "image.json" in done.err
    assert shell.writes() == []


def test_the_address_of_the_disk_is_in_nothing(shell, built, tmp_path):
    """Its signature is a secret: not on the terminal, not in a log, a journal or an error."""
    secrets = set[str]()

    def note(request: Request, _: object) -> None:
        if "sig=" in request.url:
            secrets.add(request.url.partition("sig=")[2].partition("&")[0])

    shell.arm.on_commit = note
    shell.log = tmp_path / "log.ndjson"
    pages = request_to("PUT", "/abcd")
    done = [shell(f"{_LINE.format(built.path)} --yes --debug --events ndjson")]
    lost = requests.ConnectionError(f"lost: {secrets}")
    shell.arm.faults.append(NthRequest(1, pages, lost))
    done.append(shell(f"{_LINE.format(built.path)} --name second --yes --debug"))
    assert len(secrets) == 2
    seen = {str(file): file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    seen |= {one.line: (one.out + one.err).encode() for one in done}
    assert [
        place for place, data in seen.items() if any(one.encode() in data for one in secrets)
    ] == []
    lines = [json.loads(line) for line in shell.log.read_text().splitlines()]
    assert any(line["host"].endswith(".blob.storage.azure.net") for line in lines)


def test_ctrl_c_says_that_the_disk_is_gone(shell, built):
    shell.arm.faults.append(NthRequest(3, request_to("PUT", "/abcd"), KeyboardInterrupt()))
    done = shell(f"{_LINE.format(built.path)} --yes")
    assert done.code == 130
    assert "the disk of the upload is removed, the image is not published" in done.err
    assert shell.kinds() == [one for one in STAYS if one != "versions"]
