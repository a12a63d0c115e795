"""What was fetched, for people and for scripts."""

import io

from rich.console import Console

from ccgpu.domain.collateral import CollateralFile, FetchedCollateral, MissingCollateral
from ccgpu.views import collateral as view

_PIECES = (
    CollateralFile("rim/A.xml", b"x", "https://published.example/v1/rim/A", 1_800_000_000.0),
    CollateralFile(f"ocsp/{'ab' * 32}.der", b"y", "as in the evidence", 1_800_000_000.0),
)
_FETCHED = FetchedCollateral(
    _PIECES, (MissingCollateral("the [bold]list[/bold]", ("a said no", "b did not")),)
)


def _lines(fetched: FetchedCollateral) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=100).print(view.as_text(fetched, "out"))
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_text_lists_each_file_with_source_and_missing_ones():
    assert _lines(_FETCHED) == [
        "FILE FROM AT",
        "rim/A.xml published.example 2027-01-15T08:00:00Z",
        "ocsp/abababababababababababab…abababab.der as in the evidence 2027-01-15T08:00:00Z",
        "FAIL the [bold]list[/bold]: a said no; b did not",
        "",
        "2 files in out",
    ]
    assert _lines(FetchedCollateral(_PIECES[:1]))[-1] == "1 file in out"


def test_json_contains_all_fields():
    assert view.as_json(_FETCHED, "out") == {
        "schema": "ccgpu.collateral-fetch/1",
        "folder": "out",
        "files": [
            {
                "path": piece.name,
                "source": piece.source,
                "fetched_at": "2027-01-15T08:00:00Z",
                "sha256": piece.sha256,
            }
            for piece in _PIECES
        ],
        "missing": [{"what": "the [bold]list[/bold]", "reasons": ["a said no", "b did not"]}],
    }
