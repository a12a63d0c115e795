"""`dev.py release`: what it refuses, what it writes, and the workflow that runs it."""

import hashlib
import json
import re
import subprocess
import zipfile

import pytest
import yaml

import build
import changelog
import commit_hook
import release
import sbom
from ccgpu import __version__
from support.repository import ROOT

_CHANGES = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-30\n\n- All.\n"
_LOCK = (ROOT / "requirements.lock").read_text()


def _git(folder, *words):
    who = ["-c", "user.name=Tests", "-c", "user.email=tests@example.com"]
    command = ["git", "-C", str(folder), *who, *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path):
    """A clean repository of version 1.2.3."""
    folder = tmp_path / "tree"
    (folder / "src" / "ccgpu").mkdir(parents=True)
    (folder / "src" / "ccgpu" / "__init__.py").write_text('__version__ = "1.2.3"\n')
    (folder / "CHANGELOG.md").write_text(_CHANGES)
    (folder / ".gitignore").write_text("ignored/\n")
    (folder / "link").symlink_to("src")
    _git(folder, "init", "-q")
    _commit(folder)
    return folder


def _commit(folder):
    _git(folder, "add", "-A")
    _git(folder, "commit", "-qm", "change")
    return _git(folder, "rev-parse", "HEAD")


def test_the_version_of_the_package_has_a_section_with_a_date():
    section = changelog.released()
    assert section.version == __version__
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", section.date)
    assert section.text


def test_the_newest_version_stands_first_and_each_once():
    names = list(changelog.sections(changelog.CHANGELOG.read_text()))
    assert names[0] == changelog.UNRELEASED
    versions = [tuple(map(int, name.split("."))) for name in names[1:]]
    assert versions == sorted(versions, reverse=True)
    with pytest.raises(ValueError, match="two sections of 1"):
        changelog.sections("## [1] - 2026-01-01\n\n## [1] - 2026-01-02\n")


def test_the_manual_has_the_date_of_its_version():
    page = (ROOT / "docs" / "man" / "ccgpu.1").read_text()
    assert f" {changelog.released().date} " in page.splitlines()[0]


def test_a_clean_tree_with_its_tag_is_releasable(tree):
    commit = _git(tree, "rev-parse", "HEAD")
    assert release.require_releasable(tree, None) == commit
    _git(tree, "tag", "-a", "-m", "1.2.3", "v1.2.3")
    assert release.require_releasable(tree, "v1.2.3") == commit


def _new_file(tree):
    (tree / "new").write_text("")


def _changed_file(tree):
    (tree / "CHANGELOG.md").write_text(_CHANGES + "more\n")


def _no_section(tree):
    (tree / "CHANGELOG.md").write_text(_CHANGES.replace("1.2.3", "1.2.2"))
    _commit(tree)


def _no_date(tree):
    (tree / "CHANGELOG.md").write_text(_CHANGES.replace(" - 2026-11-30", ""))
    _commit(tree)


def _later_commit(tree):
    _git(tree, "tag", "v1.2.3")
    _new_file(tree)
    _commit(tree)


def _unreleased(tree):
    (tree / "CHANGELOG.md").write_text(_CHANGES.replace("ed]\n", "ed]\n\n- Forgotten.\n"))
    _commit(tree)
    _git(tree, "tag", "v1.2.3")


@pytest.mark.parametrize(
    ("change", "tag", "said"),
    [
        (_new_file, None, "files are changed"),
        (_changed_file, None, "files are changed"),
        (_no_section, None, r"no section `## \[1\.2\.3\]"),
        (_no_date, None, r"no section `## \[1\.2\.3\]"),
        (lambda _: None, "v1.2.4", r"the tag is v1\.2\.4, but the version is 1\.2\.3"),
        (lambda _: None, "1.2.3", r"the tag is 1\.2\.3"),
        (lambda _: None, "v1.2.3", "rev-parse"),  # there is no such tag
        (_later_commit, "v1.2.3", r"v1\.2\.3 is .*, but this is"),
        (_unreleased, "v1.2.3", "under .Unreleased"),
    ],
)
def test_what_is_no_release_is_refused(tree, change, tag, said):
    change(tree)
    with pytest.raises(SystemExit, match=said):
        release.require_releasable(tree, tag)


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "old").write_text("")
    with pytest.raises(SystemExit, match="is not empty"):
        release.release(["--out", str(tmp_path)])


def test_the_files_that_git_knows_are_built_and_new_ones(tree, tmp_path):
    (tree / "ignored").mkdir()
    (tree / "ignored" / "file").write_text("")
    _new_file(tree)
    (tree / ".gitignore").unlink()
    (tree / ".gitignore").write_text("ignored/\n")
    build.copy_sources(tree, tmp_path / "copy")
    copied = {str(one.relative_to(tmp_path / "copy")) for one in (tmp_path / "copy").rglob("*")}
    assert {"new", "link", "CHANGELOG.md", "src/ccgpu/__init__.py"} <= copied
    assert not any(name.startswith(("ignored", ".git/")) for name in copied)
    assert (tmp_path / "copy" / "link").is_symlink()


def test_builds_that_differ_are_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    build.require_same(tmp_path / "a", tmp_path / "a")
    with pytest.raises(SystemExit, match="two builds of a differ"):
        build.require_same(tmp_path / "a", tmp_path / "b")


