"""The collector: one script over the channel that answers a nonce with the VM's evidence.

The script is made of the modules in `templates/guest/collector`. It collects and binds. Its answer
is evidence to judge, and nothing in it is trusted. It leaves no file in the VM, except the key of
`release`.
"""

import json
from typing import TYPE_CHECKING, Any

from ccgpu.domain import plain_text
from ccgpu.errors import EvidenceUnavailable
from ccgpu.guest.channel import CommandRunner, Completed
from ccgpu.guest.scripts import assemble_script

if TYPE_CHECKING:
    from ccgpu.domain.bundle import EvidenceBundle

NAME = "ccgpu-collect"
ERROR_SCHEMA = "ccgpu.collector-error/1"
TIMEOUT = 180.0  # seconds; the script's own limits add up to less, and name what was slow
ANSWER_LIMIT = 4 * 1024 * 1024  # bytes; an event log, of 1 MiB at most, is the largest part

_AGAIN = "run the same command again"
_NOT_AZURES = "only Azure confidential VMs of AMD SEV-SNP can be attested"
_REPORT = "this is a bug in ccgpu: please report it, with the message"
# What to do about each error that the script knows.
HINTS = {
    "bug": _REPORT,
    "busy": _AGAIN,
    "claims.absent": _NOT_AZURES,
    "claims.late": _AGAIN,
    "claims.malformed": "update ccgpu: Azure may have changed the form of the claims",
    "event-log.large": "restart the VM: each boot begins a new event log",
    "gpu.absent": "look at `nvidia-smi` in the VM; `ccgpu doctor NAME` looks at a deployment's",
    "gpu.count": "choose a VM size with one GPU",
    "gpu.error": "look at `nvidia-smi` in the VM; `ccgpu doctor NAME` looks at a deployment's",
    "gpu.hung": "restart the VM",
    "host-key.absent": "sshd in the VM must use /etc/ssh/ssh_host_ed25519_key, which cloud-init "
    "makes at the first boot",
    "imds.error": "run `curl -H Metadata:true "
    "http://169.254.169.254/metadata/THIM/amd/certification` in the VM to see Azure's answer",
    "imds.slow": _AGAIN,
    "release.disk": "mount a tmpfs at /run in the VM, as systemd does",
    "release.error": "openssl must be installed in the VM, and /run/ccgpu must be absent or a "
    "folder of root alone (mode 0700 or 0711)",
    "release.swap": "turn swap off in the VM (`swapoff -a`)",
    "request": _REPORT,
    "tpm.absent": _NOT_AZURES,
    "workload-log.error": "/run/ccgpu/workloads.log must be a file of root; restart the VM",
    "workload-log.large": "restart the VM: each boot begins a new log of workloads",
    "tpm.error": f"{_AGAIN}; if that fails, too, restart the VM",
}
_NEEDS = "who logs in needs `sudo` without a password, and the VM Python 3.10 or later"
# Each imports only those before it.
_PARTS = (
    *("release.memory", "collector.settings", "collector.tpm", "collector.tools"),
    *("collector.vtpm", "collector.claims", "collector.binding", "collector.identity"),
    *("collector.imds", "collector.release", "collector.gpu", "collector.child", "collector.main"),
)
# What evidence is judged with comes from elsewhere, never from the VM. (A simulated VM names its
# roots; they count for nothing without `--backend fake`.)
_NOT_EVIDENCE = (
    *("collateral", "tokens", "sent_at"),
    *("policy", "policy_content", "reference_values", "verdict"),
)


def command_line(nonce: bytes, *, release: bool = False) -> list[str]:
    """The command to run in the VM; its input is `script()`.

    `nonce`: 32 bytes. `release`: the VM makes a key that secrets can be sealed to.
    """
    request = json.dumps({"nonce": nonce.hex(), "release": release}, separators=(",", ":"))
    return ["sudo", "-n", "python3", "-I", "-S", "-", NAME, request]


def script() -> bytes:
    """The script that collects: its modules as text, and what loads them in order."""
    return assemble_script(_PARTS)


def collect(runner: CommandRunner, nonce: bytes, *, release: bool = False) -> "EvidenceBundle":
    """Collect the evidence of a VM for a nonce of 32 bytes. Nothing in it is verified.

    Raises:
        EvidenceUnavailable: the VM did not collect it.
    """
    command = command_line(nonce, release=release)
    return parse(runner.run(command, script(), timeout=TIMEOUT))


def parse(done: Completed) -> "EvidenceBundle":
    """The evidence in the answer of the script.

    Raises:
        EvidenceUnavailable: it is an error, or no answer of this script.
    """
    if len(done.stdout) > ANSWER_LIMIT:
        raise _unreadable(f"it has more than {ANSWER_LIMIT} bytes")
    try:
        document = json.loads(done.stdout)
    except (ValueError, RecursionError) as err:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        said = f"; it ended with exit code {done.exit_code}" if done.exit_code else ""
        text = "".join([f"{err}{said}", *(f": {line}" for line in last)])
        raise _unreadable(text, hint=_NEEDS if done.exit_code else None) from err
    if not isinstance(document, dict):
        raise _unreadable("it is not an object")
    if document.get("schema") == ERROR_SCHEMA:
        raise _refusal(document)
    if done.exit_code:
        raise _unreadable(f"the script ended with exit code {done.exit_code}")
    return _bundle(done.stdout, document)


def _bundle(raw: bytes, document: dict[str, Any]) -> "EvidenceBundle":
    """The bundle, if it holds evidence and nothing else."""
    from pydantic import ValidationError

    from ccgpu.domain.bundle import EvidenceBundle

    if foreign := [name for name in _NOT_EVIDENCE if name in document]:
        raise _unreadable(f"it holds more than evidence: {', '.join(foreign)}")
    try:
        return EvidenceBundle.model_validate_json(raw)
    except ValidationError as err:
        first = err.errors(include_url=False, include_context=False, include_input=False)[0]
        raise _unreadable(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from err


def _refusal(document: dict[str, Any]) -> EvidenceUnavailable:
    code, message = (str(document.get(name, "none"))[:500] for name in ("code", "message"))
    text = plain_text.one_line(f"{message} ({code})")
    return EvidenceUnavailable(f"the VM's evidence was not collected: {text}", hint=HINTS.get(code))


def _unreadable(what: str, hint: str | None = None) -> EvidenceUnavailable:
    text = plain_text.one_line(what[:500])
    return EvidenceUnavailable(
        f"the answer of the guest's collector cannot be read: {text}", hint=hint
    )
