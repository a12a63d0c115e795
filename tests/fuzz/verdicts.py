"""Every part of evidence that is accepted, exchanged for what the fuzzer makes of it.

A verdict may be good again only if the part says the same as before: PEM may be wrapped otherwise,
a signature may be bare or not. An event log may say less, since digests alone were measured. Nonces
are bare here: no binding covers what a signature does not.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from ccgpu.attest import certificates, simulated
from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.appraise import AppraisalInputs, appraise
from ccgpu.attest.attestation_tokens import TokenKeySets
from ccgpu.attest.check import Rule
from ccgpu.attest.gpu import rim
from ccgpu.attest.roots import Roots
from ccgpu.attest.snp import crl
from ccgpu.attest.tokens import maa, nras
from ccgpu.attest.vtpm import pcrs, signature
from ccgpu.domain.evidence import AttestationTokens, CpuEvidence, Evidence
from ccgpu.domain.overrides import Overrides
from ccgpu.domain.policy import Policy
from ccgpu.fakeguest.evidence import tokens
from ccgpu.store import policies
from support import gpus, vms

Meaning = Callable[[bytes], object]

_RULE = Rule("fuzz", "anything", "the fuzzer")
_NRAS, _MAA = tokens.nras_signer(), tokens.maa_signer()
_WORD = re.compile(r"[^\s,;]+")
_KEYS = TokenKeySets(tokens.key_set(_NRAS.jwk()), tokens.key_set(_MAA.jwk()))


class Accepted(Exception):
    """A good verdict on evidence that is not the good evidence."""


@dataclass(frozen=True)
class Verdict:
    """Evidence that is accepted, one part of it, and what that part says."""

    found: Callable[[], Evidence]
    part: Callable[[Evidence], bytes | None]
    exchanged: Callable[[Evidence, bytes], Evidence]
    means: Meaning = bytes
    fewer_facts: bool = False

    def parse(self, data: bytes) -> Appraisal:
        """Judge the evidence with `data` in it."""
        good = self.found()
        judged = _judged(self.exchanged(good, data), _roots(self.found))
        if judged.verdict == "accepted":
            wanted = self.means(self.part(good) or b"")
            if self.means(data) != wanted or not self._same(judged.facts):
                raise Accepted(data)
        return judged

    def _same(self, facts: Mapping[str, str]) -> bool:
        """Whether nothing is told but what the good evidence tells."""
        good = _facts(self.found)
        if not self.fewer_facts:
            return facts == good
        return all(
            set(_WORD.findall(facts[name])) <= {*_WORD.findall(good.get(name, "")), "not", "told"}
            for name in facts
        )

    def seeds(self) -> Iterator[bytes]:
        """The part that is there, on which the verdict is good."""
        seed = self.part(self.found()) or b""
        assert self.parse(seed).verdict == "accepted"
        yield seed


@cache
def _policy(*, of_gpu: bool, revocation: bool) -> Policy:
    plain = policies.load("gpu-only" if of_gpu else "cpu-only").with_overrides(
        Overrides(skip_ocsp=not revocation)
    )
    issuers = {"nras_issuers": (tokens.NRAS_ISSUER,), "maa_issuers": (tokens.MAA_ISSUER,)}
    return plain.model_copy(update={"tokens": plain.tokens.model_copy(update=issuers)})


def _judged(found: Evidence, roots: Roots | None) -> Appraisal:
    policy = _policy(of_gpu=bool(found.gpus), revocation=bool(found.collateral.ocsp))
    return appraise(found, policy, AppraisalInputs(vms.AT, keys=_KEYS), roots)


@cache
def _roots(found: Callable[[], Evidence]) -> Roots | None:
    return simulated.simulated_roots(found())


@cache
def _facts(found: Callable[[], Evidence]) -> Mapping[str, str]:
    return _judged(found(), _roots(found)).facts


@cache
def _vm() -> Evidence:
    """A VM, with what may come along: revocations, PCRs in a file."""
    machine = vms.vm()
    found = vms.asked(machine)
    crl_ = machine.amd.crl(7).signed_by(machine.amd.ark_key)
    file = b"".join(machine.pcrs[index] for index in range(24))
    return replace(found, cpu=replace(_cpu(found), crl=crl_, pcrs=None, pcr_file=file))


@cache
def _vm_and_token() -> Evidence:
    """A VM, with Microsoft's token."""
    machine = vms.vm()
    token = tokens.MaaToken(_MAA, vms.NONCE, vm_id=machine.vm_id, issued=vms.AT, tee=vms.MAA_REPORT)
    return replace(vms.asked(machine), tokens=AttestationTokens(maa=token.signed()))


