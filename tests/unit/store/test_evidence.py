"""Evidence from disk: every format that people have, and a clear no to everything else."""

import base64
import contextlib
import json
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.evidence import Evidence, NamedManifest
from ccgpu.errors import InvalidFile
from ccgpu.fakeguest.evidence.amd import SimulatedChip, authority_certificate, make_authorities
from ccgpu.fakeguest.evidence.pki import pem
from ccgpu.store import evidence
from ccgpu.store.evidence import limits
from support import revocation as ocsp_answers
from support.vms import vm

REPORT = b"\x03\x00\x00\x00" + bytes(1180)
HCL = b"HCLA" + bytes(60)
QUOTE = b"\xffTCG\x80\x18" + bytes(100)
SIGNATURE = b"\xa1" * 256
GPU = b"\x11\xe0\x01\xff" + bytes(33)
RIM = b"<?xml version='1.0'?><SoftwareIdentity/>"


@pytest.fixture
def folder(tmp_path):
    """Write files into a folder."""

    def put(**files: bytes):
        for name, data in files.items():
            path = tmp_path / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        return tmp_path

    return put


def _b64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def test_raw_files_are_recognised_by_content(folder):
    pcrs = json.dumps({"0": "00" * 32, "23": "ff" * 32}).encode()
    found = evidence.read_evidence(
        folder(a=HCL, b=REPORT, c=QUOTE, d=SIGNATURE, e=pcrs, f=b"5f" * 32, g=b"what?")
    )

    assert found.format == "folder"
    assert found.cpu is not None
    assert (found.cpu.hcl, found.cpu.report, found.cpu.quote) == (HCL, REPORT, QUOTE)
    assert found.cpu.signature == SIGNATURE
    assert found.cpu.pcrs == {0: bytes(32), 23: b"\xff" * 32}
    assert found.claimed.nonce == b"\x5f" * 32
    assert found.ignored == ("g",)


def test_other_files_of_the_tools_are_recognised(folder):
    files = {
        "log": b"\x00\x00\x00\x00\x03\x00\x00\x00" + bytes(40),
        "values": b"\x01\x00\x00\x00\x0b\x00\x03" + bytes(40),
        "key": b"-----BEGIN PUBLIC KEY-----\n",
        "tpmt": b"\x00\x14\x00\x0b\x01\x00" + bytes(256),
        "thim": b'{"vcekCert": "x"}',
        "crl": b"-----BEGIN X509 CRL-----\n",
    }
    cpu = evidence.read_evidence(folder(**files)).cpu

    assert cpu is not None
    assert (cpu.event_log, cpu.pcr_file) == (files["log"], files["values"])
    assert (cpu.ak, cpu.signature) == (files["key"], files["tpmt"])
    assert (cpu.thim, cpu.crl) == (files["thim"], files["crl"])


def test_output_of_tpm2_pcrread_is_kept_verbatim(folder):
    text = b"sha256:\n  0 : 0x00\n"

    cpu = evidence.read_evidence(folder(pcrs_yaml=text)).cpu
    assert cpu is not None
    assert cpu.pcr_file == text


def test_a_gpu_report_may_be_binary_or_hex(folder, tmp_path):
    found = evidence.read_evidence(folder(report_txt=GPU.hex().encode(), ocsp__x_xml=RIM))

    assert [gpu.report for gpu in found.gpus] == [GPU]
    assert found.collateral.rims == (RIM,)
    (tmp_path / "report.txt").write_bytes(GPU)
    assert [gpu.report for gpu in evidence.read_evidence(tmp_path).gpus] == [GPU]


def test_two_files_of_one_kind_are_refused(folder):
    with pytest.raises(InvalidFile, match="two files of the kind hcl"):
        evidence.read_evidence(folder(a=HCL, b=HCL))


def test_two_documents_of_one_kind_are_refused(folder):
    document = json.dumps(_trustee()).encode()
    with pytest.raises(InvalidFile, match="two JSON documents of one kind"):
        evidence.read_evidence(folder(a=document, b=document))


@pytest.mark.parametrize("data", [b"", b"what?", b"{}", b"[]", b'{"a": 1, "a": 2}', b"[" * 9999])
def test_a_file_of_unknown_format_exits_3(tmp_path, data):
    file = tmp_path / "evidence"
    file.write_bytes(data)

    with pytest.raises(InvalidFile) as caught:
        evidence.read_evidence(file)
    assert caught.value.exit_code == 3


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("any") / "evidence"
    file.write_bytes(data)

    with contextlib.suppress(InvalidFile):
        assert evidence.read_evidence(file).format


def test_a_folder_without_evidence_is_refused(folder):
    with pytest.raises(InvalidFile, match="no evidence"):
        evidence.read_evidence(folder(a=RIM))


