"""A saved bundle of which anything is changed: never accepted."""

import base64
import json

import pytest

from support.other_spelling import respelled
from support.saved_bundles import NOTES, is_hex, saved_bundle
from support.slow import EVERY_CASE, mostly_slow

# Positions of a field that are changed: in a quick run one in so many bytes, else one in so many.
# CCGPU_EVERY_CASE=1 changes each byte, a quarter of an hour of CPU, and each character of the text,
# an hour of it, in so many parts.
_QUICK, _ALL = 1597, 1 if EVERY_CASE else 797
_PARTS = 60 if EVERY_CASE else 1
_LONG = 10_000  # bytes: of a manifest, whose signature covers all but XML's white space
_FEW = 11


def _fields():
    return [path for path, _ in saved_bundle().fields()]


_PATHS = [
    *(("nonce",), ("host_key",), ("recipient_key",)),
    *(("cpu", name) for name in ("hcl", "vek", "chain", "crl", "quote", "signature")),
    *(("cpu", "pcrs", str(index)) for index in range(24)),
    *(("cpu", name) for name in ("event_log", "thim")),
    *(("gpus", 0, name) for name in ("report", "chain", "nonce", "state_document")),
    *(("collateral", "rims", number) for number in range(2)),
    *(("collateral", "ocsp", number) for number in range(6)),
    *(("simulated_roots", name) for name in ("ark", "ask", "nvidia-device", "nvidia-rim")),
]


def test_every_piece_of_evidence_is_changed_here():
    assert _fields() == _PATHS


def _accepted(path, every):
    """The positions of a field at which another byte is accepted."""
    saved = saved_bundle()
    data = dict(saved.fields())[path]
    every = every if len(data) < _LONG else every * _FEW
    found = []
    for position in range(len(path) % max(len(data), 1), len(data), every):
        changed = bytearray(data)
        changed[position] ^= 1 + position % 255
        if same_but_for_white_space(data, bytes(changed)):
            continue
        if saved.judge(saved.exchanged(path, bytes(changed))) == "accepted":
            found.append(position)
    return found


def same_but_for_white_space(data, changed):
    """Whether each byte is the same, or white space for white space: XML's and PEM's alike."""
    pairs = zip(data, changed, strict=True)
    return all(old == new or {old, new} <= set(b" \t\r\n") for old, new in pairs)


@pytest.mark.slow
def test_the_unchanged_bundle_is_accepted():
    saved = saved_bundle()
    assert saved.judge(saved.text) == "accepted"
    for path, data in saved.fields():
        assert json.loads(saved.exchanged(path, data)) == {
            name: part for name, part in saved.document.items() if name not in NOTES
        } | {"made_at": saved.document["made_at"], "tool": "test"}


@pytest.mark.parametrize("path", [path for path in _PATHS if "pcrs" not in path or path[-1] == "7"])
def test_a_changed_byte_is_never_accepted(path):
    assert _accepted(path, _QUICK) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", _PATHS)
def test_no_changed_byte_is_accepted(path):
    assert _accepted(path, _ALL) == []


@pytest.mark.parametrize("path", mostly_slow(_PATHS, 12))
def test_a_piece_that_is_cut_or_goes_on_is_never_accepted(path):
    saved = saved_bundle()
    data = dict(saved.fields())[path]
    for changed in {data[:-1], data + b"\0", data + data[-1:], b""} - {data}:
        verdict = saved.judge(saved.exchanged(path, changed))
        same_pem = path == ("cpu", "chain") and changed.strip() == data.strip()
        callers = path == ("host_key",) and not changed  # absent: what the caller gives counts
        assert verdict != "accepted" or same_pem or callers


@pytest.mark.parametrize("path", mostly_slow(_PATHS, 12))
def test_each_piece_has_one_spelling(path):
    """Base64 with other bits in its padding, white space, or no padding (RFC 4648, §3.5)."""
    saved = saved_bundle()
    text = saved.text_at(path)
    for other in {*_spellings(path, text)} - {text}:
        assert saved.judge(saved.with_text(path, other)) == "unreadable"


def _spellings(path, text):
    """Texts that a lenient decoder reads as the same bytes."""
    if is_hex(path):
        return [text.upper(), f"{text[:2]} {text[2:]}"]
    found = [f"{text[:4]}\n{text[4:]}", f"{text} ", text.rstrip("=")]
    if text.endswith("="):
        found.append(respelled(text))
    return found if text else []


def _evidence_part(text):
    """Where the evidence stands in the text of a bundle: from its nonce to the first note."""
    return range(text.index('"nonce"'), text.index('"policy": "'))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(_PARTS))
def test_a_changed_character_is_never_accepted(first):
    """White space may be other white space: between the parts, and in PEM and XML."""
    saved, accepted = saved_bundle(), []
    same = json.loads(saved.text)
    part = _evidence_part(saved.text)
    for position in part[first :: _PARTS * _ALL]:
        for other in {"A", "0", '"'} - {saved.text[position]}:
            text = saved.text[:position] + other + saved.text[position + 1 :]
            if saved.judge(text) == "accepted" and not _is_same(json.loads(text), same):
                accepted.append((position, other))
    assert accepted == []


def _is_same(changed, document):
    """Whether two documents are the same but for white space in PEM and XML, or after a PEM."""
    if isinstance(document, dict):
        return changed.keys() == document.keys() and all(
            _is_same(changed[name], part) for name, part in document.items()
        )
    if isinstance(document, list):
        return len(changed) == len(document) and all(map(_is_same, changed, document))
    if changed == document or not isinstance(document, str):
        return bool(changed == document)
    old, new = (base64.b64decode(text).rstrip() for text in (document, changed))
    return len(old) == len(new) and same_but_for_white_space(old, new)
