"""One parser under atheris (`run.py NAME RUNS`), or the names of all (`run.py`).

A parser may answer or raise `Malformed`. Any other exception, more than 5 seconds for one input or
more than 1 GB is a finding: the process ends with another code than 0 and names the input's file.
"""

import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

_LIMITS = ("-timeout=5", "-rss_limit_mb=1024", "-max_len=65536", "-verbosity=0")


def main(arguments: list[str]) -> None:
    """Fuzz one parser, or list them."""
    import atheris  # type: ignore[import-untyped]  # installed on demand

    with atheris.instrument_imports(include=["ccgpu.attest", "ccgpu.store.evidence"]):
        from ccgpu.attest.check import Malformed
        from fuzz.parsers import PARSERS
    if not arguments:
        sys.stdout.write("\n".join(PARSERS) + "\n")
        return
    name, runs = arguments
    warnings.simplefilter("error")
    parser = PARSERS[name]

    def target(data: bytes) -> None:
        try:
            parser.parse(data)
        except Malformed:
            return

    with TemporaryDirectory() as seeds:
        for number, seed in enumerate(parser.seeds()):
            parser.parse(seed)  # a seed that is refused leads nowhere
            (Path(seeds) / str(number)).write_bytes(seed)
        atheris.Setup([name, f"-atheris_runs={runs}", *_LIMITS, seeds], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
