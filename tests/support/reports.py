"""Reports on simulated evidence, and a strict reader of their HTML."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser
from typing import Any

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.check import Check
from ccgpu.domain import hostkey
from ccgpu.domain.evidence import Evidence
from ccgpu.views.repeated_verify import RepeatedVerify
from ccgpu.views.report import ReportSubject, as_html
from ccgpu.views.verdict import AppraisedEvidence
from support import gpus
from support.gpus import gpu
from support.vms import HOST_KEY, NONCE, Judge, caller_question, newest_vm
from support.workload_events import encode, event

# Elements that have no end tag (HTML, 13.1.2, void elements).
_VOID = {"meta", "br", "link", "img", "input", "hr", "base"}
_AGAIN = RepeatedVerify(
    "bundle.json",
    "default",
    NONCE.hex(),
    "a-vm",
    hostkey.fingerprint(hostkey.sha256(HOST_KEY)),
    ("--backend fake",),
)


@cache
def evidence() -> Evidence:
    """Good evidence of a VM that has started a workload, and of its GPU, bound together."""
    machine = replace(newest_vm(), workloads=(encode(event()),))
    return gpus.bound_evidence(machine, gpu())


@cache
def accepted() -> Appraisal:
    """The verdict on it."""
    appraisal = Judge("default", caller_question(newest_vm()))(evidence())
    assert appraisal.verdict == "accepted", appraisal.reasons
    return appraisal


def failing(*ids: str) -> Appraisal:
    """The same verdict, with failed checks of these reason codes."""
    failed = [Check(id_, "it holds", False, "this", "that", "a document") for id_ in ids]
    return replace(accepted(), verdict="rejected", checks=(*accepted().checks, *failed))


def without(id_: str) -> Appraisal:
    """The same verdict, in which no such check was made."""
    return replace(accepted(), checks=[each for each in accepted().checks if each.id != id_])


def real(appraisal: Appraisal) -> Appraisal:
    """The same verdict, as if the evidence were not simulated."""
    return replace(appraisal, simulated=False)


def subject(
    appraisal: Appraisal,
    found: Evidence | None = None,
    source: str = "bundle.json",
    ignored: Sequence[str] = (),
    **more: Any,
) -> ReportSubject:
    """What a report is about. `more`: its fields."""
    shown = AppraisedEvidence(appraisal, source, "bundle", ignored)
    again = replace(_AGAIN, source=source)
    return replace(ReportSubject(shown, found or evidence(), "5a" * 32, again), **more)


def page(appraisal: Appraisal, found: Evidence | None = None, **more: Any) -> "Page":
    """The page on a verdict, read."""
    return Page.read(as_html(subject(appraisal, found, **more)))


@dataclass(frozen=True)
class Element:
    """A start tag."""

    tag: str
    attributes: dict[str, str | None]

    @property
    def classes(self) -> list[str]:
        return (self.attributes.get("class") or "").split()


@dataclass
class Page(HTMLParser):
    """A page whose tags are balanced; everything else raises."""

    elements: list[Element] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    source: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []

    @classmethod
    def read(cls, source: str) -> "Page":
        """Read a page to its end."""
        found = cls(source=source)
        found.feed(source)
        found.close()
        assert found._open == [], "tags without an end"
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice: {names}"
        self.elements.append(Element(tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> ends another element"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """All text, each run of white space as one space."""
        return " ".join(" ".join(self.words).split())

    def of(self, tag: str) -> list[Element]:
        """The elements of a kind."""
        return [each for each in self.elements if each.tag == tag]

    def with_class(self, name: str) -> list[Element]:
        """The elements of a class."""
        return [each for each in self.elements if name in each.classes]

    @property
    def parts(self) -> dict[str, str]:
        """How each part of the chain of trust is drawn."""
        drawn = [each for each in self.elements if "data-part" in each.attributes]
        return {str(each.attributes["data-part"]): each.classes[0] for each in drawn}