def test_missing_and_oversized_files_are_refused(tmp_path):
    with pytest.raises(InvalidFile, match="cannot be read"):
        evidence.read_evidence(tmp_path / "nothing")
    (tmp_path / "big").write_bytes(bytes(limits.MAX_BYTES + 1))
    with pytest.raises(InvalidFile, match="larger than"):
        evidence.read_evidence(tmp_path / "big")


def test_a_folder_of_too_many_files_is_refused(folder):
    with pytest.raises(InvalidFile, match="more than 100 files"):
        evidence.read_evidence(folder(**{f"f{n}": b"" for n in range(limits.MAX_FILES + 1)}))


def _trustee(**changes):
    quote = {"signature": SIGNATURE.hex(), "message": QUOTE.hex(), "pcrs": ["00" * 32] * 24}
    made = {"version": 1, "tpm_quote": quote, "hcl_report": _b64(HCL), "vcek": _b64(b"0\x01")}
    return made | changes


@pytest.mark.parametrize("wrapped", [False, True])
def test_trustees_json_and_its_wrappers_are_read(tmp_path, wrapped):
    document = {"platform": "az-snp", "evidence": _trustee()} if wrapped else _trustee()
    file = tmp_path / "evidence.json"
    file.write_text(json.dumps(document))
    found = evidence.read_evidence(file)

    assert found.format == ("attestation-rs" if wrapped else "trustee")
    assert found.cpu is not None
    assert (found.cpu.hcl, found.cpu.quote, found.cpu.signature) == (HCL, QUOTE, SIGNATURE)
    assert found.cpu.vek == b"0\x01"
    assert found.cpu.pcrs == dict.fromkeys(range(24), bytes(32))


def test_trustees_first_version_has_numbers_and_pem(tmp_path):
    quote = {"signature": [*SIGNATURE], "message": [*QUOTE], "pcrs": [[0] * 32] * 24}
    pem = "-----BEGIN CERTIFICATE-----\n"
    file = tmp_path / "evidence.json"
    file.write_text(json.dumps({"quote": quote, "report": [*HCL], "vcek": pem}))
    cpu = evidence.read_evidence(file).cpu

    assert cpu is not None
    assert (cpu.hcl, cpu.quote, cpu.vek) == (HCL, QUOTE, pem.encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"vcek": 5},
        {"hcl_report": "***"},
        {"tpm_quote": {"signature": "zz", "message": "", "pcrs": []}},
        {"tpm_quote": {}},
        {"tpm_quote": {"signature": "", "message": "", "pcrs": 5}},
        {"tpm_quote": {"signature": [256], "message": "", "pcrs": []}},
    ],
    ids=str,
)
def test_a_damaged_document_is_refused_as_damaged(tmp_path, changes):
    file = tmp_path / "evidence.json"
    file.write_text(json.dumps(_trustee(**changes)))

    with pytest.raises(InvalidFile, match="damaged"):
        evidence.read_evidence(file)


def test_nvattests_json_is_read(tmp_path):
    entry = {
        "arch": "HOPPER",
        "evidence": base64.b64encode(GPU).decode(),
        "certificate": base64.b64encode(b"-----BEGIN").decode(),
        "nonce": "5f" * 32,
    }
    file = tmp_path / "evidence.json"
    file.write_text(json.dumps([entry, {**entry, "nonce": None}]))
    found = evidence.read_evidence(file)

    assert found.format == "nvattest"
    assert [(gpu.report, gpu.nonce) for gpu in found.gpus] == [(GPU, b"\x5f" * 32), (GPU, None)]


def test_nvattests_json_with_unexpected_content_is_refused(tmp_path):
    file = tmp_path / "evidence.json"
    file.write_text(json.dumps([{"evidence": "", "certificate": ""}, 5]))

    with pytest.raises(InvalidFile, match="damaged"):
        evidence.read_evidence(file)


def test_an_invalid_bundle_is_refused_naming_the_field(tmp_path):
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps({"schema": "ccgpu.bundle/1", "tool": "x", "made_at": "now"}))

    with pytest.raises(InvalidFile, match="made_at"):
        evidence.read_evidence(file)


def test_a_file_of_another_format_than_requested_is_refused(tmp_path):
    file = tmp_path / "report.bin"
    file.write_bytes(REPORT)

    assert evidence.read_evidence(file, "snp-report").cpu is not None
    with pytest.raises(InvalidFile, match="format snp-report, not trustee"):
        evidence.read_evidence(file, "trustee")


def test_collateral_of_caller_and_evidence_is_kept_apart(tmp_path, folder):
    report = tmp_path.parent / "report.bin"
    report.write_bytes(REPORT)
    read = evidence.read_evidence(report)
    found = evidence.add_collateral(
        read, folder(crl_pem=b"-----BEGIN X509 CRL-----\n", rim__a_xml=RIM, c=b"what?")
    )

    assert found.given.crls == (b"-----BEGIN X509 CRL-----\n",)
    assert found.given.rims == (NamedManifest("a", RIM),)
    assert (found.cpu, found.collateral) == (read.cpu, read.collateral)
    assert found.ignored == ("c",)
    with pytest.raises(InvalidFile, match="not a folder"):
        evidence.add_collateral(found, report)


