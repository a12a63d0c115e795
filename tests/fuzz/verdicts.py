"""Every part of evidence that is accepted, exchanged for what the fuzzer makes of it.

The evidence is judged as in use: it is bound to a VM and its host key, and the caller gives both
and the nonce. `-bare` has evidence that answers the caller's nonce alone, where a binding would
refuse every other byte before anything else has to.

These acceptances of changed bytes are known, and harmless. All others are findings.

- A certificate or revocation list of AMD's, a bare GPU's chain: the same DER in PEM, or wrapped
  otherwise.
- A quote's signature: bare, or in a TPMT_SIGNATURE.
- A file of PCR values: the same values, written otherwise.
- A manifest: XML that reads the same, such as white space outside of what is signed.
- A token: JSON that reads the same.
- A bare event log: less is told of an event, since its digest alone was measured.
- What is claimed: when it was made, since the caller gives the time. Nonce, vmId and host key may
  be absent, since the caller's count; a vmId may be in either case.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from ccgpu.attest import certificates, simulated
from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.appraise import appraise
from ccgpu.attest.attestation_tokens import TokenKeySets
from ccgpu.attest.check import Malformed, Rule
from ccgpu.attest.gpu import rim, spdm
from ccgpu.attest.roots import Roots
from ccgpu.attest.snp import crl
from ccgpu.attest.tokens import maa, nras
from ccgpu.attest.vtpm import pcrs, signature
from ccgpu.domain import bundle
from ccgpu.domain.bundle import EvidenceBundle
from ccgpu.domain.evidence import AttestationTokens, CpuEvidence, Evidence
from ccgpu.domain.overrides import Overrides
from ccgpu.domain.policy import Policy
from ccgpu.fakeguest.evidence import tokens
from ccgpu.store import policies
from support import gpus, vms, workload_events

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
        judged = _judged(self.exchanged(good, data), good, _roots(self.found))
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
def _policy(name: str, binding: str, *, revocation: bool) -> Policy:
    plain = policies.load(name).with_overrides(Overrides(skip_ocsp=not revocation))
    issuers = {"nras_issuers": (tokens.NRAS_ISSUER,), "maa_issuers": (tokens.MAA_ISSUER,)}
    changes = {"binding": binding, "tokens": plain.tokens.model_copy(update=issuers)}
    return plain.model_copy(update=changes)


def _judged(found: Evidence, good: Evidence, roots: Roots | None) -> Appraisal:
    """By the policy that the good evidence is judged by, with what the caller knows."""
    name = "default" if good.cpu and good.gpus else "gpu-only" if good.gpus else "cpu-only"
    binding = good.claimed.binding
    policy = _policy(name, binding, revocation=bool(good.collateral.ocsp))
    question = vms.caller_question(vms.vm(), keys=_KEYS)
    if binding == "nonce":
        question = replace(question, vm_id=question.vm_id if good.cpu else None, host_key=None)
    return appraise(found, policy, question, roots)


@cache
def _roots(found: Callable[[], Evidence]) -> Roots | None:
    return simulated.simulated_roots(found())


@cache
def _facts(found: Callable[[], Evidence]) -> Mapping[str, str]:
    return _judged(found(), found(), _roots(found)).facts


@cache
def _vm() -> Evidence:
    """A VM, with what may come along: revocations, PCRs in a file."""
    machine = vms.vm()
    found = vms.bound_evidence(machine)
    crl_ = machine.amd.crl(7).signed_by(machine.amd.ark_key)
    file = b"".join(machine.pcrs[index] for index in range(24))
    return replace(found, cpu=replace(_cpu(found), crl=crl_, pcrs=None, pcr_file=file))


@cache
def _bare_vm() -> Evidence:
    """A VM that answers a nonce alone."""
    return vms.nonce_evidence(vms.vm())


@cache
def _vm_with_workloads() -> Evidence:
    """A VM that has started two workloads."""
    return vms.bound_evidence(
        workload_events.vm_with(workload_events.event("one"), workload_events.event("two"))
    )


@cache
def _vm_and_token() -> Evidence:
    """A VM, with Microsoft's token."""
    machine = vms.vm()
    token = tokens.MaaToken(_MAA, vms.NONCE, vm_id=machine.vm_id, issued=vms.AT, tee=vms.MAA_REPORT)
    return replace(vms.bound_evidence(machine), tokens=AttestationTokens(maa=token.signed()))


@cache
def _both_and_ocsp() -> Evidence:
    """A VM and its GPU, with all of their collateral."""
    return gpus.bound_evidence(vms.vm(), gpus.gpu())


@cache
def _both() -> Evidence:
    """The same without OCSP, which costs as much as all the rest."""
    return _without_ocsp(_both_and_ocsp())


@cache
def _bare_gpu() -> Evidence:
    """A GPU that answers a nonce alone."""
    return _without_ocsp(gpus.nonce_evidence(gpus.gpu()))


