"""`ccgpu attest`."""

import typer

from ccgpu.cli.access_options import WayArguments
from ccgpu.cli.attest_every import AttestRequest, RepeatArguments, Repetition
from ccgpu.cli.attest_evidence import judge_evidence
from ccgpu.cli.attest_sources import SourceArguments
from ccgpu.cli.attesting import AnswerOptions, PolicyOption, answer_attestation
from ccgpu.cli.image_options import ImageArguments
from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.options import AttestProgress, LongConnectionArguments, OutputArguments
from ccgpu.cli.output_files import FileArguments
from ccgpu.cli.pins_options import PinsArguments
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.verify_options import VerboseOption


@expand_options
def attest(
    ctx: typer.Context,
    *,
    source: SourceArguments,
    policy: PolicyOption = None,
    golden: PinsArguments,
    measured: ImageArguments,
    files: FileArguments,
    verbose: VerboseOption = False,
    repeat: RepeatArguments,
    way: WayArguments,
    progress_options: AttestProgress,
    output: OutputArguments,
    connection: LongConnectionArguments,
) -> None:
    """Attest a VM: fresh evidence, judged on this machine.

    Sends a new nonce, and verifies that CPU and GPU answer it for this VM and this SSH host key. If
    they do, the host key counts as attested, and the GPU is set ready. With --host, the VM is one
    that ccgpu did not create. With --evidence, nothing is asked or changed. Exit codes: 0 accepted;
    9 rejected; 8 no verdict; 10 not reachable, or the GPU does not become ready. With --every it
    goes on until one fails, and prints one line, or JSON document, for each.

    Example: `ccgpu attest demo --save demo.json`
    """
    runtime: Runtime = ctx.obj
    single = files.named() | {"record": golden.record}
    repeat.require_usable(source, **single, verbose=verbose)
    judging = (policy, golden, measured)
    asking = AttestRequest(runtime, connection, source, *judging, way, progress_options)
    if repeat.every is not None:
        Repetition(runtime, output, repeat, asking).carry_out()
    files = files.prepare(runtime, golden.record)
    backend = asking.open()
    means = asking.means(backend)
    shown = AnswerOptions(output, files, golden.record, verbose)
    if source.evidence is not None:
        source.refuse_way(way)
        judge_evidence(runtime, backend, means, source, progress_options, shown)
        return
    answer_attestation(runtime, asking.attest(backend), means, shown)
