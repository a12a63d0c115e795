"""The state of a GPU (CC mode, developer tools, ready), as the guest states it.

No signed bit holds it. In bound evidence the quote covers the guest's document, so that nobody can
change it on the way.
"""

from collections.abc import Mapping

from ccgpu.attest import strict_json
from ccgpu.attest.check import Checks, Malformed, Rule
from ccgpu.domain.evidence import GpuEvidence, ReportedGpuState

_NVML = "NVIDIA NVML, nvmlSystemGetConfComputeState; docs/trust.md"
SIZE_LIMIT = 4096

DOCUMENT = Rule("gpu.state", "the document on the GPU's state can be read", _NVML)
FIELD = Rule("gpu.state.field", "the document on the GPU's state says true or false", _NVML)
UNQUOTED = Rule(
    "gpu.state.unquoted", "the GPU's state is told by a document that the quote covers", _NVML
)
OTHER = Rule("gpu.state.other", "the GPU's state is told in one way", _NVML)


def read_state(part: GpuEvidence, checks: Checks, *, bound: bool) -> ReportedGpuState | None:
    """The state of a GPU; None if it is not stated, or unreadable.

    `bound`: the quote covers the state document; a state without document is then refused.
    """
    if part.state_document is None:
        if part.state is not None and bound:
            checks.record(UNQUOTED, False, "a document", "only the word of the evidence's maker")
            return None
        return part.state
    gpu_state = checks.parse(DOCUMENT, parse, part.state_document, "a document")
    if gpu_state is not None and part.state is not None:
        checks.record_equal(OTHER, _words(gpu_state), _words(part.state))
    return gpu_state


def parse(raw: bytes) -> ReportedGpuState:
    """Parse a state document (JSON, at most 4 KiB; unknown members are ignored), or `Malformed`."""
    document = strict_json.load(raw, SIZE_LIMIT)
    ready = None if document.get("ready") is None else _switch(document, "ready")
    return ReportedGpuState(_switch(document, "cc_mode"), _switch(document, "dev_tools"), ready)


def _switch(document: Mapping[str, object], name: str) -> bool:
    value = document.get(name)
    if not isinstance(value, bool):
        there = str(value)[:32] if name in document else "absent"
        raise Malformed(FIELD, "true or false", f"{name}: {there}")
    return value


def _words(state: ReportedGpuState) -> str:
    switches = {"CC mode": state.cc_mode, "developer tools": state.dev_tools}
    ready = {None: "not told", True: "on", False: "off"}[state.ready]
    words = [f"{name} {'on' if on else 'off'}" for name, on in switches.items()]
    return ", ".join([*words, f"ready {ready}"])
