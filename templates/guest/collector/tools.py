"""The TPM by tpm2-tools, where they are installed (tpm2-tools 5; their manual pages).

They are called by absolute paths, in an environment of their own. What they write goes to pipes and
to memory without a name, so that no file is left.
"""

import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ccgpu.templates.guest.collector.settings import PROGRAM_ENVIRONMENT, CollectorError
from ccgpu.templates.guest.collector.tpm import AGAIN, AK, NO_SUCH_HANDLE, PCRS, TpmError

TOOLS = ("nvdefine", "nvread", "nvreadpublic", "nvwrite", "pcrextend", "pcrread", "quote")
DIGEST_SIZE = 32  # bytes of SHA-256
RESPONSE_CODE = re.compile(rb"\(0x([0-9a-fA-F]+)\)")  # in the messages of every tool
SIZE = re.compile(rb"^\s*size: ([0-9]+)$", re.MULTILINE)


class TpmTools:
    """A TPM behind a device, spoken to by tpm2-tools in the folder `programs`."""

    def __init__(self, programs: Path, device: Path, seconds: float) -> None:
        self._programs = programs
        self._environ = {**PROGRAM_ENVIRONMENT, "TPM2TOOLS_TCTI": f"device:{device}"}
        self._seconds = seconds

    @property
    def are_installed(self) -> bool:
        """Whether every tool that is needed is there."""
        return all(os.access(self._programs / f"tpm2_{name}", os.X_OK) for name in TOOLS)

    def nv_size(self, index: int) -> int | None:
        """The size of an NV index in bytes; None if it is not defined."""
        try:
            public = self._run("nvreadpublic", [hex(index)])
        except TpmError as err:
            if err.rc == NO_SUCH_HANDLE:
                return None
            raise
        found = SIZE.search(public)
        if found is None:
            raise CollectorError("tpm.error", "tpm2_nvreadpublic tells no size")
        return int(found[1])

    def nv_read(self, index: int, size: int, start: int = 0) -> bytes:
        """The content of an NV index of `size` bytes, from byte `start` on."""
        wanted = size - start
        words = [hex(index), "-C", "o", "-s", str(wanted), "--offset", str(start)]
        content = self._run("nvread", words)
        if len(content) != wanted:
            raise CollectorError("tpm.error", "tpm2_nvread reads less than it was asked for")
        return content

    def nv_define(self, index: int, size: int) -> None:
        """Define an NV index that the owner reads and writes."""
        words = [hex(index), "-C", "o", "-g", "sha256", "-s", str(size)]
        self._run("nvdefine", ["-Q", *words, "-a", "ownerread|ownerwrite"])

    def nv_write(self, index: int, data: bytes) -> None:
        """Write the whole content of an NV index."""
        self._run("nvwrite", ["-Q", hex(index), "-C", "o", "-i", "-"], data)

    def pcrs(self) -> list[bytes]:
        """The values of all PCRs of the SHA-256 bank."""
        with unnamed_file() as file:
            self._run("pcrread", ["-Q", "sha256:all", "-o", path_of(file)], kept=[file])
            raw = content_of(file)
        if len(raw) != PCRS * DIGEST_SIZE:
            raise CollectorError("tpm.error", "the TPM has no complete SHA-256 bank of PCRs")
        return [raw[at : at + DIGEST_SIZE] for at in range(0, len(raw), DIGEST_SIZE)]

    def pcr_extend(self, pcr: int, digest: bytes) -> None:
        """Extend a PCR of the SHA-256 bank by a digest of 32 bytes."""
        self._run("pcrextend", [f"{pcr}:sha256={digest.hex()}"])

    def quote(self, qualifying_data: bytes) -> tuple[bytes, bytes]:
        """TPMS_ATTEST and TPMT_SIGNATURE of all PCRs, by the scheme of the key."""
        words = ["-Q", "-c", hex(AK), "-l", "sha256:all", "-g", "sha256"]
        words += ["-q", qualifying_data.hex()]
        with unnamed_file() as message, unnamed_file() as signature:
            words += ["-m", path_of(message), "-s", path_of(signature)]
            self._run("quote", words, kept=[message, signature])
            return content_of(message), content_of(signature)

    def _run(
        self, name: str, words: Sequence[str], given: bytes = b"", kept: Sequence[int] = ()
    ) -> bytes:
        """The output of a tool, which inherits the descriptors `kept`. A busy TPM is asked again.

        The code of the TPM decides, not how the tool ends: some end by a crash after it.
        """
        end = time.monotonic() + self._seconds
        while True:
            done = self._run_once(name, words, given, kept)
            if done.returncode == 0:
                return done.stdout
            codes = [int(code, 16) for code in RESPONSE_CODE.findall(done.stderr)]
            if not codes:
                said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
                why = ": ".join([f"exit code {done.returncode}", *said])
                raise CollectorError("tpm.error", f"tpm2_{name} failed: {why}")
            if codes[-1] not in AGAIN or time.monotonic() > end:
                raise TpmError(f"tpm2_{name}", codes[-1])
            time.sleep(0.02)

    def _run_once(
        self, name: str, words: Sequence[str], given: bytes, kept: Sequence[int]
    ) -> "subprocess.CompletedProcess[bytes]":
        try:
            return subprocess.run(  # noqa: S603  # an absolute path, and words of our own
                [self._programs / f"tpm2_{name}", *words],
                input=given,
                capture_output=True,
                env=self._environ,
                pass_fds=kept,
                timeout=self._seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as err:
            message = f"the TPM gives no answer to tpm2_{name} within {self._seconds:g} seconds"
            raise CollectorError("tpm.error", message) from err
        except OSError as err:
            raise CollectorError("tpm.error", f"tpm2_{name} cannot be run: {err}") from err


@contextmanager
def unnamed_file() -> Iterator[int]:
    """A descriptor of an empty file in memory, which has no name and is gone when it is closed."""
    descriptor = os.memfd_create("ccgpu")
    try:
        yield descriptor
    finally:
        with suppress(OSError):
            os.close(descriptor)


def path_of(descriptor: int) -> str:
    """The path by which a child that inherits the descriptor opens its file."""
    return f"/proc/self/fd/{descriptor}"


def content_of(descriptor: int) -> bytes:
    """The whole content of a file."""
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
