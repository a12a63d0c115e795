"""Debian packages without content, and a signed folder of them as a package source."""

import hashlib
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_INSTALL = "#!/bin/sh\nset -e\n"


@dataclass(frozen=True)
class Package:
    """A package: its files by path, its dependencies, and what it runs when it is configured."""

    name: str
    version: str
    depends: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    configure: str = ""

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}_{self.version}_amd64.deb"

    @property
    def control(self) -> str:
        """Its control fields (deb-control(5))."""
        depends = f"Depends: {self.depends}\n" if self.depends else ""
        return (
            f"Package: {self.name}\nVersion: {self.version}\nArchitecture: amd64\n{depends}"
            "Maintainer: Tests <tests@example.com>\nDescription: for tests\n"
        )


def build(package: Package, folder: Path, work: Path) -> None:
    """Put the package's file into `folder`; programs below `bin` can be executed."""
    tree = work / package.file
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(package.control)
    if package.configure:
        script = tree / "DEBIAN/postinst"
        script.write_text(f"{_INSTALL}{package.configure}\n")
        script.chmod(0o755)
    for path, text in package.files.items():
        file = tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if "/bin/" in path else 0o644)
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def source(
    folder: Path, packages: Iterable[Package], key: "SigningKey", work: Path, **said: str
) -> None:
    """Make `folder` a flat package source with these packages; its Release says `said`."""
    folder.mkdir(parents=True)
    index = []
    for package in packages:
        build(package, folder, work / folder.name)
        raw = (folder / package.file).read_bytes()
        index.append(
            f"{package.control}Filename: ./{package.file}\nSize: {len(raw)}\n"
            f"SHA256: {hashlib.sha256(raw).hexdigest()}\n"
        )
    listed = "\n".join(index).encode()
    (folder / "Packages").write_bytes(listed)
    fields = {"Date": "Sat, 28 Nov 2026 00:00:00 UTC", **said}
    head = "".join(f"{name}: {value}\n" for name, value in fields.items())
    entry = f"SHA256:\n {hashlib.sha256(listed).hexdigest()} {len(listed)} Packages\n"
    (folder / "InRelease").write_bytes(key.sign(head + entry))


class SigningKey:
    """A key for package sources, made for one run."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700, parents=True)
        self._gpg = ["gpg", "--homedir", str(home), "--batch", "--pinentry-mode", "loopback"]
        make = ["--passphrase", "", "--quick-gen-key", "Tests <tests@example.com>", "ed25519"]
        subprocess.run([*self._gpg, *make, "sign"], check=True, capture_output=True)

    @property
    def public(self) -> str:
        """The public key, in ASCII."""
        command = [*self._gpg, "--armor", "--export"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def sign(self, text: str) -> bytes:
        """The text, signed in clear."""
        command = [*self._gpg, "--clearsign"]
        return subprocess.run(command, check=True, capture_output=True, input=text.encode()).stdout
