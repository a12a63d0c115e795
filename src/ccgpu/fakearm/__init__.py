"""Azure Resource Manager in memory, below the official SDK: it goes in at `transport=`.

It imports nothing of the code it tests. `docs/fake-azure.md` says of each behaviour where it is
known from.
"""

from ccgpu.fakearm.clock import VirtualClock
from ccgpu.fakearm.credential import FakeCredential
from ccgpu.fakearm.service import FAKE_SUBSCRIPTION, FakeArm
from ccgpu.fakearm.settings import NCC_SIZE
from ccgpu.fakearm.transport import FakeTransport
from ccgpu.fakearm.wire import FakeGap, Fault, Request, Response

__all__ = [
    "FAKE_SUBSCRIPTION",
    "NCC_SIZE",
    "FakeArm",
    "FakeCredential",
    "FakeGap",
    "FakeTransport",
    "Fault",
    "Request",
    "Response",
    "VirtualClock",
]
