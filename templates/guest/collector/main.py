"""Collects the evidence of a confidential GPU VM, and prints it as one JSON document.

The parts of the collector are sent over the channel as one script (`ccgpu/guest/collector.py`), and
never stored in the VM. They need root, Python 3.10 and nothing else. Everything is bound to the
nonce by `ccgpu-bind-v1` (docs/trust.md), from the VM's own values only. No program is looked up in
PATH, and nothing of the environment is used.
"""

import argparse
import base64
import json
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ccgpu.templates.guest.collector.binding import BINDING, bind, nonce_of_gpu, qualifying_data
from ccgpu.templates.guest.collector.child import call_in_child
from ccgpu.templates.guest.collector.claims import read_bound_claims, read_own_claims
from ccgpu.templates.guest.collector.gpu import collect_gpu
from ccgpu.templates.guest.collector.identity import (
    locked_host_key,
    locked_workload_log,
    read_event_log,
)
from ccgpu.templates.guest.collector.imds import fetch_thim
from ccgpu.templates.guest.collector.release import make_release_key
from ccgpu.templates.guest.collector.settings import LIMITS, CollectorError, Settings, encode
from ccgpu.templates.guest.collector.tpm import NV_USER_DATA
from ccgpu.templates.guest.collector.vtpm import open_tpm, quote_pcrs, write_index

BUNDLE, ERROR = "ccgpu.bundle/1", "ccgpu.collector-error/1"
TOOL = "ccgpu-collect/1"


def collect(nonce: bytes, release: bool, settings: Settings) -> dict[str, Any]:
    """The evidence of this VM for a nonce of 32 bytes, as a bundle. The quote is made last."""
    with locked_host_key(settings) as host_key, open_tpm(settings) as tpm:
        recipient_key = make_release_key(settings) if release else b""
        own = read_own_claims(tpm, settings.limits["claims"])
        bound = bind(nonce, host_key, recipient_key, own.vm_id)
        write_index(tpm, NV_USER_DATA, bound)
        hcl, claims = read_bound_claims(tpm, bound, settings.limits["claims"])
        log, thim = read_event_log(settings), fetch_thim(settings)
        gpu_nonce = nonce_of_gpu(bound, claims.modulus)
        gpu = call_in_child(lambda: collect_gpu(settings.root, gpu_nonce), settings.limits["gpu"])
        pieces = [base64.b64decode(gpu[name]) for name in ("report", "chain", "state_document")]
        extra = qualifying_data(bound, hcl, *pieces[:2], log, thim, pieces[2])
        with locked_workload_log(settings) as workload_log:
            quote, signature, pcrs = quote_pcrs(tpm, extra)
    cpu = {"hcl": hcl, "quote": quote, "signature": signature, "thim": thim}
    if log:
        cpu["event_log"] = log
    if workload_log:
        cpu["workload_log"] = workload_log
    return {
        "schema": BUNDLE,
        "made_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "tool": TOOL,
        "collector": TOOL,
        "nonce": nonce.hex(),
        "binding": BINDING,
        "host_key": encode(host_key),
        "recipient_key": encode(recipient_key),
        "vm_id": claims.vm_id,
        "cpu": {
            **{name: encode(data) for name, data in cpu.items()},
            "pcrs": {str(index): value.hex() for index, value in enumerate(pcrs)},
        },
        "gpus": [{**gpu, "nonce": gpu_nonce.hex()}],
    }


def parse_request(text: str) -> tuple[bytes, bool]:
    """The nonce, and whether a key for secrets is to be made."""
    try:
        request = json.loads(text)
        nonce, release = bytes.fromhex(request["nonce"]), request["release"]
    except (ValueError, TypeError, KeyError) as err:
        raise CollectorError("request", f"the request cannot be read: {err}") from err
    if len(request) != 2 or len(nonce) != 32 or not isinstance(release, bool):
        raise CollectorError("request", "a nonce has 32 bytes, and `release` is true or false")
    return nonce, release


def parse_settings(arguments: argparse.Namespace) -> Settings:
    """The settings on the command line."""
    host, _, port = arguments.imds.rpartition(":")
    limits = dict(LIMITS)
    for each in arguments.limit:
        step, _, seconds = each.partition("=")
        if step not in LIMITS:
            raise CollectorError("request", f"{step!r} is no step: {', '.join(LIMITS)}")
        limits[step] = float(seconds)
    tpm = None if arguments.tpm is None else int(arguments.tpm.removeprefix("fd:"))
    return Settings(Path(arguments.root), tpm, (host, int(port)), limits)


def main(arguments: Sequence[str]) -> int:
    """Collect, and print the bundle, or the error; returns the exit code."""
    parser = argparse.ArgumentParser("ccgpu-collect")
    parser.add_argument("request")
    parser.add_argument("--tpm", metavar="fd:N", help="an open descriptor instead of /dev/tpmrm0")
    parser.add_argument("--imds", metavar="HOST:PORT", default="169.254.169.254:80")
    parser.add_argument("--root", metavar="DIR", default="/")
    parser.add_argument("--limit", metavar="STEP=SECONDS", action="append", default=[])
    options = parser.parse_args(arguments)
    try:
        nonce, release = parse_request(options.request)
        answer, code = collect(nonce, release, parse_settings(options)), 0
    except CollectorError as err:
        answer, code = {"schema": ERROR, "code": err.code, "message": str(err)}, 1
    except Exception as err:  # noqa: BLE001  # what the client gets must be an answer
        message = f"{type(err).__name__}: {err}"
        answer, code = {"schema": ERROR, "code": "bug", "message": message}, 1
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
    return code
