"""A source of packages in a folder, with packages made here by dpkg-deb."""

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from ccgpu.domain.apt_sources import AptSource


class Archive:
    """Packages in `folder`; apt is told about them by `publish`."""

    def __init__(self, folder: Path) -> None:
        if not shutil.which("dpkg-deb") or not shutil.which("apt-get"):
            pytest.skip("needs dpkg and apt")
        self.folder = folder
        (folder / "pool").mkdir(parents=True)

    def add(
        self, name: str, version: str, *, depends: str = "", files: Mapping[str, bytes] = {}
    ) -> None:
        """Make a package."""
        tree = self.folder / "tree"
        (tree / "DEBIAN").mkdir(parents=True)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\n"
        control += "Maintainer: nobody <nobody@example.org>\nDescription: a stand-in\n"
        control += f"Depends: {depends}\n" if depends else ""
        (tree / "DEBIAN" / "control").write_text(control)
        for path, data in files.items():
            file = tree / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            file.chmod(0o755)
        target = self._file(name, version)
        command = ["dpkg-deb", "-Znone", "--root-owner-group", "-b", str(tree), str(target)]
        subprocess.run(command, check=True, capture_output=True)
        shutil.rmtree(tree)

    def remove(self, name: str, version: str = "*") -> None:
        """Take a package away."""
        for file in self.folder.glob(f"pool/{name}_{version}.deb"):
            file.unlink()

    def publish(self) -> AptSource:
        """List the packages; nobody has signed the list, which `trusted` says."""
        stanzas = []
        for file in sorted(self.folder.glob("pool/*.deb")):
            shown = subprocess.run(["dpkg-deb", "-f", file], check=True, capture_output=True)
            data = file.read_bytes()
            facts = f"Filename: pool/{file.name}\nSize: {len(data)}\n"
            facts += f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
            stanzas.append(shown.stdout.decode() + facts)
        lists = self.folder / "dists" / "stand-in" / "main" / "binary-amd64"
        lists.mkdir(parents=True, exist_ok=True)
        (lists / "Packages").write_text("\n".join(stanzas))
        packages = (lists / "Packages").read_bytes()
        (lists.parents[1] / "Release").write_text(
            "Suite: stand-in\nCodename: stand-in\nComponents: main\nArchitectures: amd64\n"
            f"SHA256:\n {hashlib.sha256(packages).hexdigest()} {len(packages)} "
            "main/binary-amd64/Packages\n"
        )
        return _Trusted(f"file:{self.folder}", "stand-in", ("main",))

    def sign(self) -> str:
        """Sign the list with a new key; returns the line of a recipe for this source."""
        if not shutil.which("gpg"):
            pytest.skip("needs gpg")
        home, release = self.folder / "gpg", self.folder / "dists" / "stand-in" / "Release"
        home.mkdir(mode=0o700)
        gpg = ["gpg", "--homedir", str(home), "--batch", "-q"]
        keyring = self.folder / "key.gpg"
        make = ["--passphrase", "", "--quick-gen-key", "stand-in@example.org", "ed25519", "sign"]
        try:
            for words in (
                make,
                ["--clearsign", "-o", str(release.with_name("InRelease")), str(release)],
                ["-o", str(keyring), "--export"],
            ):
                subprocess.run([*gpg, *words], check=True, capture_output=True)
        finally:
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
        return f"deb [signed-by={keyring}] file:{self.folder} stand-in main"

    def _file(self, name: str, version: str) -> Path:
        return self.folder / "pool" / f"{name}_{version.replace(':', '%3a')}.deb"


class _Trusted(AptSource):
    """A source without a signature, as no recipe can name one."""

    __slots__ = ()

    @property
    def line(self) -> str:
        """The source in one line."""
        return f"deb [trusted=yes] {self.uri} {self.suite} {' '.join(self.components)}"
