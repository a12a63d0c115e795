"""The whole way down to sockets and TLS, on this machine: what tests above have taken out."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.core.pipeline.transport import RequestsTransport

from ccgpu.cli.backends import open_backend
from ccgpu.cli.runtime import ConnectionOptions
from ccgpu.collateral.fetcher import CollateralFetcher
from ccgpu.domain.collateral import CollateralRequest
from ccgpu.net.fetch import Web
from ccgpu.scheduling.clock import RealClock
from ccgpu.scheduling.scheduler import Scheduler
from support import revocation
from support.loopback import running_services

_IDS = ("NV_GPU_DRIVER_GH100_550.90.07", "NV_GPU_VBIOS_1010_0200_882_96009F0001")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with running_services(tmp_path_factory.mktemp("services")) as service:
        yield service


def _fetch(service, needs, transport=None, time_limit=0.0):
    with (
        Web(service.sources.hosts(), transport or service.transport()) as web,
        ThreadPoolExecutor(max_workers=8) as pool,
    ):
        schedule = Scheduler(RealClock(), pool)
        return CollateralFetcher(web, schedule, None, service.sources, time_limit).fetch(needs)


def test_a_round_is_fetched_over_tls_by_many_threads(service):
    requests = tuple(revocation.ocsp_request(serial) for serial in range(2, 8))
    found = _fetch(service, CollateralRequest(rims=_IDS, ocsp=requests)).require()
    assert (len(found.rims), len(found.ocsp)) == (2, 6)
    assert [piece.name for piece in found.collateral[:2]] == [f"rim/{each}.xml" for each in _IDS]


def test_redirects_are_not_followed(service):
    (missing,) = _fetch(service, CollateralRequest(rims=("ELSEWHERE",))).missing
    assert "redirects elsewhere (302)" in missing.reasons[0]


def test_a_service_with_an_untrusted_certificate_is_refused(service):
    (missing,) = _fetch(service, CollateralRequest(rims=_IDS[:1]), RequestsTransport()).missing
    assert missing.reasons == ("127.0.0.1 no TLS connection",)


def test_commands_close_their_http_sessions(tmp_path):
    backend = open_backend(ConnectionOptions(), tmp_path, {})
    with backend.fetcher() as fetcher:
        assert fetcher.fetch(CollateralRequest()).require().collateral == ()
