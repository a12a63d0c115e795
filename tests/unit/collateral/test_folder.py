"""Folders of collateral: written whole, and read only as they were written."""

import json

import pytest

from ccgpu.collateral import folder
from ccgpu.domain.collateral import CollateralFile
from ccgpu.errors import InvalidFile, StateUnusable, UsageProblem
from ccgpu.store.evidence import folder as evidence_folder

_NOW = 1_800_000_000.0
_PIECES = (
    CollateralFile("rim/NV_GPU_DRIVER_GH100_550.90.07.xml", b"<xml/>", "https://a.example/1", _NOW),
    CollateralFile("ocsp/" + "a" * 64 + ".der", b"\x30\x00", "https://b.example/", _NOW - 60),
    CollateralFile("amd/crl-Genoa.der", b"\x30\x01", "https://c.example/", _NOW - 120),
)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "new" / "collateral"


def _manifest(out):
    return json.loads((out / "manifest.json").read_text())


def test_written_collateral_is_read_back(out):
    folder.write(out, _PIECES, _NOW)
    assert folder.read(out) == _PIECES
    for piece in _PIECES:
        assert (out / piece.name).read_bytes() == piece.data


def test_the_manifest_has_source_time_and_kind(out):
    folder.write(out, _PIECES[:1], _NOW)
    assert _manifest(out) == {
        "schema": "ccgpu.collateral/1",
        "made_at": "2027-01-15T08:00:00Z",
        "files": [
            {
                "path": "rim/NV_GPU_DRIVER_GH100_550.90.07.xml",
                "source": "https://a.example/1",
                "fetched_at": "2027-01-15T08:00:00Z",
                "sha256": _PIECES[0].sha256,
            }
        ],
    }


def test_a_second_write_replaces_all_files(out):
    folder.write(out, _PIECES, _NOW)
    folder.write(out, _PIECES[:1], _NOW)
    assert folder.read(out) == _PIECES[:1]
    assert not (out / _PIECES[1].name).exists()


@pytest.mark.parametrize("name", ["notes.txt", "manifest.json"])
def test_a_folder_with_other_content_is_not_changed(out, name):
    out.mkdir(parents=True)
    (out / name).write_text("{}")
    with pytest.raises(UsageProblem, match="not collateral"):
        folder.write(out, _PIECES, _NOW)
    assert [each.name for each in out.iterdir()] == [name]


def test_a_manifest_cannot_cause_deletions_outside_its_folder(out):
    folder.write(out, _PIECES[:1], _NOW)
    precious = out.parent / "precious"
    precious.write_text("keep")
    document = _manifest(out)
    document["files"][0]["path"] = "../precious"
    (out / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(UsageProblem):
        folder.write(out, _PIECES, _NOW)
    assert precious.read_text() == "keep"


def test_writes_respect_the_limits_of_reading(out):
    many = [
        CollateralFile(f"rim/A{each}.xml", b"", "", _NOW) for each in range(folder.MAX_FILES + 1)
    ]
    folder.write(out, many[1:], _NOW)
    assert len(folder.read(out)) == folder.MAX_FILES
    with pytest.raises(UsageProblem, match="101 files are more"):
        folder.write(out, many, _NOW)


def test_an_unwritable_folder_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateUnusable, match="cannot write"):
        folder.write(tmp_path / "file" / "out", _PIECES, _NOW)


def test_every_changed_file_is_named(out):
    folder.write(out, _PIECES, _NOW)
    (out / _PIECES[0].name).write_bytes(b"<XML/>")
    (out / _PIECES[1].name).unlink()
    (out / _PIECES[2].name).write_bytes(bytes(1024 * 1024 + 1))
    with pytest.raises(InvalidFile) as caught:
        folder.read(out)
    assert [(each.path, each.message) for each in caught.value.problems] == [
        (_PIECES[0].name, "does not match its hash in manifest.json"),
        (_PIECES[1].name, "cannot be read: No such file or directory"),
        (_PIECES[2].name, "is larger than 1048576 bytes"),
    ]


