"""Evidence in a file that somebody signed: both are of the same bytes, which are read once."""

from pathlib import Path

from ccgpu.domain.evidence import Evidence
from ccgpu.domain.signers import SignedFile, Signer
from ccgpu.errors import UsageProblem
from ccgpu.store import evidence as files
from ccgpu.store.bundles import signature_beside
from ccgpu.store.evidence.limits import read_bytes

_MAX_SIGNATURE = 64 * 1024  # bytes; one of an RSA key has 2 KB


def read_signed(
    path: Path, format_: str | None, signature: Path | None, signers: list[Signer]
) -> tuple[Evidence, SignedFile]:
    """The evidence, and what is signed.

    signature: its file; None for the one beside the evidence, which may be absent.

    Raises:
        InvalidFile: Evidence or signature cannot be read.
        UsageProblem: The evidence is a folder, which nobody can sign.
    """
    if path.is_dir():
        raise UsageProblem(
            f"{path} is a folder, and a signature is one of a file",
            hint="save it as a bundle (`--save FILE`), and have that signed",
        )
    data = read_bytes(path)
    file = signature or signature_beside(path)
    there = signature is not None or file.exists()
    signed = SignedFile(data, read_bytes(file, _MAX_SIGNATURE) if there else None, signers)
    return files.parse_evidence(path, data, format_), signed
