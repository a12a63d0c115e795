"""Every parser of the verifier that takes bytes from outside, each with seeds that it accepts."""

import atexit
import base64
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from ccgpu.attest import certificates, strict_json, workload_log
from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.gpu import chain, ocsp_response, opaque, rim, spdm, state
from ccgpu.attest.hcl import blob, claims
from ccgpu.attest.snp import crl, report, vek
from ccgpu.attest.snp import der as second_reader
from ccgpu.attest.tokens import jwks, maa, nras
from ccgpu.attest.vtpm import eventlog, pcrs, quote, signature
from ccgpu.domain import bundle, image_manifest
from ccgpu.domain.evidence import CpuEvidence
from ccgpu.errors import InvalidFile
from ccgpu.fakeguest.evidence import quote as quotes
from ccgpu.fakeguest.evidence import spdm as spdm_builder
from ccgpu.fakeguest.evidence import tokens
from ccgpu.fakeguest.evidence.gpu import CollectedGpuEvidence
from ccgpu.image import fat, gpt, pe, uki, verity, vhd
from ccgpu.image.blocks import BytesBlocks
from ccgpu.image.malformed import MalformedImage
from ccgpu.store import evidence, image_files
from support import documents, gpus, measured_images, vms, workload_events

_RULE = Rule("fuzz", "anything", "the fuzzer")


@dataclass(frozen=True)
class Parser:
    """What takes the bytes, and bytes that it takes."""

    parse: Callable[[bytes], object]
    seeds: Callable[[], Iterable[bytes]]


def _cpu() -> CpuEvidence:
    found = vms.nonce_evidence(vms.vm()).cpu
    assert found is not None
    return found


def _gpu() -> CollectedGpuEvidence:
    return gpus.gpu().collect(vms.NONCE)


def _crl() -> bytes:
    amd = vms.vm().amd
    return amd.crl(7).signed_by(amd.ark_key)


def _file(data: bytes) -> object:
    """The reader of evidence files: what it refuses, it refuses in words."""
    path = _folder() / "evidence"
    path.write_bytes(data)
    try:
        return evidence.read_evidence(path)
    except InvalidFile as err:
        raise Malformed(_RULE, "evidence", str(err)) from err


_NEXT_FILE = b"\x00next file\x00"


def _files_of_a_folder(data: bytes) -> object:
    """The reader of folders: the bytes are up to ten files, one after another."""
    path = _folder() / "folder"
    path.mkdir(exist_ok=True)
    for old in path.iterdir():
        old.unlink()
    for number, content in enumerate(data.split(_NEXT_FILE)[:10]):
        (path / str(number)).write_bytes(content)
    try:
        return evidence.read_evidence(path)
    except InvalidFile as err:
        raise Malformed(_RULE, "evidence", str(err)) from err


def _folders() -> Iterator[bytes]:
    """Folders of raw files, and of documents beside each other."""
    cpu, gpu = _cpu(), gpus.nonce_evidence(gpus.gpu())
    thim = documents.thim(cpu.vek or b"", cpu.chain or b"")
    whole = blob.parse(cpu.hcl or b"")
    quoted = (cpu.quote or b"", cpu.signature or b"", cpu.event_log or b"")
    yield _NEXT_FILE.join((cpu.hcl or b"", cpu.vek or b"", cpu.chain or b"", *quoted, thim))
    yield _NEXT_FILE.join((whole.report, whole.runtime, *quoted, _crl(), vms.NONCE.hex().encode()))
    cpu_files = (cpu.hcl or b"", cpu.vek or b"", cpu.chain or b"", *quoted)
    yield _NEXT_FILE.join((*cpu_files, *_workload_logs()))
    yield _NEXT_FILE.join((*_gpu().rims, *_gpu().ocsp[:4], _gpu().report, _gpu().chain))
    trustee = json.dumps(documents.trustee(cpu)).encode()
    nvattest = json.dumps(documents.nvattest(gpu.gpus, vms.NONCE)).encode()
    maa = tokens.MaaToken(tokens.maa_signer(), vms.NONCE).signed()
    yield _NEXT_FILE.join((trustee, nvattest, maa))


