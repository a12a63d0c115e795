"""The simulated Azure over HTTPS on loopback, for other clients (`ccgpu fake serve`)."""

from ccgpu.fakearm.front.certificates import authority_of, make_identity
from ccgpu.fakearm.front.server import running
from ccgpu.fakearm.front.service import LoopbackAzure, RealTime
from ccgpu.fakearm.front.sign_in import IDENTITY_PATH
from ccgpu.fakearm.subscription import TENANT_ID

__all__ = [
    "IDENTITY_PATH",
    "TENANT_ID",
    "LoopbackAzure",
    "RealTime",
    "authority_of",
    "make_identity",
    "running",
]
