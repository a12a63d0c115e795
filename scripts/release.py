"""Makes a release: sdist, wheel, bill of materials and SHA256SUMS, in `dist` or a folder.

    python3 scripts/dev.py release [--tag TAG] [--out FOLDER]

It refuses changed files, and a version that CHANGELOG.md does not describe. With `--tag`, which the
release workflow gives, also a tag that is not of this version and commit, and changes that are
still listed as unreleased. docs/releasing.md says how to release, and how users check the files.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import changelog
from build import Artefacts, build_twice, commit_time, git
from commands import ROOT, fail, run, say
from environment import BIN
from wheel import check_installed

SUMS = "SHA256SUMS"


def release(arguments: list[str]) -> None:
    """Check the tree, build, write everything to the folder, and run what was built."""
    options = argparse.ArgumentParser(prog="dev.py release", description="Make a release.")
    options.add_argument("--tag", help="the tag of this release, such as v0.1.0")
    options.add_argument("--out", type=Path, default=ROOT / "dist", help="a new or empty folder")
    given = options.parse_args(arguments)
    out: Path = given.out.resolve()
    if out.exists() and any(out.iterdir()):
        fail(f"{out} is not empty", "name another folder with `--out`, or remove it")
    commit = require_releasable(ROOT, given.tag)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        epoch = commit_time()
        ready = folder / "release"
        wheel = write_release(ready, build_twice(folder, commit, epoch), epoch)
        _require_own_version(check_installed(folder, wheel), commit)
        shutil.copytree(ready, out, dirs_exist_ok=True)
    say(f"{changelog.package_version()} of commit {commit} is in {out}")


def require_releasable(root: Path, tag: str | None) -> str:
    """The commit to release; end if the tree, the changelog or the tag is against it."""
    if changed := git(root, "status", "--porcelain"):
        fail(f"files are changed, or new:\n{changed}", "commit or remove them")
    commit = git(root, "rev-parse", "--verify", "HEAD^{commit}").strip()
    version = changelog.package_version(root)
    try:
        changelog.released(root)
    except (LookupError, ValueError) as err:
        fail(str(err), "write it: docs/releasing.md says how")
    if tag is not None:
        _require_tag(root, tag, version, commit)
    return commit


def _require_tag(root: Path, tag: str, version: str, commit: str) -> None:
    if tag != f"v{version}":
        fail(f"the tag is {tag}, but the version is {version}", f"tag this commit v{version}")
    tagged = git(root, "rev-parse", "--verify", f"refs/tags/{tag}^{{commit}}").strip()
    if tagged != commit:
        fail(f"{tag} is {tagged}, but this is {commit}", f"`git switch --detach {tag}`")
    listed = changelog.sections((root / changelog.CHANGELOG.name).read_text("utf-8"))
    unreleased = listed.get(changelog.UNRELEASED)
    if unreleased is not None and unreleased.text:
        fail(
            "CHANGELOG.md has changes under [Unreleased]",
            f"move them to the section of {version}, or tag the commit before them",
        )


def write_release(out: Path, built: Artefacts, epoch: int) -> Path:
    """Copy what was built to the new folder, and write the bill of materials and the digests.

    Returns:
        The wheel there.
    """
    out.mkdir()
    for each in built:
        shutil.copyfile(each, out / each.name)
    sbom = out / f"ccgpu-{changelog.package_version()}.cdx.json"
    run(BIN / "python", "scripts/sbom.py", out / built.wheel.name, str(epoch), sbom)
    files = sorted(one for one in out.iterdir() if one.name != SUMS)
    (out / SUMS).write_text("".join(map(_sum, files)), "ascii")
    return out / built.wheel.name


def _sum(file: Path) -> str:
    """The line of `sha256sum --check`."""
    return f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n"


def _require_own_version(ccgpu: Path, commit: str) -> None:
    shown = subprocess.run([ccgpu, "--version", "-o", "json"], capture_output=True, check=True)
    found = json.loads(shown.stdout)
    if (found["version"], found["commit"]) != (changelog.package_version(), commit):
        fail(f"the installed ccgpu names another version or commit: {found}", "please report it")
