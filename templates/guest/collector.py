"""Collects the evidence of a confidential GPU VM, and prints it as one JSON document.

It is sent over the channel and never stored in the VM:
`python3 -I -S - ccgpu-collect REQUEST`, with REQUEST = `{"nonce": "<64 hex>", "release": false}`.
It needs root, Python 3.10 and nothing else. The answer is described in `ccgpu/guest/collector.py`.

Everything is bound to the nonce by `ccgpu-bind-v1` (docs/trust.md), from the VM's own values only.
No program is looked up in PATH. The TPM is spoken to in bare commands. NVIDIA's library runs in a
process of its own, since a hung driver cannot be interrupted.
"""

import argparse
import base64
import ctypes
import fcntl
import hashlib
import http.client
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType
from typing import Any

BUNDLE, ERROR = "ccgpu.bundle/1", "ccgpu.collector-error/1"
BINDING = "ccgpu-bind-v1"
TOOL = "ccgpu-collect/1"

HOST_KEY = "etc/ssh/ssh_host_ed25519_key.pub"
EVENT_LOG = "sys/kernel/security/tpm0/binary_bios_measurements"
EVENT_LOG_LIMIT = 1024 * 1024  # bytes; Azure's logs stay below 64 KiB
THIM_PATH = "/metadata/THIM/amd/certification"  # Azure THIM; the VCEK and AMD's chain
THIM_LIMIT = 64 * 1024  # bytes; real answers have 8 KB
# Seconds for each step. The sum is below the time limit of the client.
LIMITS = {"lock": 20.0, "claims": 15.0, "imds": 10.0, "gpu": 60.0, "tpm": 10.0, "openssl": 10.0}


class CollectorError(Exception):
    """The evidence cannot be collected. `code` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Settings:
    """Where the VM's parts are. The defaults are those of every VM; tests use others.

    root: the folder that stands for `/`. tpm: an open descriptor, or None for /dev/tpmrm0.
    imds: host and port of Azure's metadata service. limits: seconds, by step.
    """

    root: Path
    tpm: int | None
    imds: tuple[str, int]
    limits: Mapping[str, float]


@contextmanager
def time_limit(seconds: float, code: str, message: str) -> Iterator[None]:
    """Raise `CollectorError` if the block has not ended after so many seconds."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise CollectorError(code, message)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# --- The TPM (TCG TPM 2.0 Library, Part 2: structures, Part 3: commands; big endian) ---

NV_HCL, NV_USER_DATA = 0x01400001, 0x01400002  # Azure CVM guest attestation design
AK = 0x81000003  # the same; the private half of HCLAkPub
OWNER = 0x40000001  # TPM_RH_OWNER
NO_SESSIONS, SESSIONS = 0x8001, 0x8002  # TPM_ST
EMPTY_PASSWORD = struct.pack(">IIHBH", 9, 0x40000009, 0, 0, 0)  # TPM_RS_PW, Part 1, §19.4
COMMANDS = {
    "NV_DefineSpace": 0x12A,
    "NV_Write": 0x137,
    "NV_Read": 0x14E,
    "Quote": 0x158,
    "NV_ReadPublic": 0x169,
    "PCR_Read": 0x17E,
}
AGAIN = (0x908, 0x90A, 0x922)  # TPM_RC_YIELDED, TPM_RC_TESTING, TPM_RC_RETRY
NO_SUCH_HANDLE = 0x18B  # TPM_RC_HANDLE of the first handle
CHUNK = 1024  # bytes of an NV index that one command reads; a TPM may refuse more
ANSWER_LIMIT = 4096  # bytes of one answer, the buffer of Linux's TPM driver
USER_DATA_SIZE = 64
SHA256, RSASSA = 0x000B, 0x0014
PCRS = 24
PCRS_AT_ONCE = 8  # PCR_Read answers with at most so many digests
OWNER_READ_WRITE = 0x00020002  # TPMA_NV_OWNERREAD, TPMA_NV_OWNERWRITE
QUOTE_TRIES = 5  # a PCR may be extended between the quote and the reading of the values


