"""What people have: every format is read whole, and its verdict is that of the same evidence."""

import json
from dataclasses import replace

import pytest

from ccgpu.attest.appraise import AppraisalInputs
from ccgpu.attest.attestation_tokens import TokenKeySets
from ccgpu.attest.hcl import blob
from ccgpu.domain import bundle
from ccgpu.domain.evidence import CpuEvidence, Evidence
from ccgpu.errors import InvalidFile
from ccgpu.fakeguest.evidence import quote, tokens
from ccgpu.store import evidence
from support import documents, gpus
from support.cli import Shell
from support.vms import AT, NONCE, Judge, amd_roots, nonce_evidence, vm

_CPU = Judge("cpu-only", AppraisalInputs(AT, NONCE))
_GPU = Judge("gpu-only", AppraisalInputs(AT, NONCE))


@pytest.fixture
def write(tmp_path):
    """Write a JSON document, or bytes, to a file."""

    def put(value, name="evidence.json"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
        return file

    return put


def _of_gpu(found: Evidence) -> Evidence:
    """What was read of a GPU, with the collateral and the roots of the simulation."""
    whole = gpus.nonce_evidence(gpus.gpu())
    state = [replace(gpu, state=gpus.GOOD) for gpu in found.gpus]
    return replace(
        found,
        gpus=tuple(state),
        collateral=whole.collateral,
        simulated_roots=whole.simulated_roots,
    )


def _of_cpu(found: Evidence) -> Evidence:
    return replace(found, simulated_roots=amd_roots(vm()))


@pytest.fixture(scope="module")
def gpu():
    """Evidence of one GPU."""
    return gpus.nonce_evidence(gpus.gpu()).gpus[0]


@pytest.fixture(scope="module")
def cpu() -> CpuEvidence:
    """Evidence of a VM."""
    found = nonce_evidence(vm()).cpu
    assert found is not None
    return found


def test_nvattests_envelope(write, gpu):
    found = evidence.read_evidence(write(documents.nvattest([gpu], NONCE)))

    assert found.format == "nvattest"
    assert found.gpus[0].nonce == NONCE
    assert _GPU(_of_gpu(found)).verdict == "accepted"


def test_nvattests_output_with_two_gpus_is_refused_by_count_not_by_format(write, gpu, tmp_path):
    file = write(documents.nvattest([gpu, gpu], NONCE))
    found = evidence.read_evidence(file)

    assert _GPU(_of_gpu(found)).reasons == ("policy.gpu.count",)
    done = Shell(tmp_path)(f"verify {file} --policy gpu-only -o json")
    assert done.code == 9
    assert "policy.gpu.count" in done.document["reasons"]
    assert done.document["format"] == "nvattest"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"result_code": 5, "result_message": "No\x1b[2J GPU"}, r"that it failed \(5: No\\x1b"),
        ({"evidences": []}, "of no GPU: collect it anew"),
        ({"evidences": {}}, "is a list"),
        ({"evidences": [{"arch": "HOPPER"}]}, "nvattest JSON without 'evidence'"),
    ],
    ids=str,
)
def test_an_envelope_without_evidence_is_refused_with_the_reason(write, gpu, changes, said):
    with pytest.raises(InvalidFile, match=said) as caught:
        evidence.read_evidence(write(documents.nvattest([gpu], NONCE, **changes)))
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("as_hex", [False, True])
def test_trustees_device_list(write, gpu, as_hex):
    found = evidence.read_evidence(write(documents.device_list([gpu], as_hex=as_hex)))

    assert found.format == "trustee"
    assert found.gpus[0].arch == "HOPPER"
    assert _GPU(_of_gpu(found)).verdict == "accepted"


def test_a_request_to_nras(write, gpu):
    found = evidence.read_evidence(write(documents.nras_request([gpu], NONCE)))

    assert found.format == "nras-request"
    assert (found.gpus[0].arch, found.gpus[0].nonce) == ("HOPPER", NONCE)
    assert _GPU(_of_gpu(found)).verdict == "accepted"


def _quote_pcrs(cpu, *covered):
    """The same evidence with a quote of some PCRs, and the values of all 24."""
    message = quote.QuoteTemplate({index: vm().pcrs[index] for index in covered}, NONCE).raw
    return replace(cpu, quote=message, signature=quote.sign_quote(vm().ak, message))


