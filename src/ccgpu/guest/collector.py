"""The evidence collector: one script over the channel that answers a nonce with evidence.

The script (`templates/guest/collector.py`) gets the nonce and nothing else: a guest that is asked
for another VM's binding must not be able to give it (docs/trust.md).
"""

import json
from importlib import resources
from pathlib import Path

from ccgpu.domain.evidence import Evidence
from ccgpu.domain.plain_text import one_line
from ccgpu.errors import EvidenceUnavailable, InvalidFile
from ccgpu.guest.channel import Completed
from ccgpu.store import evidence as files

NAME = "ccgpu-collect"
ERROR_SCHEMA = "ccgpu.collector-error/1"
TIMEOUT = 300.0  # seconds for all of it; each part has its own limit in the script
MAX_ANSWER = 16 * 1024 * 1024  # bytes; an answer has about 250 KiB
_SOURCE = Path("the guest's answer")


def command_line(nonce: bytes) -> list[str]:
    """The command to run in the VM; its input is `script()`. The nonce has 32 bytes."""
    request = json.dumps({"nonce": nonce.hex(), "release": False}, separators=(",", ":"))
    return ["sudo", "-n", "python3", "-I", "-S", "-", NAME, request]


def script() -> bytes:
    """The script that collects."""
    return (resources.files("ccgpu") / "templates" / "guest" / "collector.py").read_bytes()


def parse(done: Completed) -> Evidence:
    """The evidence in the script's answer.

    Raises:
        EvidenceUnavailable: The script failed, or its answer is not a bundle.
    """
    if len(done.stdout) > MAX_ANSWER:
        raise EvidenceUnavailable(f"the guest's answer has more than {MAX_ANSWER} bytes")
    if done.exit_code != 0:
        raise EvidenceUnavailable(f"the guest gave no evidence: {_reason(done)}")
    try:
        return files.parse_bundle(_SOURCE, done.stdout)
    except InvalidFile as err:
        raise EvidenceUnavailable(f"the guest's evidence cannot be read: {err}") from err


def _reason(done: Completed) -> str:
    """What the script says of its failure, else the last line of its messages."""
    try:
        document = json.loads(done.stdout)
        if document["schema"] == ERROR_SCHEMA:
            return one_line(f"{document['message']} [{document['code']}]")[:500]
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"]
    return one_line(f"the collector ended with exit code {done.exit_code}: {lines[-1]}")[:500]