class TpmError(CollectorError):
    """The TPM refused a command. `rc`: its response code."""

    def __init__(self, name: str, rc: int) -> None:
        super().__init__("tpm.error", f"the TPM answers {name} with the code {rc:#05x}")
        self.rc = rc


class Tpm:
    """A TPM behind a descriptor: a device of Linux, or a socket."""

    def __init__(self, descriptor: int, seconds: float) -> None:
        self._descriptor = descriptor
        self._seconds = seconds

    def command(
        self, name: str, handles: Sequence[int], parameters: bytes = b"", *, sessions: bool = True
    ) -> bytes:
        """The parameters of the answer. A TPM that is busy is asked again."""
        body = struct.pack(f">{len(handles)}I", *handles)
        body += (EMPTY_PASSWORD if sessions else b"") + parameters
        tag = SESSIONS if sessions else NO_SESSIONS
        whole = struct.pack(">HII", tag, 10 + len(body), COMMANDS[name]) + body
        end = time.monotonic() + self._seconds
        while True:
            code, answer = self._exchange(whole, name)
            if code == 0:
                break
            if code not in AGAIN or time.monotonic() > end:
                raise TpmError(name, code)
            time.sleep(0.02)
        if not sessions:
            return answer
        size = int.from_bytes(answer[:4], "big")
        return answer[4 : 4 + size]

    def _exchange(self, whole: bytes, name: str) -> tuple[int, bytes]:
        """Send a command; returns the response code, and what follows it."""
        answer, size = b"", 10
        end = time.monotonic() + self._seconds
        try:
            while whole:
                whole = whole[os.write(self._descriptor, whole) :]
            while len(answer) < size:
                left = max(0.0, end - time.monotonic())
                ready, _, _ = select.select([self._descriptor], [], [], left)
                part = os.read(self._descriptor, ANSWER_LIMIT) if ready else b""
                if not part:
                    what = "closed the connection" if ready else f"gives no answer to {name}"
                    raise CollectorError("tpm.error", f"the TPM {what}")
                answer += part
                if len(answer) >= 10:
                    size = int.from_bytes(answer[2:6], "big")
        except OSError as err:
            raise CollectorError("tpm.error", f"the TPM cannot be reached: {err}") from err
        if not 10 <= size == len(answer) <= ANSWER_LIMIT:
            raise CollectorError("tpm.error", f"the answer of the TPM to {name} is malformed")
        return int.from_bytes(answer[6:10], "big"), answer[10:]

    def nv_size(self, index: int) -> int | None:
        """The size of an NV index in bytes; None if it is not defined."""
        try:
            answer = self.command("NV_ReadPublic", [index], sessions=False)
        except TpmError as err:
            if err.rc == NO_SUCH_HANDLE:
                return None
            raise
        public, _ = sized(answer)  # TPMS_NV_PUBLIC: it ends with the size
        return int.from_bytes(public[-2:], "big")

    def nv_read(self, index: int, size: int) -> bytes:
        """The content of an NV index, of `size` bytes."""
        content = b""
        while len(content) < size:
            wanted = min(CHUNK, size - len(content))
            parameters = struct.pack(">HH", wanted, len(content))
            part, _ = sized(self.command("NV_Read", [OWNER, index], parameters))
            if len(part) != wanted:
                raise CollectorError("tpm.error", "the TPM reads less than it was asked for")
            content += part
        return content

    def nv_write(self, index: int, data: bytes) -> None:
        """Write the whole content of an NV index; it is defined if it does not exist."""
        size = self.nv_size(index)
        if size is None:
            public = struct.pack(">IHIHH", index, SHA256, OWNER_READ_WRITE, 0, len(data))
            parameters = bytes(2) + struct.pack(">H", len(public)) + public
            self.command("NV_DefineSpace", [OWNER], parameters)
        elif size != len(data):
            raise CollectorError(
                "tpm.error", f"NV index {index:#010x} has {size} bytes instead of {len(data)}"
            )
        parameters = struct.pack(">H", len(data)) + data + bytes(2)
        self.command("NV_Write", [OWNER, index], parameters)

    def pcrs(self) -> list[bytes]:
        """The values of all PCRs of the SHA-256 bank."""
        values: list[bytes] = []
        for first in range(0, PCRS, PCRS_AT_ONCE):
            bitmap = (((1 << PCRS_AT_ONCE) - 1) << first).to_bytes(3, "little")
            answer = self.command("PCR_Read", [], selection(bitmap), sessions=False)
            # pcrUpdateCounter (4), TPML_PCR_SELECTION (10), number of digests (4), digests
            if answer[4:14] != selection(bitmap):
                raise CollectorError("tpm.error", "the TPM has no complete SHA-256 bank of PCRs")
            rest = answer[18:]
            for _ in range(PCRS_AT_ONCE):
                value, rest = sized(rest)
                values.append(value)
        return values

    def quote(self, qualifying_data: bytes) -> tuple[bytes, bytes, list[bytes]]:
        """TPMS_ATTEST and TPMT_SIGNATURE of all PCRs, and the values that were quoted."""
        scheme = struct.pack(">HH", RSASSA, SHA256)
        data = struct.pack(">H", len(qualifying_data)) + qualifying_data
        for _ in range(QUOTE_TRIES):
            answer = self.command("Quote", [AK], data + scheme + selection(b"\xff" * 3))
            message, signature = sized(answer)
            values = self.pcrs()
            if message.endswith(hashlib.sha256(b"".join(values)).digest()):
                return message, signature, values
        raise CollectorError("tpm.error", "the PCRs change all the time")