@pytest.mark.parametrize("beside", [False, True])
def test_trustees_additional_evidence_is_listed_as_not_read(write, cpu, gpu, beside):
    primary = documents.trustee(cpu)
    more = {
        "additional_evidence": json.dumps({"nvidia": documents.device_list([gpu], as_hex=False)})
    }
    path = write(primary | more if beside else {"primary_evidence": primary} | more)
    found = evidence.read_evidence(path)

    assert (found.format, found.ignored, found.gpus) == ("trustee", ("additional_evidence",), ())
    assert _CPU(_of_cpu(found)).verdict == "accepted"
    write({"token": "a.b.c"}, "token.json")
    assert evidence.read_evidence(path.parent).ignored == ("additional_evidence",)


def test_primary_evidence_of_another_platform_is_refused(write):
    with pytest.raises(InvalidFile, match="not that of an Azure VM"):
        evidence.read_evidence(
            write({"primary_evidence": {"quote": "dGR4"}, "additional_evidence": ""})
        )


@pytest.mark.parametrize("form", ["trustee", "folder"])
def test_unquoted_pcr_values_are_listed_as_not_read(write, cpu, form):
    part = _quote_pcrs(cpu, *range(15))
    path = write(documents.trustee(part))
    if form == "folder":
        path.unlink()
        values = {str(index): value.hex() for index, value in vm().pcrs.items()}
        for name, data in {"hcl": part.hcl, "quote": part.quote, "sig": part.signature}.items():
            write(data, name)
        write(part.vek, "vcek.der")
        path = write(values, "pcrs.json").parent
    appraisal = _CPU(_of_cpu(evidence.read_evidence(path)))

    assert appraisal.verdict == "accepted"
    assert sorted(appraisal.pcrs) == [*range(15)]
    assert appraisal.not_read == tuple(
        f"PCR {index} (the quote does not cover it)" for index in range(15, 24)
    )


def test_wrong_or_missing_quoted_pcrs_are_refused(cpu):
    part = _quote_pcrs(cpu, *range(15))
    wrong = {**(part.pcrs or {}), 3: bytes(32)}
    missing = {index: value for index, value in (part.pcrs or {}).items() if index != 3}
    found = nonce_evidence(vm())

    assert _CPU(replace(found, cpu=replace(part, pcrs=wrong))).verdict == "rejected"
    assert "vtpm.pcrs.selection" in _CPU(replace(found, cpu=replace(part, pcrs=missing))).reasons


def test_unread_parts_are_listed_in_text_and_json(tmp_path, cpu, write):
    file = write(documents.trustee(_quote_pcrs(cpu, *range(23))))
    line = f"verify {file} --policy cpu-only --nonce {NONCE.hex()}"
    shell = Shell(tmp_path)

    assert "not read:\n  - PCR 23 (the quote does not cover it)" in shell(line).out
    ignored = shell(f"{line} -o json").document["ignored"]
    assert ignored == ["PCR 23 (the quote does not cover it)"]


def test_attestation_rs_snp(write, cpu):
    report = blob.parse(cpu.hcl or b"").report
    value = documents.attestation_rs_snp(report, cpu.vek, cpu.chain or b"")
    found = evidence.read_evidence(write(value))

    assert found.format == "attestation-rs"
    assert found.cpu is not None
    assert (found.cpu.report, found.cpu.vek) == (report, cpu.vek)
    failed = {check.id for check in _CPU(_of_cpu(found)).checks if not check.ok}
    assert not [id_ for id_ in failed if id_.startswith("snp.")]
    assert evidence.read_evidence(write(value["evidence"])).cpu == found.cpu
    bare = documents.attestation_rs_snp(report, None, cpu.chain or b"")
    assert evidence.read_evidence(write(bare)).cpu == CpuEvidence(report=report)


@pytest.mark.parametrize("chain", [5, "x", ["y"]])
def test_damaged_attestation_rs_snp_is_refused(write, chain):
    inner = {"attestation_report": "AAAA", "cert_chain": chain}

    with pytest.raises(InvalidFile, match="damaged: attestation-rs JSON"):
        evidence.read_evidence(write({"platform": "snp", "evidence": inner}))


def _raw_files(write, cpu, **files):
    for name, data in files.items():
        write(data, name)
    write(cpu.quote, "quote")
    write(cpu.signature, "sig")
    return write({str(i): v.hex() for i, v in (cpu.pcrs or {}).items()}, "pcrs").parent