def test_a_wheel_names_the_commit_only_if_its_files_are_those_of_the_commit(tree, monkeypatch):
    commit = _git(tree, "rev-parse", "HEAD")
    assert commit_hook.clean_commit(tree) == commit
    assert commit_hook.clean_commit(tree / "src") is None  # a part of something else
    monkeypatch.setenv("GIT_DIR", "/nonexistent")  # as in a hook of git
    assert commit_hook.clean_commit(tree) == commit
    _new_file(tree)
    assert commit_hook.clean_commit(tree) is None


def test_without_git_a_wheel_names_no_commit(tree, tmp_path, monkeypatch):
    assert commit_hook.clean_commit(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_hook.clean_commit(tree) is None


@pytest.mark.slow
def test_two_builds_and_one_of_the_sdist_are_the_same_and_name_the_commit(tmp_path):
    built = build.build_twice(tmp_path, "c0ffee" * 6 + "c0ff", 1_800_000_000)
    with zipfile.ZipFile(built.wheel) as wheel:
        assert wheel.read("ccgpu/commit.txt").decode() == "c0ffee" * 6 + "c0ff\n"
        assert {one.date_time for one in wheel.infolist()} == {(2027, 1, 15, 8, 0, 0)}
    out = tmp_path / "out"
    release.write_release(out, built, 1_800_000_000)
    names = [*sorted((built.wheel.name, f"ccgpu-{__version__}.cdx.json")), built.sdist.name]
    lines = [line.split("  ") for line in (out / release.SUMS).read_text().splitlines()]
    assert [name for _, name in lines] == names
    for digest, name in lines:
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == digest


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A file with the name of a wheel."""
    file = tmp_path_factory.mktemp("wheel") / "ccgpu-1.2.3-py3-none-any.whl"
    file.write_bytes(b"a wheel")
    return file


@pytest.fixture(scope="module")
def bill(wheel):
    """The bill of materials of that wheel."""
    return json.loads(sbom.make(wheel, 1_800_000_000, _LOCK))


@pytest.mark.slow
def test_the_bill_lists_every_locked_package_with_its_hashes(bill):
    pins = dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", _LOCK))
    listed = {one["name"]: one for one in bill["components"]}
    assert {name: one["version"] for name, one in listed.items()} == pins
    for name, one in listed.items():
        assert one["purl"] == f"pkg:pypi/{name}@{pins[name]}"
    hashes = [each["content"] for one in listed.values() for each in one["hashes"]]
    assert sorted(hashes) == sorted(re.findall(r"--hash=sha256:([0-9a-f]{64})", _LOCK))


def test_the_bill_is_of_this_wheel_and_time(bill, wheel):
    own = bill["metadata"]["component"]
    assert (bill["specVersion"], own["purl"]) == ("1.6", "pkg:pypi/ccgpu@1.2.3")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert own["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert bill["metadata"]["timestamp"] == "2027-01-15T08:00:00+00:00"


def test_everything_in_the_bill_is_needed_by_ccgpu(bill):
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    reached, waiting = set(), [bill["metadata"]["component"]["bom-ref"]]
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting += needs[one]
    assert reached == needs.keys()


@pytest.mark.slow
def test_the_same_wheel_gives_the_same_bill_and_another_one_another(bill, wheel, tmp_path):
    again = sbom.make(wheel, 1_800_000_000, _LOCK)
    assert json.loads(again) == bill
    other = tmp_path / wheel.name
    other.write_bytes(b"another wheel")
    assert (
        json.loads(sbom.make(other, 1_800_000_000, _LOCK))["serialNumber"] != bill["serialNumber"]
    )


@pytest.mark.parametrize(
    "lock",
    [
        "typer>=0.1\n",
        "typer==0.1 \\\n    # via ccgpu\n",
        f"typer==0.1 \\\n    --hash=sha256:{'0' * 64}\n",
        f"typer==0.1 \\\n    --hash=sha256:{'0' * 64}\n    # via ccgpu\nrich==1\n",
    ],
)
def test_a_lock_that_says_less_is_refused(wheel, lock):
    with pytest.raises(ValueError, match=r"requirements\.lock"):
        sbom.make(wheel, 0, lock)


@pytest.mark.slow
def test_a_bill_that_is_not_as_the_schema_says_is_refused(bill):
    sbom.require_valid(json.dumps(bill))
    with pytest.raises(ValueError, match="schema of CycloneDX"):
        sbom.require_valid(json.dumps(bill).replace('"application"', '"programme"'))


def _workflow():
    return yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())


def test_the_workflow_gives_each_job_no_more_than_it_needs():
    workflow = _workflow()
    assert workflow["permissions"] == {}
    assert {name: job["permissions"] for name, job in workflow["jobs"].items()} == {
        "build": {"contents": "read"},
        "attest": {"id-token": "write", "attestations": "write"},
        "publish": {"id-token": "write"},
        "announce": {"contents": "write"},
    }
    assert "secrets." not in (ROOT / ".github" / "workflows" / "release.yml").read_text()


def test_the_workflow_publishes_what_was_built_checked_and_attested():
    jobs = _workflow()["jobs"]
    assert [jobs[name].get("needs") for name in jobs] == [None, "build", "attest", "publish"]
    (make,) = [step["run"] for step in jobs["build"]["steps"] if "run" in step]
    assert make == 'python3 scripts/dev.py release --tag "$TAG" --out dist'
    checkouts = [
        name
        for name, job in jobs.items()
        for step in job["steps"]
        if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert checkouts == ["build"]  # no other job runs code of the repository


def test_every_action_is_pinned_by_a_commit_and_named_by_a_version():
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    used = re.findall(r"uses: (.*)", text)
    assert len(used) == 7
    for one in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", one), one