def sized(data: bytes) -> tuple[bytes, bytes]:
    """The buffer that `data` begins with (2 bytes size), and the rest."""
    end = 2 + int.from_bytes(data[:2], "big")
    if len(data) < max(2, end):
        raise CollectorError("tpm.error", "an answer of the TPM is too short")
    return data[2:end], data[end:]


def selection(bitmap: bytes) -> bytes:
    """These PCRs of the SHA-256 bank (TPML_PCR_SELECTION)."""
    return struct.pack(">IHB", 1, SHA256, len(bitmap)) + bitmap


@contextmanager
def open_tpm(settings: Settings) -> Iterator[Tpm]:
    """The TPM of the VM."""
    limit = settings.limits["tpm"]
    if settings.tpm is not None:
        yield Tpm(settings.tpm, limit)
        return
    device = settings.root / "dev/tpmrm0"
    try:
        descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError as err:
        raise CollectorError("tpm.absent", f"the VM has no TPM: {device} does not exist") from err
    except OSError as err:
        raise CollectorError("tpm.error", f"the TPM cannot be opened: {err}") from err
    try:
        yield Tpm(descriptor, limit)
    finally:
        os.close(descriptor)


# --- The HCL blob (Azure CVM guest attestation design, report format; little endian) ---

REPORT_DATA = slice(0x70, 0x90)  # the first half of REPORT_DATA in the SNP report at 0x20
CLAIMS_SIZE = slice(0x4D0, 0x4D4)
CLAIMS_START = 0x4D4


@dataclass(frozen=True)
class Claims:
    """The runtime claims of an HCL blob.

    vm_id: vmUniqueId in lower case. modulus: that of HCLAkPub, big endian. user_data: 64 bytes, or
    none. whole: the report in the same blob is about these claims.
    """

    vm_id: str
    modulus: bytes
    user_data: bytes
    whole: bool