def test_the_certificate_of_thim_is_used(write, cpu):
    answer = documents.thim(cpu.vek or b"", cpu.chain or b"")
    found = evidence.read_evidence(_raw_files(write, cpu, hcl=cpu.hcl, thim=answer))

    assert found.cpu is not None
    assert found.cpu.thim == answer
    assert found.cpu.vek is not None
    assert _CPU(_of_cpu(found)).verdict == "accepted"


def test_a_thim_response_in_a_folder_of_collateral_is_used(write, cpu, tmp_path):
    write(documents.thim(cpu.vek or b"", cpu.chain or b""), "collateral/thim.json")
    bare = replace(nonce_evidence(vm()), cpu=replace(cpu, vek=None, chain=None))

    found = evidence.add_collateral(bare, tmp_path / "collateral")
    assert _CPU(found).verdict == "accepted"


def test_a_separate_certificate_precedes_that_of_thim(write, cpu):
    other = documents.thim(vm().amd.ask, cpu.chain or b"")
    folder = _raw_files(write, cpu, hcl=cpu.hcl, thim=other, vcek=cpu.vek)
    found = evidence.read_evidence(folder)

    assert found.cpu is not None
    assert found.cpu.vek == cpu.vek


@pytest.mark.parametrize("answer", [b'{"vcekCert": 5}', b'{"vcekCert": "-----BEGIN CERT"}'])
def test_a_thim_response_without_a_vcek_has_no_certificate(write, cpu, answer):
    found = evidence.read_evidence(_raw_files(write, cpu, hcl=cpu.hcl, thim=answer))

    assert found.cpu is not None
    assert found.cpu.vek is None
    assert "collateral.vek.absent" in _CPU(_of_cpu(found)).reasons


def test_runtime_data_beside_a_bare_report(write, cpu):
    whole = blob.parse(cpu.hcl or b"")
    folder = _raw_files(write, cpu, report=whole.report, runtime_data=whole.runtime, vcek=cpu.vek)
    found = evidence.read_evidence(folder)

    assert found.cpu is not None
    assert (found.cpu.hcl, found.cpu.runtime) == (None, whole.runtime)
    assert _CPU(_of_cpu(found)).verdict == "accepted"


@pytest.mark.parametrize("size", [256, 384, 512])
def test_a_bare_signature_may_begin_like_a_manifest(write, cpu, size):
    """An RSA signature is any bytes: one in 256 begins with `<`."""
    signature = b"<" + bytes(range(128, 256)) * 4
    write(cpu.quote, "quote")
    found = evidence.read_evidence(write(signature[:size], "sig").parent)

    assert found.cpu is not None
    assert found.cpu.signature == signature[:size]


def test_a_text_as_long_as_a_signature_is_none(write, cpu):
    text = json.dumps({"0": "00" * 32}).encode()
    write(cpu.quote, "quote")
    found = evidence.read_evidence(write(text.ljust(256), "pcrs").parent)

    assert found.cpu is not None
    assert found.cpu.pcrs == {0: bytes(32)}


def test_runtime_data_not_covered_by_report_data_is_rejected(write, cpu):
    whole = blob.parse(cpu.hcl or b"")
    other = whole.runtime.replace(b'"keys"', b' "keys"')
    folder = _raw_files(write, cpu, report=whole.report, runtime_data=other, vcek=cpu.vek)

    assert "hcl.hash" in _CPU(_of_cpu(evidence.read_evidence(folder))).reasons


def test_runtime_data_beside_the_hcl_blob_is_not_read(write, cpu):
    runtime = blob.parse(cpu.hcl or b"").runtime
    found = evidence.read_evidence(
        _raw_files(write, cpu, hcl=cpu.hcl, runtime_data=runtime, vcek=cpu.vek)
    )

    assert found.cpu is not None
    assert found.cpu.runtime is None
    assert found.ignored == ("runtime_data",)


_NRAS, _MAA = tokens.nras_signer(), tokens.maa_signer()


@pytest.fixture(scope="module")
def opinions():
    """The tokens of both services."""
    nras = tokens.NrasResponse(_NRAS, NONCE, issued=AT).signed()
    return nras, tokens.MaaToken(_MAA, NONCE, issued=AT).signed()


