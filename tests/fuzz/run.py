"""One parser or verdict under atheris (`run.py NAME RUNS`), or the names of all (`run.py`).

A parser may answer or raise `Malformed`; a verdict may be good on good evidence only. Any other
exception, more than 5 seconds for one input or more than 1 GB is a finding: the process ends with
another code than 0, and the input is in build/fuzz.
"""

import signal
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

_FOUND = Path(__file__).resolve().parents[2] / "build" / "fuzz"
_LIMITS = ("-timeout=5", "-rss_limit_mb=1024", "-max_len=131072", "-verbosity=0")


def main(arguments: list[str]) -> None:
    """Fuzz one parser, or list them."""
    import atheris  # type: ignore[import-untyped]  # installed on demand

    with atheris.instrument_imports(
        include=["ccgpu.attest", "ccgpu.image", "ccgpu.store.evidence"]
    ):
        from ccgpu.attest.check import Malformed
        from fuzz.parsers import PARSERS
        from fuzz.verdicts import VERDICTS
    if not arguments:
        sys.stdout.write("\n".join((*PARSERS, *VERDICTS)) + "\n")
        return
    name, runs = arguments
    warnings.simplefilter("error")
    parser = PARSERS.get(name) or VERDICTS[name]
    _FOUND.mkdir(parents=True, exist_ok=True)

    def target(data: bytes) -> None:
        try:
            parser.parse(data)
        except Malformed:
            return

    with TemporaryDirectory() as seeds:
        for number, seed in enumerate(parser.seeds()):
            parser.parse(seed)  # a seed that is refused leads nowhere
            (Path(seeds) / str(number)).write_bytes(seed)
        limits = (*_LIMITS, f"-artifact_prefix={_FOUND}/{name}-")
        atheris.Setup([name, f"-atheris_runs={runs}", *limits, seeds], target)
        try:
            atheris.Fuzz()
        finally:  # its watchdog's alarm would end the process while Python puts itself away
            signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