@cache
def _gpu_and_ocsp() -> Evidence:
    """A GPU, with all of its collateral."""
    return gpus.asked(gpus.gpu())


@cache
def _gpu() -> Evidence:
    """The same without OCSP, which costs as much as all the rest."""
    found = _gpu_and_ocsp()
    return replace(found, collateral=replace(found.collateral, ocsp=()))


@cache
def _gpu_and_token() -> Evidence:
    """A GPU, with NVIDIA's token."""
    ueids = (_facts(_gpu)["GPU ueid"],)
    token = tokens.NrasAnswer(_NRAS, vms.NONCE, issued=vms.AT, ueids=ueids)
    return replace(_gpu(), tokens=AttestationTokens(nras=token.signed()))


def _cpu(found: Evidence) -> CpuEvidence:
    assert found.cpu is not None
    return found.cpu


def _only(field: str, data: bytes) -> dict[str, Any]:
    return {field: data}


def _of_vm(field: str, means: Meaning = bytes, *, fewer_facts: bool = False) -> Verdict:
    """A field of the CPU's evidence."""
    return Verdict(
        _vm,
        lambda found: getattr(_cpu(found), field),
        lambda found, data: replace(found, cpu=replace(_cpu(found), **_only(field, data))),
        means,
        fewer_facts,
    )


def _of_gpu(field: str, means: Meaning = bytes) -> Verdict:
    """A field of the GPU's evidence."""

    def exchanged(found: Evidence, data: bytes) -> Evidence:
        return replace(found, gpus=(replace(found.gpus[0], **_only(field, data)),))

    return Verdict(_gpu, lambda found: getattr(found.gpus[0], field), exchanged, means)


def _of_collateral(found: Callable[[], Evidence], field: str, means: Meaning = bytes) -> Verdict:
    """The first of the GPU's manifests, or of its OCSP answers."""

    def exchanged(there: Evidence, data: bytes) -> Evidence:
        others = getattr(there.collateral, field)[1:]
        return replace(there, collateral=replace(there.collateral, **{field: (data, *others)}))

    return Verdict(found, lambda there: getattr(there.collateral, field)[0], exchanged, means)


def _of_tokens(found: Callable[[], Evidence], field: str, means: Meaning) -> Verdict:
    """A token beside good evidence."""
    return Verdict(
        found,
        lambda there: getattr(there.tokens, field),
        lambda there, data: replace(there, tokens=AttestationTokens(**{field: data})),
        means,
    )


def _nothing(_: bytes) -> None:
    """What is not signed: it counts by the facts that it tells."""


_ONE = partial(certificates.read_der, rule=_RULE)
_SOME = partial(certificates.split_ders, rule=_RULE, limit=8)


def _file(data: bytes) -> object:
    return dict(pcrs.parse(data, selected=frozenset(range(24))))


VERDICTS = {
    "verdict-hcl": _of_vm("hcl"),
    "verdict-vek": _of_vm("vek", _ONE),
    "verdict-amd-chain": _of_vm("chain", _SOME),
    "verdict-crl": _of_vm("crl", crl.parse),
    "verdict-quote": _of_vm("quote"),
    "verdict-signature": _of_vm("signature", signature.parse),
    "verdict-pcr-file": _of_vm("pcr_file", _file),
    "verdict-event-log": _of_vm("event_log", _nothing, fewer_facts=True),
    "verdict-gpu-report": _of_gpu("report"),
    "verdict-gpu-chain": _of_gpu("chain", _SOME),
    "verdict-rim": _of_collateral(_gpu, "rims", lambda data: rim.parse(data)[0]),
    "verdict-ocsp": _of_collateral(_gpu_and_ocsp, "ocsp"),
    "verdict-nras": _of_tokens(_gpu_and_token, "nras", nras.parse),
    "verdict-maa": _of_tokens(_vm_and_token, "maa", maa.parse),
}