@cache
def _both_and_token() -> Evidence:
    """A VM and its GPU, with NVIDIA's token."""
    nonce = spdm.parse(_both().gpus[0].report).nonce
    ueids = (_facts(_both)["GPU ueid"],)
    token = tokens.NrasResponse(_NRAS, nonce, issued=vms.AT, ueids=ueids)
    return replace(_both(), tokens=AttestationTokens(nras=token.signed()))


def _without_ocsp(found: Evidence) -> Evidence:
    return replace(found, collateral=replace(found.collateral, ocsp=()))


def _cpu(found: Evidence) -> CpuEvidence:
    assert found.cpu is not None
    return found.cpu


def _only(field: str, data: bytes) -> dict[str, Any]:
    return {field: data}


def _of_vm(
    field: str,
    means: Meaning = bytes,
    found: Callable[[], Evidence] = _vm,
    *,
    fewer_facts: bool = False,
) -> Verdict:
    """A field of the CPU's evidence."""
    return Verdict(
        found,
        lambda there: getattr(_cpu(there), field),
        lambda there, data: replace(there, cpu=replace(_cpu(there), **_only(field, data))),
        means,
        fewer_facts,
    )


def _of_gpu(field: str, means: Meaning = bytes, found: Callable[[], Evidence] = _both) -> Verdict:
    """A field of the GPU's evidence."""

    def exchanged(there: Evidence, data: bytes) -> Evidence:
        return replace(there, gpus=(replace(there.gpus[0], **_only(field, data)),))

    return Verdict(found, lambda there: getattr(there.gpus[0], field), exchanged, means)


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


def _claims(found: Evidence) -> bytes:
    """What a bundle claims, as it stands there."""
    made = bundle.from_evidence(found, made_at=vms.AT, tool="fuzz")
    return made.model_dump_json(by_alias=True, include={*_CLAIMED}).encode()


def _claiming(there: Evidence, data: bytes) -> Evidence:
    return replace(there, claimed=_read(data).evidence().claimed)


def _read(data: bytes) -> EvidenceBundle:
    """A bundle with these claims. `Malformed` for what no bundle holds."""
    try:
        said = json.loads(data)
        return EvidenceBundle.model_validate(
            {"tool": "fuzz"} | {name: said[name] for name in _CLAIMED}
        )
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        raise Malformed(_RULE, "claims", "others") from err


def _means_by_claims(data: bytes) -> object:
    """What the caller does not say; what it does say may be absent."""
    said, known = _read(data), _both().claimed
    vm_id = (said.vm_id or known.vm_id or "").lower()
    nonce = known.nonce if said.nonce is None else said.nonce
    return said.binding, said.recipient_key, nonce, said.host_key or known.host_key, vm_id


_CLAIMED = ("made_at", "nonce", "binding", "host_key", "recipient_key", "vm_id")


def _nothing(_: bytes) -> None:
    """What is not signed: it counts by the facts that it tells."""


_ONE = partial(certificates.read_der, rule=_RULE)
_SOME = partial(certificates.split_ders, rule=_RULE, limit=8)


def _file(data: bytes) -> object:
    return dict(pcrs.parse(data, selected=frozenset(range(24))))


VERDICTS = {
    "verdict-claims": Verdict(_both, _claims, _claiming, _means_by_claims),
    "verdict-hcl": _of_vm("hcl"),
    "verdict-hcl-bare": _of_vm("hcl", found=_bare_vm),
    "verdict-vek": _of_vm("vek", _ONE),
    "verdict-amd-chain": _of_vm("chain", _SOME),
    "verdict-crl": _of_vm("crl", crl.parse),
    "verdict-quote": _of_vm("quote"),
    "verdict-quote-bare": _of_vm("quote", found=_bare_vm),
    "verdict-signature": _of_vm("signature", signature.parse),
    "verdict-pcr-file": _of_vm("pcr_file", _file),
    "verdict-event-log": _of_vm("event_log"),
    "verdict-event-log-bare": _of_vm("event_log", _nothing, _bare_vm, fewer_facts=True),
    "verdict-workload-log": _of_vm("workload_log", found=_vm_with_workloads),
    "verdict-gpu-state": _of_gpu("state_document"),
    "verdict-gpu-report": _of_gpu("report"),
    "verdict-gpu-report-bare": _of_gpu("report", found=_bare_gpu),
    "verdict-gpu-chain": _of_gpu("chain"),
    "verdict-gpu-chain-bare": _of_gpu("chain", _SOME, _bare_gpu),
    "verdict-rim": _of_collateral(_both, "rims", lambda data: rim.parse(data)[0]),
    "verdict-ocsp": _of_collateral(_both_and_ocsp, "ocsp"),
    "verdict-nras": _of_tokens(_both_and_token, "nras", nras.parse),
    "verdict-maa": _of_tokens(_vm_and_token, "maa", maa.parse),
}
