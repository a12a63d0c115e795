"""Azure Resource Manager in memory. It replaces the transport below the official SDK.

It imports nothing of the code under test. `docs/fake-azure.md` names the source of each behaviour.
"""

from ccgpu.fakearm.clock import VirtualClock
from ccgpu.fakearm.credential import FakeCredential
from ccgpu.fakearm.service import FAKE_SUBSCRIPTION, FakeArm
from ccgpu.fakearm.settings import NCC_SIZE
from ccgpu.fakearm.storage.pages import StoredDisk
from ccgpu.fakearm.transport import FakeTransport
from ccgpu.fakearm.vm.inside import Machine, MachineBoot, ScriptOutput, StoredFile
from ccgpu.fakearm.vm.measured import MeasureDisk
from ccgpu.fakearm.wire import FakeGap, Fault, Request, Response

__all__ = [
    "FAKE_SUBSCRIPTION",
    "NCC_SIZE",
    "FakeArm",
    "FakeCredential",
    "FakeGap",
    "FakeTransport",
    "Fault",
    "Machine",
    "MachineBoot",
    "MeasureDisk",
    "Request",
    "Response",
    "ScriptOutput",
    "StoredDisk",
    "StoredFile",
    "VirtualClock",
]
