"""Remedies for failed checks: one line for a reason code, or for all codes that start with it.

The longest matching entry is used. `{evidence}` is replaced by the path, quoted for a shell. A lone
`--option` in backticks is completed to the whole command line when the text is printed.
"""

import shlex
from collections.abc import Iterable, Mapping

from ccgpu.attest.check import Check

_FETCH = "`ccgpu collateral fetch {evidence} --out collateral`"
_FETCHED = f"{_FETCH}, then `--collateral collateral`"
_ANEW = f"fetch it anew: {_FETCHED}"
_COLLECT = "collect the evidence again in the VM, and pass every file on unchanged"
_FORGED = "do not trust this VM or this file: the evidence was changed, or is not AMD's hardware"
_FORGED_GPU = "do not trust this GPU or this file: it was changed, or is not NVIDIA's hardware"
_HOST = "deallocate and start the VM, so that Azure places it on another host; collect again"
_SINGLE = "use a VM whose host gives it one GPU in confidential mode, and collect again"
_NEW_VM = "create the VM anew from an image and size that the policy accepts, then collect again"
_POLICY = "if you accept this, say so in a policy of your own: `ccgpu schema policy`"
_TIME = "check the clock of this machine, or give the time that is meant: `--at TIME`"
_NONCE = "give the nonce that was sent for this evidence: `--nonce HEX`"
_ASK = "collect evidence again, with a new random nonce of 32 bytes"
_NEW_ANSWER = "ask the service for a new token, and pass it on unchanged"
_JWKS = "fetch the service's key set again, and give it: `--nras-jwks FILE` or `--maa-jwks FILE`"

