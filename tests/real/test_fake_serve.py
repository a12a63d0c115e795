"""`ccgpu fake serve` as a process: HTTPS, several clients at once, other processes, its end."""

import http.client
import io
import signal
import ssl
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from rich.console import Console

from ccgpu.fakearm import FAKE_SUBSCRIPTION
from ccgpu.views.served import ServedAzure, as_text
from ccgpu.views.trimmed import Trimmed
from support.served import serving

SUBSCRIPTION = f"/subscriptions/{FAKE_SUBSCRIPTION}?api-version=2022-12-01"
GROUPS = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourcegroups"
CLIENTS, EACH = 6, 15


def put_groups(served, client):
    """Create groups over one connection; the statuses."""
    connection = served.connection()
    statuses = []
    for number in range(EACH):
        target = f"{GROUPS}/g{client}-{number}?api-version=2024-11-01"
        headers = {"Authorization": "Bearer x", "Content-Type": "application/json"}
        connection.request("PUT", target, b'{"location": "eastus2"}', headers)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    return statuses


@pytest.mark.slow
def test_one_server_from_its_start_to_its_end(tmp_path):
    with serving(tmp_path, "--speed", "60") as served:
        status, body = served.ask(SUBSCRIPTION)
        assert (status, body["subscriptionId"]) == (200, FAKE_SUBSCRIPTION)
        assert served.ask(SUBSCRIPTION, Host="evil.example")[0] == 421
        assert served.ask(SUBSCRIPTION, **{"Content-Length": "9" * 9})[0] == 413
        assert served.ask(SUBSCRIPTION, **{"Content-Length": "-1"})[0] == 400
        assert served.ask(SUBSCRIPTION, **{"Transfer-Encoding": "chunked"})[0] == 411
        assert served.ask("/nowhere")[0] == 501
        for name in ("tls.pem", "ca.pem"):
            mode = (tmp_path / f"fake.sqlite.{name}").stat().st_mode
            assert stat.S_IMODE(mode) == 0o600
        assert b"PRIVATE" not in Path(served.document["ca_file"]).read_bytes()
        stranger = http.client.HTTPSConnection("localhost", served.port, timeout=60)
        with pytest.raises(ssl.SSLCertVerificationError):
            stranger.request("GET", SUBSCRIPTION)
        assert served.end(signal.SIGTERM) == (0, "")
        with pytest.raises(ConnectionRefusedError):
            served.connection().connect()


@pytest.mark.slow
def test_many_clients_and_other_processes_share_the_state(tmp_path):
    statuses: list[int] = []
    with serving(tmp_path, "--speed", "600") as served:

        def clients(number):
            statuses.extend(put_groups(served, number))

        threads = [threading.Thread(target=clients, args=(one,)) for one in range(CLIENTS)]
        where = (
            *("--backend", "fake", "--region", "eastus2", "--ssh-from", "203.0.113.7/32"),
            *("--timeout", "48h"),  # an hour is over in six seconds
        )
        commands = [served.ccgpu("create", name, "--no-attest", *where) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for command in commands:
            _, err = command.communicate(timeout=300)
            assert command.returncode == 0, err
        found = served.ask(f"{GROUPS}?api-version=2024-11-01")[1]["value"]
        assert served.end(signal.SIGINT) == (0, "")
    assert statuses == [201] * CLIENTS * EACH
    names = {one["name"] for one in found}
    assert len(names) == 50 or {"ccgpu-one", "ccgpu-two"} <= names  # a page has 50


@pytest.mark.slow
def test_a_silent_client_holds_up_nobody_and_the_certificate_stays(tmp_path):
    with serving(tmp_path) as served:
        authority = Path(served.document["ca_file"]).read_bytes()
        silent = http.client.HTTPConnection("127.0.0.1", served.port)
        silent.connect()  # never sends a handshake
        assert served.ask(SUBSCRIPTION)[0] == 200
        second = served.ccgpu("fake", "serve", "--port", str(served.port))
        _, err = second.communicate(timeout=60)
        assert second.returncode == 2
        assert f"cannot serve on port {served.port}" in err
        assert served.end(signal.SIGINT) == (0, "")
        silent.close()
    with serving(tmp_path) as again:
        assert Path(again.document["ca_file"]).read_bytes() == authority


@pytest.mark.slow
def test_time_passes_for_other_processes_too(tmp_path):
    with serving(tmp_path, "--speed", "100000") as served:

        def now():
            done = served.ccgpu("fake", "show", "-o", "json", "--query", "now")
            return done.communicate(timeout=60)[0]

        first = now()
        assert any(now() != first for _ in range(200))  # the server writes it from time to time


def test_the_text_is_a_script_for_a_shell(tmp_path):
    served = ServedAzure("https://localhost:1", "s", "t", "/a b/ca.pem", "/msi/token", "h", "/az")
    out = io.StringIO()
    Console(file=out, width=20).print(Trimmed(as_text(served)), crop=False)
    text = out.getvalue()
    fake_az = tmp_path / "az"
    fake_az.write_text('#!/bin/sh\necho "az $*"\n')
    fake_az.chmod(0o755)
    script = f"PATH={tmp_path}:$PATH\n{text}\necho $REQUESTS_CA_BUNDLE $IDENTITY_ENDPOINT\n"
    done = subprocess.run(["sh", "-eu"], input=script, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "az cloud register --name ccgpu-fake --endpoint-resource-manager https://localhost:1",
        "az cloud set --name ccgpu-fake",
        "az login --identity --output none",
        "/a b/ca.pem https://localhost:1/msi/token",
    ]
