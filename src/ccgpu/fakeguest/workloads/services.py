"""What listens at the ports of a simulated guest: the servers of its workloads."""

from functools import partial

from ccgpu.fakearm import FakeArm
from ccgpu.fakeguest import model_server
from ccgpu.fakeguest.forwarding import PortService
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.fakeguest.simulated_model import SimulatedModel
from ccgpu.fakeguest.workloads.answers import served_model
from ccgpu.fakeguest.workloads.request import StartRequest
from ccgpu.fakeguest.workloads.runs import WorkloadRun, WorkloadRuns


def port_service(arm: FakeArm, guest: SimulatedGuest, port: int) -> PortService | None:
    """The service at this port now; None if nothing listens there."""
    for run in WorkloadRuns(guest).all().values():
        listens = port in StartRequest.read(run.request).ports
        if listens and run.state(guest.now).name == "running":
            return partial(model_server.serve, look=partial(_look, arm, run))
    return None


def _look(arm: FakeArm, run: WorkloadRun) -> tuple[SimulatedModel, float] | None:
    """The model of a server that is healthy by now, and when it was started."""
    return (served_model(run), run.began) if run.is_healthy(arm.now()) else None