REMEDIES: Mapping[str, str] = {
    "binding": "collect evidence that binds nonce, host key and vmId (binding ccgpu-bind-v1)",
    "binding.kind": "collect evidence bound to VM and host key, or use a policy whose binding is"
    " nonce: --policy cpu-only or gpu-only",
    "binding.nonce.size": _ASK,
    "bundle": "take the bundle and its signature from whom you name as the signer, unchanged",
    "bundle.signature.absent": "give its signature: `--signature FILE`; or leave `--signer` out",
    "bundle.signature.namespace": "sign the bundle as such: `ssh-keygen -Y sign -n ccgpu-bundle`",
    "bundle.signature.signer": "give the key of whoever signed it, if you trust that: `--signer`",
    "bundle.signature.validity": "ask the signer for a new key, or give the time: `--at TIME`",
    "collateral": _ANEW,
    "collateral.jwks.absent": "fetch the service's key set, and give it: `--nras-jwks FILE` or"
    " `--maa-jwks FILE`",
    "collateral.vek.absent": f"fetch AMD's certificate of the chip: {_FETCHED}",
    "evidence": _COLLECT,
    "evidence.cpu.absent": "add the VM's evidence (HCL report, quote), or judge the GPU alone:"
    " --policy gpu-only",
    "evidence.gpu.absent": "add the GPU's evidence, or judge the CPU alone: --policy cpu-only",
    "evidence.hcl.absent": "read NV index 0x01400001 in the VM (the HCL report), and add it",
    "evidence.maa.absent": "add Microsoft's token to the evidence, or use a policy without"
    " require_maa",
    "evidence.nras.absent": "add NVIDIA's token to the evidence, or use a policy without"
    " require_nras",
    "evidence.report.other": "keep the HCL report alone: it holds the SNP report that counts",
    "freshness": _ASK,
    "freshness.nonce.absent": _NONCE,
    "freshness.nonce.other": "give the nonce that was sent for this evidence (`--nonce HEX`); if"
    " it is the right one, this is old evidence, or another VM's: collect again",
    "freshness.nonce.short": f"{_ASK}; for a recording that is not to be trusted,"
    " `--unsafe-short-nonce`",
    "freshness.nonce.unknown": _NONCE,
    "freshness.quote.absent": "add the vTPM's quote over the nonce (`tpm2_quote`)",
    "golden": f"update driver and VBIOS to versions whose manifests fit, or {_ANEW}",
    "golden.match": "do not use this GPU: its firmware is not what NVIDIA published; reset it and"
    " collect again, and report it if it stays so",
    "golden.driver.version": f"fetch the manifest of the driver that runs: {_FETCHED}",
    "golden.vbios.version": f"fetch the manifest of the VBIOS that runs: {_FETCHED}",
    "gpu": "collect the GPU's evidence again (`nvattest collect-evidence`), with driver and tools"
    " that this version of ccgpu knows",
    "gpu.chain": _FORGED_GPU,
    "gpu.chain.claimed": "correct the architecture that the collector wrote beside the report",
    "gpu.chain.dates": _TIME,
    "gpu.fwid": _FORGED_GPU,
    "gpu.leaf": _FORGED_GPU,
    "gpu.mode": _SINGLE,
    "gpu.nonce": f"{_ASK}, which the GPU is asked with too",
    "gpu.nonce.known": f"{_ASK}; for a recording that is not to be trusted, `--unsafe-known-nonce`",
    "gpu.nonce.other": "collect the GPU's evidence again, with the nonce of this verdict; if there"
    " is only the GPU, give its nonce: `--nonce HEX`",
    "gpu.nonce.unasked": _NONCE,
    "gpu.pcie": _SINGLE,
    "gpu.signature": _FORGED_GPU,
    "hcl": "read the HCL report (NV index 0x01400001) in the VM again, and pass it on unchanged",
    "hcl.hash": _FORGED,
    "hcl.report-type": "use a VM of a size with AMD SEV-SNP: ccgpu does not judge Intel TDX",
    "hcl.user-data": "collect again, with the binding of this nonce, host key and vmId written to"
    " NV index 0x01400002 before the HCL report is read",
    "identity": "give what you know of the VM yourself: its vmId and its SSH host key",
    "identity.host-key": "give the host key of the VM: `--host-key FILE` or `--host-key SHA256:…`",
    "identity.vm-id": "give the vmId that Azure names for the VM: `--vm-id ID`",
    "json": "pass the document on as its tool wrote it",
    "maa": _NEW_ANSWER,
    "maa.nonce": "ask Microsoft's service again, with the nonce of this evidence in the client"
    " payload",
    "maa.vm-id": "use the token of this VM, not of another one",
    "nras": _NEW_ANSWER,
    "nras.gpu": "do not use this GPU until NVIDIA's service accepts it; then ask for a new token",
    "nras.nonce": "ask NVIDIA's service again, with the evidence and the nonce of this verdict",
    "ocsp": f"fetch new answers: {_FETCHED}",
    "ocsp.absent": f"fetch the answers: {_FETCHED}",
    "ocsp.future": _TIME,
    "ocsp.hold": "wait until NVIDIA lifts the hold, or use a driver or VBIOS whose manifest is not"
    " on hold",
    "ocsp.revoked": "do not use this GPU or firmware: NVIDIA has revoked its certificate; move to"
    " another driver, VBIOS or GPU",
    "ocsp.stale": f"fetch new answers, they hold for about a day: {_FETCHED}",
    "ocsp.unknown": "do not use this GPU or firmware: NVIDIA does not know its certificate",
    "policy": _POLICY,
    "policy.alias-check": f"{_HOST}; or {_POLICY}",
    "policy.gpu.architecture": _NEW_VM,
    "policy.gpu.cc-mode": f"the host sets the GPU's mode: {_HOST}",
    "policy.gpu.count": "give the evidence of as many GPUs as the policy's gpu.count says, or set"
    " it in a policy of your own",
    "policy.gpu.dev-tools": f"the host sets the GPU's mode: {_HOST}",
    "policy.gpu.driver": "install a newer driver in the VM, and collect again",
    "policy.gpu.state.absent": "collect the GPU's state with the report (CC mode, developer tools)",
    "policy.gpu.vbios": f"{_HOST}; the VBIOS is Azure's to update",
    "policy.guest-svn": f"{_HOST}; the paravisor is Azure's to update",
    "policy.id-key-digest": "do not trust this VM: its paravisor is signed by a key that the"
    f" policy does not list; {_POLICY}",
    "policy.image": "do not trust this VM: what it booted is not the image; look at the event named"
    " above, and publish the image anew: `ccgpu image measure DISK --manifest FILE`",
    "policy.image.absent": "give the manifest of the image that the VM must run: `--image FILE`",
    "policy.image.config": "give the config that the VM was given, byte for byte: `--config FILE`;"
    " if that is right, the host gave the VM another one",
    "policy.image.unquoted": "collect a quote over all PCRs",
    "policy.image.workloads": "collect the evidence again, with the log of workloads; if PCR 13"
    " still differs, a system extension was loaded, or a workload is not logged",
    "policy.pins": "find out what changed the boot chain; after an update that you made yourself,"
    " record new values: `--record FILE`",
    "policy.pins.absent": "give golden PCR values: `--pins FILE`; `--record FILE` writes those of"
    " a VM that you trust",
    "policy.pins.unquoted": "collect a quote over every PCR that is pinned",
    "policy.product": _NEW_VM,
    "policy.secure-boot": "create the VM anew with secure boot (the default of `ccgpu create`)",
    "policy.workloads": "start what the policy lists in a VM that was restarted; or, if you accept"
    " what ran, list it in a policy of your own: `ccgpu schema policy`",
    "policy.tcb": f"{_HOST}; the firmware is Azure's to update",
    "policy.vm-id": "this is the evidence of another VM: collect it from the one that is meant, or"
    " give that one's vmId",
    "rim": f"take NVIDIA's manifest as it is published: {_FETCHED}",
    "rim.present": f"fetch the manifest: {_FETCHED}; NVIDIA publishes none for some drivers, which"
    " cannot be attested: install another one",
    "rim.signer.early": _TIME,
    "rim.signer.expired": f"NVIDIA signs manifests again before that: {_FETCHED}",
    "rim.chain.dates": f"NVIDIA signs manifests again before that: {_FETCHED}",
    "snp": _FORGED,
    "snp.ark.dates": _TIME,
    "snp.ask.dates": _TIME,
    "snp.chain": f"leave the chain out, AMD's keys are built in; or {_ANEW}",
    "snp.chip-id.hwid": f"this certificate is another chip's: {_FETCHED}",
    "snp.chip-id.masked": _HOST,
    "snp.crl": f"take AMD's list as it is published: {_FETCHED}",
    "snp.crl.authorities": "trust no VM of this product: AMD has revoked its own signing key",
    "snp.crl.present": f"fetch AMD's list: {_FETCHED}",
    "snp.crl.vek": "do not use this VM: AMD has revoked the certificate of its chip; " + _HOST,
    "snp.crl.window": f"fetch AMD's current list: {_FETCHED}",
    "snp.key-info": _HOST,
    "snp.policy": "create the VM anew as a confidential one: this guest may be debugged or moved",
    "snp.product": f"this certificate is of another product: {_FETCHED}",
    "snp.product.cpuid": "use a VM on AMD Milan, Genoa or Turin, or a newer version of ccgpu",
    "snp.report": "pass the report on as AMD's firmware wrote it (1184 bytes), or use a newer"
    " version of ccgpu",
    "snp.tcb": _HOST,
    "snp.vek": f"use AMD's certificate for the TCB that the report says: {_FETCHED}",
    "snp.vek.dates": _TIME,
    "snp.version.provisional": _HOST,
    "snp.vmpl": "ask for the report at VMPL 0, as Azure's paravisor does",
    "token": _NEW_ANSWER,
    "token.exp.past": "ask the service for a new token",
    "token.iat.future": _TIME,
    "token.iss": "use the token of an issuer that the policy lists, or list it there",
    "token.jwks": _JWKS,
    "token.key": _JWKS,
    "token.kid.unknown": _JWKS,
    "token.nbf.future": _TIME,
    "token.nonce.unasked": _NONCE,
    "workloads": "add the log of workloads of this boot, unchanged (/run/ccgpu/workloads.log)",
    "workloads.log.replay": "do not trust this VM or this file: what was measured to PCR 13 is not"
    " what the log says; restart the VM, and run its workloads again",
    "workloads.log.unmeasured": "do not trust this VM or this file: nothing was measured to PCR 13;"
    " restart the VM, and run its workloads again",
    "workloads.pcr.unquoted": "quote PCR 13, too (`tpm2_quote`)",
    "vtpm": "quote the PCRs again (`tpm2_quote`), and pass quote, signature and values on as they"
    " are",
    "vtpm.ak": "quote with the vTPM's own attestation key (0x81000003), which the HCL report names",
    "vtpm.clock": "find out who reset the vTPM; collect again",
    "vtpm.eventlog": "add the event log of this boot, unchanged"
    " (/sys/kernel/security/tpm0/binary_bios_measurements)",
    "vtpm.nonce": "quote again with the nonce of this verdict as qualifying data",
    "vtpm.nonce.other": "give the nonce that was sent (`--nonce HEX`); if it is the right one, this"
    " is old evidence, or another VM's: collect again",
    "vtpm.nonce.unasked": _NONCE,
    "vtpm.pcr6.vm-id": "do not trust this VM: its boot is that of another one, or something in it"
    " measured to PCR 6 afterwards; restart it, and collect again",
    "vtpm.pcrs": "give the values of exactly the PCRs that are quoted, read with the quote",
    "vtpm.pcrs.required": "quote every PCR that the policy needs",
    "vtpm.quote.signature": "do not trust this quote: its bytes were changed, or another key made"
    " it; collect again",
}


def remedy(id_: str, evidence: str) -> str:
    """The remedy for a failed check (`id_`) of the evidence at this path."""
    words = id_.split(".")
    codes = (".".join(words[:count]) for count in range(len(words), 0, -1))
    text = next((REMEDIES[code] for code in codes if code in REMEDIES), _COLLECT)
    return text.replace("{evidence}", shlex.quote(evidence))


def remedies(checks: Iterable[Check], evidence: str) -> dict[str, str]:
    """The remedies of all failed checks, by reason code."""
    return {check.id: remedy(check.id, evidence) for check in checks if not check.ok}