def test_a_token_alone_is_read_and_proves_no_vm(write, opinions):
    nras, maa = opinions
    of_nvidia = evidence.read_evidence(write(nras, "token.json"))
    of_microsoft = evidence.read_evidence(write(maa + b"\n", "maa.jwt"))

    assert of_nvidia.format == of_microsoft.format == "token"
    assert json.loads(of_nvidia.tokens.nras or b"") == json.loads(nras)
    assert of_microsoft.tokens.maa == maa
    keys = TokenKeySets(maa=tokens.key_set(_MAA.jwk()))
    appraisal = Judge("cpu-only", AppraisalInputs(AT, NONCE, keys=keys))(of_microsoft)
    assert appraisal.verdict == "rejected"
    assert "evidence.cpu.absent" in appraisal.reasons
    assert any(check.id.startswith("maa.") for check in appraisal.checks)


def test_an_overall_nras_token_alone_is_recognised(write, opinions):
    overall = json.loads(opinions[0])[0][1].encode()

    assert evidence.read_evidence(write(overall, "token.jwt")).tokens.nras == overall


def test_a_maa_response_containing_a_token(write, opinions):
    found = evidence.read_evidence(write({"token": opinions[1].decode()}))

    assert found.tokens.maa == opinions[1]


@pytest.mark.parametrize("as_text", [False, True])
def test_the_tokens_in_what_nvattest_attest_prints(write, opinions, as_text):
    eat = json.loads(opinions[0])
    value: dict[str, object] = {"result_code": 0, "claims": []}
    value |= {"detached_eat": json.dumps(eat) if as_text else eat}

    assert json.loads(evidence.read_evidence(write(value)).tokens.nras or b"") == eat


def test_a_folder_holds_evidence_of_cpu_gpu_and_tokens_each_in_its_own_format(
    write, cpu, gpu, opinions
):
    write(documents.trustee(cpu), "cpu.json")
    write(documents.nvattest([gpu], NONCE), "gpu.json")
    write(opinions[0], "nras.json")
    found = evidence.read_evidence(write(opinions[1], "maa.jwt").parent)

    assert found.cpu is not None
    assert (found.format, found.cpu.hcl, found.gpus[0].report) == ("folder", cpu.hcl, gpu.report)
    assert found.tokens.maa == opinions[1]
    assert json.loads(found.tokens.nras or b"") == json.loads(opinions[0])


def test_tokens_alone_in_a_folder_are_read(write, opinions):
    assert evidence.read_evidence(write(opinions[1], "x/maa.jwt").parent).tokens.maa == opinions[1]


def test_raw_files_beside_a_document_may_only_add_to_it(write, cpu):
    write(vm().events.raw, "eventlog")
    folder = write(documents.trustee(cpu)).parent
    found = evidence.read_evidence(folder)

    assert found.cpu is not None
    assert (found.cpu.hcl, found.cpu.event_log) == (cpu.hcl, vm().events.raw)
    write(cpu.hcl, "hcl")
    with pytest.raises(InvalidFile, match="hcl twice"):
        evidence.read_evidence(folder)


def test_two_tokens_and_two_kinds_of_gpu_evidence_are_refused(write, gpu, opinions):
    write(opinions[1], "a.jwt")
    folder = write({"token": opinions[1].decode()}, "b.json").parent
    with pytest.raises(InvalidFile, match="two tokens"):
        evidence.read_evidence(folder)
    (folder / "b.json").unlink()
    write(documents.nvattest([gpu], NONCE), "gpu.json")
    write(gpu.report, "report.bin")
    with pytest.raises(InvalidFile, match="GPUs twice"):
        evidence.read_evidence(folder)


def test_a_bundle_must_be_the_only_file(write, cpu):
    write({"schema": "ccgpu.bundle/1", "tool": "x", "made_at": "2026-11-22T12:00:00Z"}, "a.json")
    folder = write(documents.trustee(cpu), "b.json").parent

    with pytest.raises(InvalidFile, match="a bundle and another"):
        evidence.read_evidence(folder)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"\x7fELF\x02", "5 bytes that begin with 7f 45 4c 46 02; no report"),
        (b'{"a": 1, "b\\u001b": 2}', r"an object with a, b\\x1b"),
        (b"{}", "an empty object"),
        (b"[1, 2]", "a list of 2 values"),
        (b'{"a": 1, "a": 2}', "a key stands twice"),
        (b"\xffTCG\x80\x18", "is only a vTPM quote: give a folder"),
        (b'{"vcekCert": "x"}', "is only an answer of Azure.s certificate service"),
        (b"<x/>", "is only a reference manifest"),
        (b"5f" * 32, "a nonce"),
        (b"eyJhIjoxfQ.eyJhIjoxfQ.AAAA", "not in a known format"),
    ],
    ids=str,
)
def test_a_file_of_unknown_format_lists_the_known_formats(tmp_path, write, data, said):
    with pytest.raises(InvalidFile, match=said):
        evidence.read_evidence(write(data, "thing"))
    done = Shell(tmp_path)(f"verify {tmp_path / 'thing'}")
    assert done.code == 3
    for known in ("bundle", "folder", "trustee", "attestation-rs", "nvattest", "NRAS", "token"):
        assert known in done.err


