"""Measures fetching one GPU's collateral from a local service that responds in 100 ms.

Two rounds, because the second asks about certificates that the first brings. Run by `dev.py bench`
in the project's environment; prints one number, in ms.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from ccgpu.collateral.fetcher import CollateralFetcher
from ccgpu.domain.collateral import CollateralRequest
from ccgpu.net.fetch import Web
from ccgpu.scheduling.clock import RealClock
from ccgpu.scheduling.scheduler import Scheduler
from support import loopback, revocation

_LATENCY = 0.1
_ROUNDS = 7
_RIMS = ("NV_GPU_DRIVER_GH100_550.90.07", "NV_GPU_VBIOS_1010_0200_882_96009F0001")
_OCSP = tuple(revocation.ocsp_request(serial) for serial in range(2, 8))


def main() -> None:
    """The service has a process of its own; each run has new connections and no cache."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--serve", folder]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            url, ca = child.stdout.readline().split()
            service = loopback.Loopback(url, Path(ca))
            taken = [_run(service) for _ in range(_ROUNDS)]
            child.communicate("")  # the end of its input is the end of it
    print(statistics.median(taken[1:]))


def _run(service: loopback.Loopback) -> float:
    start = time.perf_counter()
    with (
        Web(service.sources.hosts(), service.transport()) as web,
        ThreadPoolExecutor(max_workers=8) as pool,
    ):
        fetching = CollateralFetcher(web, Scheduler(RealClock(), pool), None, service.sources)
        first = fetching.fetch(CollateralRequest(rims=_RIMS, ocsp=_OCSP[:3]))
        second = fetching.fetch(CollateralRequest(ocsp=_OCSP[3:]))
        (first + second).require()
    return (time.perf_counter() - start) * 1000


def _serve(folder: str) -> None:
    with loopback.running_services(Path(folder), _LATENCY) as service:
        print(service.url, service.ca, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        _serve(sys.argv[2])
    else:
        main()