def test_certificates_and_crls_of_several_machines_are_kept(folder):
    other = vm().amd.vcek(SimulatedChip(hwid=bytes(range(100, 164)))).signed_by(vm().amd.ask_key)
    lists = [vm().amd.crl(serial).signed_by(vm().amd.ark_key) for serial in (1, 2)]
    path = folder(a=REPORT, b_der=_vcek(), c_der=other, d_der=lists[0], e_der=lists[1])
    found = evidence.read_evidence(path)

    assert found.cpu is not None
    assert (found.cpu.vek, found.cpu.veks) == (_vcek(), (other,))
    assert (found.cpu.crl, found.cpu.crls) == (lists[0], (lists[1],))
    given = evidence.add_collateral(Evidence("folder"), path).given
    assert (given.veks, given.crls) == ((_vcek(), other), tuple(lists))


def test_two_chains_are_refused_in_evidence_and_kept_from_the_caller(folder):
    other = make_authorities("Milan", bits=2048)
    path = folder(a=REPORT, b_pem=vm().amd.chain, c_pem=other.chain)
    with pytest.raises(InvalidFile, match="two files of the kind chain"):
        evidence.read_evidence(path)
    given = evidence.add_collateral(Evidence("folder"), path).given
    assert given.chains == (vm().amd.chain, other.chain)


def test_a_certificate_with_an_invalid_version_is_skipped(folder):
    other = vm().amd.ask.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x79", 1)
    found = evidence.read_evidence(folder(a=HCL, b=other))

    assert found.ignored == ("b",)


def test_damaged_gpu_reports_and_ocsp_responses_are_recognised(folder):
    report = b"\x10" + GPU[1:] + b"\x11\x60" + bytes(4000)
    answer = ocsp_answers.ocsp_response(2, 0)
    damaged = b"\x31" + answer[1:]
    found = evidence.read_evidence(folder(a=report, b=damaged))

    assert found.gpus[0].report == report
    assert found.collateral.ocsp == (damaged,)


@cache
def _vcek():  # once: a PSS signature is another one each time
    return vm().amd.vcek(vm().chip).signed_by(vm().amd.ask_key)


def test_certificates_are_sorted_by_their_subject(folder):
    chain = pem(_vcek()) + vm().amd.chain
    found = evidence.read_evidence(folder(a=REPORT, certs_pem=chain)).cpu

    assert found is not None
    assert found.vek == pem(_vcek()).rstrip() + b"\n"
    assert found.chain is not None
    assert found.chain.lstrip() == vm().amd.chain


def test_the_chain_may_be_a_separate_file_and_the_vcek_der(folder):
    found = evidence.read_evidence(folder(a=REPORT, vcek_der=_vcek(), chain_pem=vm().amd.chain)).cpu

    assert found is not None
    assert (found.vek, found.chain) == (_vcek(), vm().amd.chain)


def test_other_pem_certificates_belong_to_a_gpu_and_der_is_ignored(folder):
    other = authority_certificate("Somebody", vm().amd.ask_key, "Somebody", 7).signed_by(
        vm().amd.ask_key
    )
    found = evidence.read_evidence(folder(report_bin=GPU, chain_pem=pem(other), ak_der=other))

    assert [gpu.chain for gpu in found.gpus] == [pem(other)]
    assert found.ignored == ("ak.der",)


def test_der_crls_and_ocsp_responses_are_recognised(folder, tmp_path):
    crl = vm().amd.crl().signed_by(vm().amd.ark_key)
    found = evidence.read_evidence(folder(a=REPORT, crl_der=crl))

    assert found.cpu is not None
    assert found.cpu.crl == crl
    unsuccessful = bytes.fromhex("30030a0106")  # OCSPResponse: unauthorized (RFC 6960, §4.2.1)
    (tmp_path / "answer").write_bytes(unsuccessful)
    assert evidence.read_evidence(tmp_path).collateral.ocsp == (unsuccessful,)


@pytest.mark.parametrize("data", [b"-----BEGIN CERTIFICATE-----\nx\n", b"0\x80", b"0"])
def test_files_that_resemble_certificates_are_not_read(folder, data):
    assert evidence.read_evidence(folder(a=REPORT, b=data)).ignored == ("b",)


def test_hex_text_that_is_no_nonce_or_report_is_not_read(folder):
    assert evidence.read_evidence(folder(a=REPORT, b=b"00" * 65)).ignored == ("b",)


def test_pcr_values_that_are_not_hex_are_refused(folder):
    with pytest.raises(InvalidFile, match="not hex"):
        evidence.read_evidence(folder(a=REPORT, b=b'{"0": "zz"}'))


def test_an_hcl_blob_alone_is_evidence(tmp_path):
    file = tmp_path / "hcl-report.bin"
    file.write_bytes(HCL)

    assert evidence.read_evidence(file).format == "hcl-report"
