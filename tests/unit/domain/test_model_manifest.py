"""The manifest of a model: canonical bytes, strict reading, and what of a listing is pulled."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.hub_listing import HubFile, blob_id, parse_listing, wanted_files
from ccgpu.domain.model_manifest import (
    ModelFile,
    ModelManifest,
    is_safe_path,
    make_manifest,
    parse_manifest,
)

_COMMIT = "0123456789abcdef0123456789abcdef01234567"
_FILE = ModelFile("config.json", 3, "ab" * 32)


def _document(**changes):
    one = {
        "schema": "ccgpu.model-manifest/1",
        "repository": "a/b",
        "commit": _COMMIT,
        "files": [{"path": "config.json", "size": 3, "sha256": "ab" * 32}],
    }
    return {key: value for key, value in (one | changes).items() if value is not None}


def _file(**changes):
    return {"path": "config.json", "size": 3, "sha256": "ab" * 32} | changes


def test_the_bytes_are_canonical_and_the_digest_is_of_them():
    made = make_manifest("a/b", _COMMIT, {"config.json": _FILE})
    assert made.to_bytes() == (
        b'{"commit":"'
        + _COMMIT.encode()
        + b'","files":[{"path":"config.json","sha256":"'
        + b"ab" * 32
        + b'","size":3}],"repository":"a/b","schema":"ccgpu.model-manifest/1"}'
    )
    assert made.digest == f"sha256:{hashlib.sha256(made.to_bytes()).hexdigest()}"
    assert parse_manifest(made.to_bytes()) == made
    assert made.pinned.manifest == made.digest


def test_the_order_and_the_blanks_of_a_lock_file_do_not_matter():
    files = [_file(path="b.json"), _file(path="a.json")]
    one = parse_manifest(json.dumps(_document(files=files), indent=4).encode())
    other = parse_manifest(json.dumps(_document(files=files[::-1])).encode())
    assert one == other
    assert [file.path for file in one.files] == ["a.json", "b.json"]


def test_sizes():
    files = (ModelFile("a.safetensors", 5, "0" * 64), ModelFile("b.json", 2, "0" * 64))
    made = ModelManifest("a/b", _COMMIT, files)
    assert (made.size, made.weights, made.pinned.weights_gb) == (7, 5, 5 / 10**9)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "is not ccgpu.model-manifest/1"),
        (b" " * (1024 * 1024 + 1), "more than"),
        (_document(schema="x"), "is not ccgpu.model-manifest/1"),
        (_document(more=1), "other fields"),
        (_document(commit=None), "other fields"),
        (_document(files={}), "no list"),
        (_document(files=[]), "0 files"),
        (_document(files=["x"]), "other fields than path"),
        (_document(files=[_file(more=1)]), "other fields than path"),
        (_document(files=[_file(path=1)]), "no text"),
        (_document(files=[_file(), _file()]), "twice"),
        (_document(files=[_file(size=-1)]), "no size"),
        (_document(files=[_file(size=True)]), "no size"),
        (_document(files=[_file(size=2**60)]), "no size"),
        (_document(files=[_file(size="3")]), "no size"),
        (_document(files=[_file(sha256="AB" * 32)]), "no SHA-256"),
        (_document(files=[_file(sha256=None)]), "no SHA-256"),
        (_document(files=[_file(path="../x")]), "leads elsewhere"),
        (_document(repository="b"), "not ORG/NAME"),
        (_document(repository="a/b@main"), "not ORG/NAME"),
        (_document(repository=1), "not ORG/NAME"),
        (_document(commit="main"), "40 hex digits"),
        (_document(commit=1), "40 hex digits"),
        (_document(files=[_file(path=f"{n}.json") for n in range(1001)]), "1001 files"),
    ],
)
def test_what_is_no_manifest_is_refused(raw, why):
    data = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    with pytest.raises(ValueError, match=why):
        parse_manifest(data)


@pytest.mark.parametrize("path", ["a", "a/b.json", "un et/x-1_2.bin", "a+b@c (1)[2]=3,4"])
def test_a_path_that_stays_in_its_folder(path):
    assert is_safe_path(path)


@pytest.mark.parametrize(
    "path", ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\\b", "a\0", "a\n", "ä", "~", "a:b"]
)
def test_a_path_that_leads_elsewhere(path):
    assert not is_safe_path(path)


@given(st.binary(max_size=100))
def test_no_bytes_break_the_reader(data):
    with pytest.raises(ValueError, match=r"."):
        parse_manifest(data)
    with pytest.raises(ValueError, match="answered"):
        parse_listing(data)


def test_gits_id_of_a_blob():
    # The empty blob, and the example of "Pro Git", chapter 10.2.
    assert blob_id(b"") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert blob_id(b"test content\n") == "d670460b4b4aece5915caf5c68d12f560a9fe3e4"


def _listing(**changes):
    one = {
        "id": "a/b",
        "sha": _COMMIT,
        "gated": False,
        "cardData": {"license": "mit"},
        "siblings": [
            {"rfilename": "config.json", "size": 3, "blobId": "cd" * 20},
            {
                "rfilename": "model.safetensors",
                "size": 9,
                "blobId": "ef" * 20,
                "lfs": {"sha256": "ab" * 32, "size": 9, "pointerSize": 134},
            },
        ],
    }
    return json.dumps(one | changes).encode()


def test_a_listing_is_read():
    found = parse_listing(_listing())
    assert (found.repository, found.commit, found.gated, found.licence) == (
        *("a/b", _COMMIT),
        *(False, "mit"),
    )
    assert [(each.path, each.sha256) for each in found.files] == [
        ("config.json", None),
        ("model.safetensors", "ab" * 32),
    ]
    assert parse_listing(_listing(gated="manual")).gated
    assert parse_listing(_listing(cardData=None)).licence is None
    assert parse_listing(_listing(cardData={"license": ["a"]})).licence is None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"siblings": None}, "no list of files"),
        ({"sha": "main"}, "no commit"),
        ({"id": None}, "no commit"),
        ({"siblings": ["x"]}, "no object"),
        ({"siblings": [{"rfilename": "x"}]}, "without name, size or blob"),
        ({"siblings": [{"rfilename": "x", "size": -1, "blobId": "a"}]}, "without name"),
        ({"siblings": [{"rfilename": "x", "size": 1, "blobId": "a", "lfs": {}}]}, "its SHA-256"),
        (
            {"siblings": [{"rfilename": "x", "size": 1, "blobId": "a", "lfs": {"sha256": 5}}]},
            "without name",
        ),
    ],
)
def test_what_is_no_listing_is_refused(changes, why):
    with pytest.raises(ValueError, match=why):
        parse_listing(_listing(**changes))


def _wanted(*paths):
    found = wanted_files([HubFile(path, 1, "a", None) for path in paths])
    return [file.path for file in found]


def test_safetensors_are_taken_and_other_forms_are_not():
    assert _wanted(
        *(".gitattributes", "README.md", "config.json", "merges.txt", "tokenizer.model"),
        *("model.safetensors", "pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"),
        *("rust_model.ot", "64.tflite", "onnx/decoder_model.onnx", "onnx/config.json"),
        *("original/consolidated.safetensors", "metal/model.bin", "modeling_x.py", "x.gguf"),
        *("chat_template.jinja", "training_args.bin", "images/a.txt"),
    ) == [
        *("chat_template.jinja", "config.json", "merges.txt", "model.safetensors"),
        "tokenizer.model",
    ]


def test_pickled_weights_are_taken_where_there_are_no_others():
    assert _wanted("config.json", "pytorch_model-00001-of-00002.bin", "training_args.bin") == [
        "config.json",
        "pytorch_model-00001-of-00002.bin",
    ]


def test_of_a_pipeline_the_16_bit_parts_are_taken():
    assert _wanted(
        *("model_index.json", "sd_xl_base_1.0.safetensors", "unet/config.json"),
        *("unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors"),
        *("unet/diffusion_pytorch_model.fp16.safetensors", "unet/model.onnx_data"),
        *(
            "unet/diffusion_pytorch_model.non_ema.safetensors",
            "text_encoder/openvino_model.bin",
            "text_encoders/t5xxl_fp16.safetensors",
        ),
    ) == [
        *("model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.fp16.safetensors"),
        "vae/diffusion_pytorch_model.safetensors",
    ]