@cache
def _folder() -> Path:
    """In memory: a disk would be waited for, longer than for all the rest."""
    kept = TemporaryDirectory(dir="/dev/shm")
    atexit.register(kept.cleanup)
    return Path(kept.name)


def _files() -> Iterator[bytes]:
    """A file of every format."""
    cpu, gpu = _cpu(), _gpu()
    for found in (vms.nonce_evidence(vms.vm()), gpus.nonce_evidence(gpus.gpu())):
        made = bundle.from_evidence(found, made_at=vms.AT, tool="fuzz")
        yield made.model_dump_json(by_alias=True, exclude_none=True).encode()
    yield cpu.hcl or b""
    yield blob.parse(cpu.hcl or b"").report
    words = {"message": (cpu.quote or b"").hex(), "signature": (cpu.signature or b"").hex()}
    quote = words | {"pcrs": [value.hex() for value in (cpu.pcrs or {}).values()]}
    trustee = {"tpm_quote": quote, "hcl_report": _text(cpu.hcl), "vcek": _text(cpu.vek)}
    yield json.dumps(trustee).encode()
    yield json.dumps({"platform": "az-snp", "evidence": trustee}).encode()
    entry = {"arch": "HOPPER", "evidence": _text(gpu.report), "certificate": _text(gpu.chain)}
    yield json.dumps([entry | {"nonce": vms.NONCE.hex()}]).encode()
    of_gpu = gpus.nonce_evidence(gpus.gpu()).gpus
    report = blob.parse(cpu.hcl or b"").report
    for value in (
        documents.nvattest(of_gpu, vms.NONCE),
        documents.device_list(of_gpu, as_hex=True),
        documents.nras_request(of_gpu, vms.NONCE),
        documents.attestation_rs_snp(report, cpu.vek, cpu.chain or b""),
        {"token": "a.b.c"},
    ):
        yield json.dumps(value).encode()
    yield tokens.NrasResponse(tokens.nras_signer(), vms.NONCE).signed()
    yield tokens.MaaToken(tokens.maa_signer(), vms.NONCE).signed()


def _versioned() -> bytes:
    fields = (*spdm_builder.opaque_fields(bytes(48)), spdm_builder.OpaqueField(37, b"\x05\x00"))
    return spdm_builder.VersionedOpaqueData().encoded(fields)


def _text(data: bytes | None) -> str:
    return base64.b64encode(data or b"").decode()


def _workload_logs() -> Iterator[bytes]:
    yield workload_events.log_of(workload_events.event())
    yield workload_events.log_of(
        workload_events.event("one", model=None), workload_events.event("two", mounts=[])
    )


def _pcr_json() -> bytes:
    return b'{"0": "' + b"00" * 32 + b'"}'


