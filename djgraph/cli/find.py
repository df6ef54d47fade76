"""``djgraph find``: where tracks lie in a recording of a mix, and at which rate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.options import Json
from djgraph.cli.output import print_json, table
from djgraph.cli.progress import Steps

if TYPE_CHECKING:
    from djgraph.alignment import Found, Passage


def find(
    recording: Annotated[
        Path, typer.Argument(metavar="MIX", help="The recording: an audio file, at any sample rate.")
    ],
    tracks: Annotated[
        list[Path], typer.Argument(metavar="TRACK…", help="Audio files, or folders of stems, one a track.")
    ],
    rates: Annotated[
        str, typer.Option("--rates", metavar="LOW:HIGH", help="Between which rates tracks are looked for.")
    ] = "0.8:1.25",
    sample_rate: Annotated[
        int | None,
        typer.Option(
            "--sample-rate",
            metavar="HZ",
            min=8000,
            max=192_000,
            help="To count samples at.  [default: MIX's]",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find where tracks lie in a recording of a mix: start, rate, cuts, loops and jumps.

    Each line is a passage: a stretch of the recording in which a track plays without a cut. Tracks that are not in it
    are said to be absent.

    \b
    Examples:
      djgraph find mix.mp3 one.flac two.flac
      djgraph find mix.wav music/one music/two --json
      djgraph find mix.wav music/* --rates 0.92:1.08
    """
    from djgraph.alignment import find_tracks
    from djgraph.audio import read_header
    from djgraph.guard import reading

    reading(recording)
    names = _names(tracks)
    second = sample_rate or read_header(recording).sample_rate
    with Steps() as steps:
        steps.begin("reading")

        def progress(what: str, done: int, total: int) -> None:
            steps.begin(what, total, done)

        found = find_tracks(recording, names, second, rates=_range(rates), progress=progress)
    if as_json:
        print_json(
            {
                "sample_rate": second,
                "tracks": [_plain(one, names[one.track], second) for one in found],
            }
        )
        return
    rows = [row for one in found for row in _rows(one, second)]
    typer.echo(table(("track", "in the mix", "of the track", "rate", "tempo", "played", "sure"), rows))
    for one in found:
        for passage in one.passages:
            if passage.also:
                typer.echo(
                    f"{one.track} at {_time(passage.begins / second)}: the track sounds the same from "
                    f"{', '.join(_time(start / second) for start in passage.also[:4])}"
                    + (f" and {len(passage.also) - 4} more" if len(passage.also) > 4 else "")
                    + "; which it was cannot be told"
                )


def _names(tracks: list[Path]) -> dict[str, Path]:
    """Tracks by the names of their files, or as much of their paths as tells them apart."""
    names: dict[str, Path] = {}
    for path in tracks:
        short = path.name if path.is_dir() else path.stem
        if short in names or not short:
            short = str(path)
        if short in names:
            raise typer.BadParameter(f"{path} is given twice", param_hint="TRACK…")
        names[short] = path
    return names


def _rows(one: Found, second: int) -> list[tuple[str, ...]]:
    sure = f"{100 * one.confidence:.0f} %"
    if not one.passages:
        return [(one.track, "absent", "", "", "", "", sure)]
    return [
        (
            one.track if not number else "",
            f"{_time(passage.begins / second)} to {_time(passage.ends / second)}",
            f"{_time(passage.start / second)} to {_time(passage.stop / second)}",
            f"{passage.rate:.6f}" if not passage.key_locked else f"{passage.rate:.4f}",
            f"{100 * (passage.rate - 1):+.2f} %",
            _played(passage),
            sure if not number else "",
        )
        for number, passage in enumerate(one.passages)
    ]


def _played(passage: Passage) -> str:
    if passage.key_locked:
        return "key locked"
    return "as it is" if abs(passage.rate - 1) < 1e-6 else "resampled"


def _plain(one: Found, path: Path, second: int) -> dict[str, Any]:
    return {
        "track": one.track,
        "path": str(path),
        "confidence": one.confidence,
        "passages": [
            {
                "begins": passage.begins,
                "ends": passage.ends,
                "start": passage.start,
                "rate": passage.rate,
                "key_locked": passage.key_locked,
                "spread": passage.spread,
                "also": list(passage.also),
                "seconds": [passage.begins / second, passage.ends / second],
            }
            for passage in one.passages
        ],
    }


def _time(seconds: float) -> str:
    """``1:02.345``."""
    thousandths = round(1000 * seconds)
    minutes, rest = divmod(abs(thousandths), 60_000)
    return f"{'-' if thousandths < 0 else ''}{minutes}:{rest / 1000:06.3f}"


def _range(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no range; expected two rates, as in 0.9:1.1", param_hint="--rates"
        ) from None