def parse_claims(blob: bytes) -> Claims:
    """The claims in an HCL blob."""
    try:
        raw = blob[CLAIMS_START:][: int.from_bytes(blob[CLAIMS_SIZE], "little")]
        document = json.loads(raw)
        (key,) = [one for one in document["keys"] if one["kid"] == "HCLAkPub"]
        modulus = base64.urlsafe_b64decode(key["n"] + "=" * (-len(key["n"]) % 4))
        vm_id = document["vm-configuration"]["vmUniqueId"].lower()
        user_data = bytes.fromhex(document.get("user-data", ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as err:
        message = f"the runtime claims of the VM cannot be read: {type(err).__name__}: {err}"
        raise CollectorError("claims.malformed", message) from err
    return Claims(vm_id, modulus, user_data, hashlib.sha256(raw).digest() == blob[REPORT_DATA])


def read_claims(tpm: Tpm, seconds: float, bound: bytes | None = None) -> tuple[bytes, Claims]:
    """The HCL blob and its claims; with `bound`, once the claims show these 64 bytes.

    The paravisor may change the blob between two reads. Such a blob is read again; if it stays
    inconsistent it is returned as it is, for the verifier to refuse.
    """
    size = tpm.nv_size(NV_HCL)
    if size is None:
        message = f"the TPM has no NV index {NV_HCL:#010x}: not an Azure confidential VM"
        raise CollectorError("claims.absent", message)
    end = time.monotonic() + seconds
    while True:
        blob = tpm.nv_read(NV_HCL, size)
        late = time.monotonic() > end
        try:
            claims = parse_claims(blob)
        except CollectorError:
            if late:
                raise
        else:
            shown = bound is None or claims.user_data == bound
            if shown and (claims.whole or late):
                return blob, claims
            if late:
                message = f"the runtime claims do not show what was written {seconds:g} seconds ago"
                raise CollectorError("claims.late", message)
        time.sleep(0.2)


# --- The binding (docs/trust.md) ---


def prefixed(*parts: bytes) -> bytes:
    """Each part after its length (4 bytes, big endian)."""
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def bind(nonce: bytes, host_key: bytes, recipient_key: bytes, vm_id: str) -> bytes:
    """B, 64 bytes."""
    key = hashlib.sha256(host_key).digest()
    parts = (BINDING.encode(), nonce, key, recipient_key, vm_id.encode())
    return hashlib.sha512(prefixed(*parts)).digest()


def nonce_of_gpu(bound: bytes, modulus: bytes) -> bytes:
    """The nonce of the GPU's report, 32 bytes."""
    return hashlib.sha256(prefixed(b"ccgpu-gpu", bound, hashlib.sha256(modulus).digest())).digest()


def qualifying_data(bound: bytes, *collected: bytes) -> bytes:
    """The qualifying data of the quote, 32 bytes, over everything that was collected."""
    digest = hashlib.sha256(prefixed(*collected)).digest()
    return hashlib.sha256(prefixed(b"ccgpu-quote", bound, digest)).digest()


# --- The VM's own values ---


@contextmanager
def locked_host_key(settings: Settings) -> Iterator[bytes]:
    """The blob of the SSH host key. Its file is locked: one collection at a time in a VM."""
    file = settings.root / HOST_KEY
    try:
        stream = file.open("rb")
    except OSError as err:
        raise CollectorError("host-key.absent", f"the SSH host key cannot be read: {err}") from err
    with stream:
        end = time.monotonic() + settings.limits["lock"]
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as err:
                if time.monotonic() > end:
                    raise CollectorError(
                        "busy", "another collection runs in the VM; try again"
                    ) from err
                time.sleep(0.1)
        yield parse_host_key(stream.read(4096))


def parse_host_key(line: bytes) -> bytes:
    """The key blob in a `.pub` file."""
    words = line.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, ValueError):
        blob = b""
    if not blob.startswith(b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20") or len(blob) != 51:
        raise CollectorError("host-key.absent", f"/{HOST_KEY} holds no ssh-ed25519 key")
    return blob


def read_event_log(settings: Settings) -> bytes:
    """The event log of the boot; empty if the VM has none."""
    try:
        with (settings.root / EVENT_LOG).open("rb") as stream:
            log = stream.read(EVENT_LOG_LIMIT + 1)
    except OSError:
        return b""
    if len(log) > EVENT_LOG_LIMIT:
        raise CollectorError("event-log.large", "the event log has more than 1 MiB")
    return log


def fetch_thim(settings: Settings) -> bytes:
    """AMD's certificates for this machine, from Azure, unchanged. A busy service is asked again."""
    limit, last = settings.limits["imds"], "no answer"
    slow = f"Azure's metadata service took more than {limit:g} seconds"
    with time_limit(limit, "imds.slow", slow):
        while True:
            try:
                status, body = get(settings.imds, THIM_PATH)
            except (OSError, http.client.HTTPException) as err:
                time.sleep(0.5)  # the time limit ends this
                last = str(err)
                continue
            if status == 200 and len(body) <= THIM_LIMIT:
                return body
            if status != 429 and status < 500:
                break
            time.sleep(0.5)
    last = f"status {status}" if status != 200 else "too many bytes"
    raise CollectorError("imds.error", f"Azure's metadata service gives no certificates: {last}")


def get(address: tuple[str, int], path: str) -> tuple[int, bytes]:
    """Status and body of an answer of the metadata service. No proxy is ever used."""
    connection = http.client.HTTPConnection(*address)
    try:
        connection.request("GET", path, headers={"Metadata": "true", "Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read(THIM_LIMIT + 1)
    finally:
        connection.close()


# --- The key that secrets are sealed to ---

RUN = "run/ccgpu"
OPENSSL = "/usr/bin/openssl"
X25519_DER = bytes.fromhex("302a300506032b656e032100")  # RFC 8410, §4, before the 32 bytes
PROGRAM_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def make_release_key(settings: Settings) -> bytes:
    """A new X25519 key, in memory only; returns the public one (32 bytes).

    The private one goes to /run/ccgpu/release.pem, which only root reads, and replaces an old one.
    """
    refuse_disks(settings)
    private = openssl(settings, ["genpkey", "-algorithm", "X25519"])
    public = openssl(settings, ["pkey", "-pubout", "-outform", "DER"], private)
    if len(public) != len(X25519_DER) + 32 or not public.startswith(X25519_DER):
        raise CollectorError("release.error", "openssl did not make an X25519 key")
    folder = settings.root / RUN
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        there = folder.lstat()
        if there.st_uid != os.geteuid() or there.st_mode & 0o170077 != 0o040000:
            raise CollectorError("release.error", f"{folder} is not a folder of root alone")
        new = folder / f".release.{os.getpid()}"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(private)
        new.replace(folder / "release.pem")
    except OSError as err:
        raise CollectorError("release.error", f"the key cannot be kept: {err}") from err
    return public[len(X25519_DER) :]


def refuse_disks(settings: Settings) -> None:
    """Refuse a VM in which the key could reach a disk: with swap, or with /run on one."""
    try:
        swaps = (settings.root / "proc/swaps").read_bytes().splitlines()
        lines = (settings.root / "proc/mounts").read_bytes().splitlines()
    except OSError as err:
        raise CollectorError("release.error", f"/proc cannot be read: {err}") from err
    if len(swaps) > 1:
        raise CollectorError("release.swap", "swap is on: the key could reach a disk")
    mounts = [tuple(line.split()[1:3]) for line in lines]
    if not {(b"/run", b"tmpfs"), (b"/run", b"ramfs")} & set(mounts):
        raise CollectorError("release.disk", "/run is not in memory: the key could reach a disk")


def openssl(settings: Settings, arguments: Sequence[str], given: bytes = b"") -> bytes:
    """The output of openssl."""
    try:
        done = subprocess.run(  # noqa: S603  # an absolute path, and words of our own
            [OPENSSL, *arguments],
            input=given,
            capture_output=True,
            env=PROGRAM_ENVIRONMENT,
            timeout=settings.limits["openssl"],
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as err:
        raise CollectorError("release.error", f"openssl failed: {err}") from err
    return done.stdout


# --- The GPU (NVIDIA NVML, nvml.h of driver 595) ---

LIBRARIES = (
    "usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1",
    "usr/lib64/libnvidia-ml.so.1",
    "usr/lib/libnvidia-ml.so.1",
)
DRIVER_NOT_LOADED = 9  # NVML_ERROR_DRIVER_NOT_LOADED
ARCHITECTURES = {9: "HOPPER", 10: "BLACKWELL"}  # nvmlDeviceArchitecture_t
FEATURE_ENABLED = 1  # NVML_CC_SYSTEM_FEATURE_ENABLED
ENVIRONMENTS = {0: "unavailable", 1: "simulation", 2: "production"}  # NVML_CC_SYSTEM_ENVIRONMENT_*


class ConfComputeState(ctypes.Structure):
    """nvmlConfComputeSystemState_t."""

    _fields_ = [  # ctypes asks for a list
        ("environment", ctypes.c_uint),
        ("cc_feature", ctypes.c_uint),
        ("dev_tools_mode", ctypes.c_uint),
    ]


class GpuCertificate(ctypes.Structure):
    """nvmlConfComputeGpuCertificate_t."""

    _fields_ = [
        ("chain_size", ctypes.c_uint),
        ("attestation_chain_size", ctypes.c_uint),
        ("chain", ctypes.c_ubyte * 0x1000),
        ("attestation_chain", ctypes.c_ubyte * 0x1400),
    ]


class AttestationReport(ctypes.Structure):
    """nvmlConfComputeGpuAttestationReport_t; the nonce is set by the caller."""

    _fields_ = [
        ("cec_present", ctypes.c_uint),
        ("size", ctypes.c_uint),
        ("cec_size", ctypes.c_uint),
        ("nonce", ctypes.c_ubyte * 32),
        ("report", ctypes.c_ubyte * 0x2000),
        ("cec_report", ctypes.c_ubyte * 0x1000),
    ]


class Nvml:
    """NVIDIA's management library, initialised."""

    def __init__(self, root: Path) -> None:
        file = next((root / name for name in LIBRARIES if (root / name).exists()), None)
        if file is None:
            raise CollectorError("gpu.absent", "the VM has no NVIDIA driver: NVML is not installed")
        try:
            self._library = ctypes.CDLL(str(file))
        except OSError as err:
            raise CollectorError("gpu.error", f"NVML cannot be loaded: {err}") from err
        self.call("nvmlInit_v2")

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function of NVML."""
        function = getattr(self._library, name, None)
        if function is None:
            raise CollectorError("gpu.error", f"the NVIDIA driver has no {name}")
        code = function(*arguments)
        if code == DRIVER_NOT_LOADED:
            raise CollectorError("gpu.absent", "the NVIDIA driver is not loaded")
        if code:
            raise CollectorError("gpu.error", f"{name} failed with NVML's code {code}")

    def number(self, name: str, *arguments: Any) -> int:
        """The number that a function returns by its last parameter."""
        value = ctypes.c_uint()
        self.call(name, *arguments, ctypes.byref(value))
        return value.value

    def text(self, name: str, *arguments: Any) -> str:
        """The text that a function writes into a buffer."""
        buffer = ctypes.create_string_buffer(96)
        self.call(name, *arguments, buffer, ctypes.c_uint(len(buffer)))
        return buffer.value.decode("utf-8", "replace")


def collect_gpu(root: Path, nonce: bytes) -> dict[str, str]:
    """The evidence of the only GPU: architecture, report, chain and state document, in base64."""
    nvml = Nvml(root)
    count = nvml.number("nvmlDeviceGetCount_v2")
    if count == 0:
        raise CollectorError("gpu.absent", "the VM has no GPU")
    if count > 1:  # the quote covers one
        raise CollectorError("gpu.count", f"the VM has {count} GPUs: evidence of one can be bound")
    device = ctypes.c_void_p()
    nvml.call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(0), ctypes.byref(device))
    certificate, report = GpuCertificate(), AttestationReport()
    report.nonce[:] = nonce
    nvml.call("nvmlDeviceGetConfComputeGpuCertificate", device, ctypes.byref(certificate))
    nvml.call("nvmlDeviceGetConfComputeGpuAttestationReport", device, ctypes.byref(report))
    architecture = nvml.number("nvmlDeviceGetArchitecture", device)
    return {
        "arch": ARCHITECTURES.get(architecture, f"ARCHITECTURE {architecture}"),
        "report": encode(bytes(report.report)[: report.size]),
        "chain": encode(bytes(certificate.attestation_chain)[: certificate.attestation_chain_size]),
        "state_document": encode(json.dumps(state_of(nvml, device)).encode()),
    }


def state_of(nvml: Nvml, device: ctypes.c_void_p) -> dict[str, Any]:
    """What the driver says of the GPU. A mode that is not plainly off counts as on."""
    modes = ConfComputeState()
    nvml.call("nvmlSystemGetConfComputeState", ctypes.byref(modes))
    return {
        "cc_mode": modes.cc_feature == FEATURE_ENABLED,
        "dev_tools": modes.dev_tools_mode != 0,
        "ready": nvml.number("nvmlSystemGetConfComputeGpusReadyState") == 1,
        "environment": ENVIRONMENTS.get(modes.environment, str(modes.environment)),
        "driver_version": nvml.text("nvmlSystemGetDriverVersion"),
        "vbios_version": nvml.text("nvmlDeviceGetVbiosVersion", device),
        "uuid": nvml.text("nvmlDeviceGetUUID", device),
    }


def call_in_child(work: Callable[[], dict[str, str]], seconds: float) -> dict[str, str]:
    """The result of `work`, which runs in a process of its own, and is killed if it is late."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        answer_and_exit(work, writing)
    os.close(writing)
    raw, end = b"", time.monotonic() + seconds
    try:
        while True:
            ready, _, _ = select.select([reading], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                message = f"the NVIDIA driver gives no answer within {seconds:g} seconds"
                raise CollectorError("gpu.hung", message)
            part = os.read(reading, 65536)
            if not part:
                break
            raw += part
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, os.WNOHANG)  # one that hangs in the kernel never ends
    if not raw:
        raise CollectorError("gpu.error", "NVIDIA's library ended the process that called it")
    answer: dict[str, str] = json.loads(raw)
    if "code" in answer:
        raise CollectorError(answer["code"], answer["message"])
    return answer


def answer_and_exit(work: Callable[[], dict[str, str]], writing: int) -> None:
    """In the child: write the result of `work`, or its error, as JSON.

    It keeps no other descriptor open: neither the lock, nor the streams that ssh waits for.
    """
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208  # names are numbers
        if int(name) != writing:
            with suppress(OSError):
                os.close(int(name))
    for _ in range(3):
        os.open("/dev/null", os.O_RDWR)
    try:
        answer = work()
    except CollectorError as err:
        answer = {"code": err.code, "message": str(err)}
    except BaseException as err:  # noqa: BLE001  # the parent raises it
        answer = {"code": "gpu.error", "message": f"{type(err).__name__}: {err}"}
    with os.fdopen(writing, "wb") as stream:
        stream.write(json.dumps(answer).encode())
    os._exit(0)


# --- The whole ---


def encode(data: bytes) -> str:
    """Base64."""
    return base64.b64encode(data).decode("ascii")


def collect(nonce: bytes, release: bool, settings: Settings) -> dict[str, Any]:
    """The evidence of this VM for a nonce of 32 bytes, as a bundle. The quote is made last."""
    with locked_host_key(settings) as host_key, open_tpm(settings) as tpm:
        recipient_key = make_release_key(settings) if release else b""
        _, claims = read_claims(tpm, settings.limits["claims"])
        bound = bind(nonce, host_key, recipient_key, claims.vm_id)
        tpm.nv_write(NV_USER_DATA, bound)
        hcl, claims = read_claims(tpm, settings.limits["claims"], bound)
        log, thim = read_event_log(settings), fetch_thim(settings)
        gpu_nonce = nonce_of_gpu(bound, claims.modulus)
        gpu = call_in_child(lambda: collect_gpu(settings.root, gpu_nonce), settings.limits["gpu"])
        pieces = [base64.b64decode(gpu[name]) for name in ("report", "chain", "state_document")]
        extra = qualifying_data(bound, hcl, *pieces[:2], log, thim, pieces[2])
        quote, signature, pcrs = tpm.quote(extra)
    cpu = {"hcl": hcl, "quote": quote, "signature": signature, "thim": thim}
    if log:
        cpu["event_log"] = log
    return {
        "schema": BUNDLE,
        "made_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "tool": TOOL,
        "nonce": nonce.hex(),
        "binding": BINDING,
        "host_key": encode(host_key),
        "recipient_key": encode(recipient_key),
        "vm_id": claims.vm_id,
        "cpu": {
            **{name: encode(data) for name, data in cpu.items()},
            "pcrs": {str(index): value.hex() for index, value in enumerate(pcrs)},
        },
        "gpus": [{**gpu, "nonce": gpu_nonce.hex()}],
    }


def parse_request(text: str) -> tuple[bytes, bool]:
    """The nonce, and whether a key for secrets is to be made."""
    try:
        request = json.loads(text)
        nonce, release = bytes.fromhex(request["nonce"]), request["release"]
    except (ValueError, TypeError, KeyError) as err:
        raise CollectorError("request", f"the request cannot be read: {err}") from err
    if len(nonce) != 32 or not isinstance(release, bool):
        raise CollectorError("request", "a nonce has 32 bytes, and `release` is true or false")
    return nonce, release


def parse_settings(arguments: argparse.Namespace) -> Settings:
    """The settings on the command line."""
    host, _, port = arguments.imds.rpartition(":")
    limits = dict(LIMITS)
    for each in arguments.limit:
        step, _, seconds = each.partition("=")
        limits[step] = float(seconds)
    tpm = None if arguments.tpm is None else int(arguments.tpm.removeprefix("fd:"))
    return Settings(Path(arguments.root), tpm, (host, int(port)), limits)


def main(arguments: Sequence[str]) -> int:
    """Collect, and print the bundle, or the error; returns the exit code."""
    parser = argparse.ArgumentParser("ccgpu-collect")
    parser.add_argument("request")
    parser.add_argument("--tpm", metavar="fd:N", help="an open descriptor instead of /dev/tpmrm0")
    parser.add_argument("--imds", metavar="HOST:PORT", default="169.254.169.254:80")
    parser.add_argument("--root", metavar="DIR", default="/")
    parser.add_argument("--limit", metavar="STEP=SECONDS", action="append", default=[])
    options = parser.parse_args(arguments)
    try:
        nonce, release = parse_request(options.request)
        answer, code = collect(nonce, release, parse_settings(options)), 0
    except CollectorError as err:
        answer, code = {"schema": ERROR, "code": err.code, "message": str(err)}, 1
    except Exception as err:  # noqa: BLE001  # what the client gets must be an answer
        message = f"{type(err).__name__}: {err}"
        answer, code = {"schema": ERROR, "code": "bug", "message": message}, 1
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[2:]))