def _image(reader: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """A reader of image formats, whose error is one of its own."""

    def parse(data: bytes) -> object:
        try:
            return reader(data)
        except MalformedImage as err:
            raise Malformed(_RULE, err.expected, err.found) from err

    return parse


def _esp(data: bytes) -> object:
    """Every file of a file system; zeros, which most of one is, are left out of the input."""
    volume = fat.parse(BytesBlocks(data.ljust(3 * measured_images.MIB, b"\0")))
    return [volume.content(each) for each in volume.entries() if not each.is_folder]


def _disk_ends(data: bytes) -> object:
    """A partition table: the input is what stands before and after a disk's partitions."""
    half = len(data) // 2
    middle = bytes(-len(data) % 512 + 64 * 1024)
    return gpt.parse(vhd.strip(BytesBlocks(data[:half] + middle + data[half:])))


def _verity(data: bytes) -> object:
    """A hash partition over eight blocks, whose root hash it says itself."""
    return verity.check(BytesBlocks(bytes(8 * 4096)), BytesBlocks(data[32:]), data[:32])


def _verity_seed() -> bytes:
    tree, root_hash = measured_images.verity(bytes(8 * 4096))
    return root_hash + tree


def _partition_seed() -> bytes:
    size = 64 * 1024 + 2 * 34 * 512
    parts = [gpt.GptPartition(gpt.ESP, UUID(int=1), 34 * 512, 16384, "ESP")]
    first, last = gpt.write(size, UUID(int=2), parts)
    return first[1] + bytes(512) + last[1]


def _manifest(data: bytes) -> object:
    path = _folder() / "image.json"
    path.write_bytes(data)
    try:
        return image_files.load_manifest(path)
    except InvalidFile as err:
        raise Malformed(_RULE, "a manifest", str(err)) from err


# Request, response header, 64 blocks, the responder's nonce and the length stand before it.
_OPAQUE = 37 + 8 + 64 * 55 + 32 + 2

PARSERS = {
    "snp-report": Parser(report.parse, lambda: [blob.parse(_cpu().hcl or b"").report]),
    "vek": Parser(vek.parse, lambda: [_cpu().vek or b""]),
    "vek-second-reader": Parser(second_reader.read, lambda: [_cpu().vek or b""]),
    "crl": Parser(crl.parse, lambda: [_crl()]),
    "certificate": Parser(partial(certificates.load, rule=_RULE), lambda: [vms.vm().amd.ask]),
    "chain": Parser(
        partial(certificates.load_chain, rule=_RULE, limit=5), lambda: [vms.vm().amd.chain]
    ),
    "hcl-blob": Parser(blob.parse, lambda: [_cpu().hcl or b""]),
    "hcl-claims": Parser(claims.parse, lambda: [vms.vm().runtime]),
    "json": Parser(partial(strict_json.load, limit=65536), lambda: [b'{"a": [1, {"b": null}]}']),
    "quote": Parser(quote.parse, lambda: [_cpu().quote or b""]),
    "tpm-signature": Parser(
        signature.parse,
        lambda: [_cpu().signature or b"", quotes.tpmt_signature(_cpu().signature or b"")],
    ),
    "pcr-file": Parser(
        partial(pcrs.parse, selected=frozenset(range(24))),
        lambda: [_pcr_json(), b"sha256:\n  0 : 0x" + b"00" * 32, bytes(768)],
    ),
    "event-log": Parser(eventlog.parse, lambda: [_cpu().event_log or b""]),
    "workload-log": Parser(workload_log.parse, _workload_logs),
    "gpu-report": Parser(spdm.parse, lambda: [_gpu().report]),
    "gpu-state": Parser(state.parse, lambda: [_gpu().state]),
    "gpu-opaque": Parser(opaque.parse, lambda: [_gpu().report[_OPAQUE:-96], _versioned()]),
    "gpu-chain": Parser(
        partial(certificates.load_chain, rule=chain.READABLE, limit=8), lambda: [_gpu().chain]
    ),
    "rim": Parser(rim.parse, lambda: list(_gpu().rims)),
    "ocsp": Parser(ocsp_response.parse, lambda: list(_gpu().ocsp)),
    "jwks": Parser(jwks.parse, lambda: [tokens.key_set(tokens.nras_signer().jwk())]),
    "nras": Parser(
        nras.parse, lambda: [tokens.NrasResponse(tokens.nras_signer(), vms.NONCE).signed()]
    ),
    "maa": Parser(maa.parse, lambda: [tokens.MaaToken(tokens.maa_signer(), vms.NONCE).signed()]),
    "image-program": Parser(_image(pe.parse), lambda: [measured_images.kernel()]),
    "image-uki": Parser(_image(uki.parse), lambda: [measured_images.Parts().uki()]),
    "image-partitions": Parser(_image(_disk_ends), lambda: [_partition_seed()]),
    "image-esp": Parser(
        _image(_esp),
        lambda: [measured_images.fat({"EFI/A": b"a", "EFI/a long one": b"b"}, wide=False)[:80_000]],
    ),
    "image-verity": Parser(_image(_verity), lambda: [_verity_seed()]),
    "image-manifest": Parser(
        _manifest, lambda: [image_manifest.dump(measured_images.Parts(wide=False).manifest())]
    ),
    "evidence-file": Parser(_file, _files),
    "evidence-folder": Parser(_files_of_a_folder, _folders),
}
