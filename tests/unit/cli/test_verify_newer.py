"""`ccgpu verify` on evidence that is newer than this release: exit 8, and what is needed."""

from dataclasses import replace

from ccgpu.domain import bundle
from ccgpu.fakeguest.evidence.spdm import VersionedOpaqueData
from support import gpus
from support.cli import Shell
from support.vms import AT

_FLAGS = "--backend fake --policy gpu-only --at bundle"


def _file(tmp_path, version):
    found = gpus.nonce_evidence(replace(gpus.gpu(), versioned=VersionedOpaqueData(version=version)))
    file = tmp_path / "bundle.json"
    made = bundle.from_evidence(found, made_at=AT, tool="x")
    file.write_text(made.model_dump_json(by_alias=True, exclude_none=True))
    return file


def test_a_newer_format_of_opaque_data_exits_8_and_is_named(tmp_path):
    done = Shell(tmp_path, width=200)(f"verify {_file(tmp_path, (3, 2, 0))} {_FLAGS}")

    assert done.code == 8
    assert done.out.startswith("NO VERDICT")
    assert "cannot read NVDAOD: version 3.2.0, profile 0" in done.err
    assert "hint: a ccgpu newer than" in done.err


def test_the_json_of_a_newer_format_has_the_reason_code(tmp_path):
    done = Shell(tmp_path)(f"verify {_file(tmp_path, (3, 2, 0))} {_FLAGS} -o json")

    assert (done.code, done.document["verdict"]) == (8, "no_verdict")
    assert done.document["reasons"] == ["gpu.opaque.format"]


def test_the_documented_format_is_accepted(tmp_path):
    assert Shell(tmp_path)(f"verify {_file(tmp_path, (2, 0, 0))} {_FLAGS}").code == 0
