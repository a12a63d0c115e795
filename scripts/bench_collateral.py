"""Measures fetching one GPU's collateral from a local service, beside two plain requests to it.

The service takes 100 ms for each request. Two rounds, because the second asks about certificates
that the first brings. So two requests one after the other are the least. Run by `dev.py bench` in
the project's environment; prints the ratio.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from bench_rows import by_turns
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
_BOTH = (CollateralRequest(rims=_RIMS, ocsp=_OCSP[:3]), CollateralRequest(ocsp=_OCSP[3:]))
_LEAST = (CollateralRequest(ocsp=_OCSP[:1]), CollateralRequest(ocsp=_OCSP[1:2]))


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
            taken, least = by_turns(
                [partial(_run, service, _BOTH), partial(_run, service, _LEAST)], _ROUNDS
            )
            child.communicate("")  # the end of its input is the end of it
    print(taken / least)


def _run(service: loopback.Loopback, rounds: Sequence[CollateralRequest]) -> float:
    start = time.perf_counter()
    with (
        Web(service.sources.hosts(), service.transport()) as web,
        ThreadPoolExecutor(max_workers=8) as pool,
    ):
        fetching = CollateralFetcher(web, Scheduler(RealClock(), pool), None, service.sources)
        for wanted in rounds:
            fetching.fetch(wanted).require()
    return time.perf_counter() - start


def _serve(folder: str) -> None:
    with loopback.running_services(Path(folder), _LATENCY) as service:
        print(service.url, service.ca, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        _serve(sys.argv[2])
    else:
        main()