def test_a_folder_of_unknown_format_lists_its_files(write):
    write(b"what?", "x/notes")
    folder = write(b"<x/>", "x/a.xml").parent

    with pytest.raises(InvalidFile, match="of known kinds there are: rim; of no known kind: notes"):
        evidence.read_evidence(folder)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"token": 5}, "a token is a text"),
        ({"token": "\ud800"}, "damaged: token JSON"),
        ({"detached_eat": 5}, "a detached EAT is a list of two"),
        ({"detached_eat": "{"}, "damaged: token JSON"),
        ({"device_evidence_list": "x"}, "is a list"),
        ({"device_evidence_list": [5]}, "every entry is a mapping"),
        ({"evidence_list": []}, "of no GPU"),
        ({"quote": {}, "report": [1]}, "trustee JSON without 'pcrs'"),
        ({"platform": "snp", "evidence": 5}, "damaged: attestation-rs JSON"),
        ({"attestation_report": 5, "cert_chain": None}, "expected bytes"),
    ],
    ids=str,
)
def test_a_damaged_document_of_each_format_is_refused_with_the_reason(write, value, said):
    with pytest.raises(InvalidFile, match=said) as caught:
        evidence.read_evidence(write(value))
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "arch", ["\ud800", "HOPPER\x1b[2J", "H" * 33, ["HOPPER"], "\u017f"], ids=ascii
)
def test_gpu_architectures_are_plain_names(write, gpu, arch):
    value = documents.nvattest([gpu], NONCE)
    value["evidences"][0]["arch"] = arch

    with pytest.raises(InvalidFile, match="arch is a name like HOPPER"):
        evidence.read_evidence(write(value))


def test_documents_have_at_most_24_pcrs(write, cpu):
    value = documents.trustee(cpu)
    value["tpm_quote"]["pcrs"] = ["00" * 32] * 25

    with pytest.raises(InvalidFile, match="a TPM has 24 PCRs, here are 25"):
        evidence.read_evidence(write(value))


@pytest.mark.parametrize("index", ["24", "99", "01"])
def test_files_of_pcr_values_have_only_pcrs_0_to_23(write, cpu, index):
    write(cpu.hcl, "hcl")
    folder = write({"1": "00" * 32, index: "11" * 32}, "pcrs.json").parent

    with pytest.raises(InvalidFile, match=f"PCR {index}: there are 0 to 23"):
        evidence.read_evidence(folder)


def test_every_format_can_be_saved_as_a_bundle_and_read_back(write, cpu, gpu, opinions):
    report = blob.parse(cpu.hcl or b"").report
    values = [
        documents.trustee(_quote_pcrs(cpu, *range(15))),
        documents.nvattest([gpu, gpu], NONCE),
        documents.device_list([gpu], as_hex=True),
        documents.nras_request([gpu], NONCE),
        documents.attestation_rs_snp(report, cpu.vek, cpu.chain or b""),
        opinions[0],
    ]
    for value in values:
        found = evidence.read_evidence(write(value))
        saved = bundle.from_evidence(found, made_at=AT, tool="x").model_dump_json(by_alias=True)
        again = evidence.read_evidence(write(saved.encode(), "bundle.json"))
        assert (again.cpu, again.gpus, again.tokens) == (found.cpu, found.gpus, found.tokens)


def test_a_bundle_with_many_unknown_fields_names_some_and_the_schema(write):
    fields = {f"x{number}": 0 for number in range(50)}
    document = {"schema": "ccgpu.bundle/1", "tool": "x", "made_at": "2026-11-22T12:00:00Z"}
    with pytest.raises(InvalidFile) as caught:
        evidence.read_evidence(write(document | fields))

    assert len(caught.value.problems) == 20
    assert "`ccgpu schema bundle` prints them all" in caught.value.problems[0].message