_ENTRY = {"path": "rim/A.xml", "source": "", "fetched_at": "2027-01-15T08:00:00Z", "sha256": ""}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        " " * 300_000,
        json.dumps({"schema": "ccgpu.collateral/2", "files": []}),
        json.dumps({"schema": "ccgpu.collateral/1", "files": {}}),
        json.dumps({"schema": "ccgpu.collateral/1", "files": ["rim/A.xml"]}),
        json.dumps({"schema": "ccgpu.collateral/1", "files": [_ENTRY] * 101}),
        json.dumps({"schema": "ccgpu.collateral/1", "files": [_ENTRY | {"sha256": 1}]}),
        *(
            json.dumps({"schema": "ccgpu.collateral/1", "files": [_ENTRY | {"path": path}]})
            for path in ("../A.xml", "/etc/A", "rim/../../A", "rim/.A", "rim", "A.xml", "x/A.xml")
        ),
    ],
)
def test_an_invalid_manifest_is_refused(out, text):
    out.mkdir(parents=True)
    (out / "manifest.json").write_text(text)
    with pytest.raises(InvalidFile, match=r"manifest\.json is not a ccgpu\.collateral/1 document"):
        folder.read(out)


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(InvalidFile, match=r"manifest\.json cannot be read"):
        folder.read(tmp_path)


def test_an_invalid_time_is_named(out):
    folder.write(out, _PIECES[:1], _NOW)
    document = _manifest(out)
    document["files"][0]["fetched_at"] = "yesterday"
    (out / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(InvalidFile, match="yesterday"):
        folder.read(out)


def test_evidence_includes_written_collateral(out, vectors):
    from ccgpu.domain.evidence import CpuEvidence, Evidence, NamedManifest

    case = vectors / "attest" / "azure-genoa-v3"
    gpu = vectors / "gpu" / "h100-550.90.07"
    rim = (gpu / "NV_GPU_DRIVER_GH100_550.90.07.xml").read_bytes()
    answer = min((gpu / "ocsp").iterdir()).read_bytes()
    der = (case / "vcek.der").read_bytes()
    pieces = (
        CollateralFile("rim/NV_GPU_DRIVER_GH100_550.90.07.xml", rim, "", _NOW),
        CollateralFile("ocsp/" + "a" * 64 + ".der", answer, "", _NOW),
        CollateralFile("amd/vcek-Genoa-00.der", der, "", _NOW),
    )
    folder.write(out, pieces, _NOW)
    found = evidence_folder.add_collateral(Evidence("folder", cpu=CpuEvidence()), out).given
    assert found.rims == (NamedManifest("NV_GPU_DRIVER_GH100_550.90.07", rim),)
    assert found.ocsp == (answer,)
    assert found.veks == (der,)


# What `verify --collateral` makes sure of


def test_an_unchanged_folder_is_intact(out):
    folder.write(out, _PIECES, _NOW)
    assert folder.has_manifest(out)
    assert folder.read_whole(out) == _PIECES


@pytest.mark.parametrize("name", ["notes.txt", "rim/B.xml", "more/deep/crl.der"])
def test_an_unlisted_file_is_named(out, name):
    folder.write(out, _PIECES, _NOW)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_bytes(b"")
    with pytest.raises(InvalidFile) as caught:
        folder.read_whole(out)
    assert [(each.path, each.message) for each in caught.value.problems] == [
        (name, "is not listed in manifest.json")
    ]


def test_listed_files_are_not_read_through_symlinks(out, tmp_path):
    folder.write(out, _PIECES, _NOW)
    file = out / _PIECES[0].name
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidFile, match="is a symbolic link"):
        folder.read_whole(out)


@pytest.mark.parametrize("text", ["", "{", '{"files": []}', '{"schema": "x"}', '{"made_at": 1}'])
def test_a_damaged_manifest_is_still_a_manifest(out, text):
    out.mkdir(parents=True)
    (out / "manifest.json").write_text(text)
    assert folder.has_manifest(out)
    with pytest.raises(InvalidFile):
        folder.read_whole(out)


@pytest.mark.parametrize("text", [None, "[]", '{"answers": []}'])
def test_a_manifest_of_another_tool_is_ignored(out, text):
    out.mkdir(parents=True)
    if text is not None:
        (out / "manifest.json").write_text(text)
    assert not folder.has_manifest(out)
