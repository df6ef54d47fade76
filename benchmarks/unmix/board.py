"""UnmixBench's leaderboard: figures by entrant and kind of mix, and what they are held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from benchmarks.unmix.score import middle, quantile

Row = dict[str, Any]

PUBLISHED = [
    {
        "method": "MFCC-DTW, correlation, time-frequency gains",
        "source": "Schwarz and Fourer, Methods and Datasets for DJ-Mix Reverse Engineering, CMMR 2019 and LNCS 2021, "
        "hal.science/hal-02172427",
        "data": "UnmixDB: 3-track mixes of real dance tracks, as MP3",
        "figures": "start: median 25 ms, about 100 ms under distortion; fades: median 0.3 dB",
        "read": "second hand: quoted by others, the paper itself was not at hand",
    },
    {
        "method": "Multi-pass NMF",
        "source": "André, Fourer and Schwarz, DJ Mix Transcription with Multi-Pass Non-Negative Matrix Factorization, "
        "arXiv:2410.04198",
        "data": "UnmixDB 1.1, frames of 0.5 s",
        "figures": "mean absolute error of the warp: medians from about 1 s (no effect) to about 10 s (compressor, "
        "distortion), read off a plot; cue points like those of Schwarz and Fourer",
        "read": "second hand for the numbers; metrics and parameters from the author's own report",
    },
    {
        "method": "Subsequence DTW of beat-synchronous features",
        "source": "Kim et al., A Computational Analysis of Real-World DJ Mixes using Mix-To-Track Subsequence "
        "Alignment, ISMIR 2020, arXiv:2008.10267",
        "data": "1557 real mixes, cue points by people",
        "figures": "cue points: medians of about 4 to 11 s",
        "read": "second hand",
    },
]
"""Figures of others, on other data: no row of them can be compared with ours."""

GROUPS: dict[str, Callable[[Row], bool]] = {
    "UnmixDB, as they are or resampled, no effect": lambda row: (
        _unmixdb(row, "none") and row["scaling"] != "stretch"
    ),
    "UnmixDB, stretched, no effect": lambda row: _unmixdb(row, "none") and row["scaling"] == "stretch",
    "UnmixDB, bass": lambda row: _unmixdb(row, "bass"),
    "UnmixDB, compressor": lambda row: _unmixdb(row, "compressor"),
    "UnmixDB, distortion": lambda row: _unmixdb(row, "distortion"),
    "moves": lambda row: row["series"] == "moves",
    "lossy": lambda row: row["series"] == "lossy",
    "masters": lambda row: row["series"] == "masters",
    "cuts": lambda row: row["series"] == "cuts",
    "shipped tracks": lambda row: row["series"] == "shipped",
    "long": lambda row: row["series"] == "long",
}


@dataclass(frozen=True)
class Bar:
    """A figure that must be reached. of: which rows it is measured on. key: of a track's row, or of the mix's own.
    unit: of the figures."""

    what: str
    of: Callable[[Row], bool]
    key: str
    must: float
    aim: float
    unit: str


BARS = (
    Bar(
        "start, as they are or resampled, no effect: median",
        GROUPS["UnmixDB, as they are or resampled, no effect"],
        "start_ms",
        1.0,
        1000 / 44100,
        "ms",
    ),
    Bar(
        "start, stretch, bass or compressor: median",
        lambda row: (
            row["series"] == "unmixdb"
            and row["effect"] != "distortion"
            and (row["scaling"] == "stretch" or row["effect"] != "none")
        ),
        "start_ms",
        25.0,
        5.0,
        "ms",
    ),
    Bar(
        "rate, resampled: median",
        lambda row: row["series"] == "unmixdb" and row["scaling"] == "resample",
        "rate",
        1e-4,
        1e-6,
        "",
    ),
    *(
        Bar(f"gain, {effect}: mean", lambda row, e=effect: _unmixdb(row, e), "gain", must, must / 2, "")
        for effect, must in (("none", 0.02), ("bass", 0.02), ("compressor", 0.05), ("distortion", 0.08))
    ),
    Bar(
        "processor time, five minutes of two tracks",
        lambda row: row["series"] == "long" and row["effect"] == "two" and row["entrant"] == "djgraph",
        "cpu_seconds",
        600.0,
        180.0,
        "s",
    ),
)
"""What djgraph has to reach, told no places."""


def _unmixdb(row: Row, effect: str) -> bool:
    return bool(row["series"] == "unmixdb" and row["effect"] == effect)


def leaderboard(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """A row for each group and entrant that has cases in it: how many, and what :func:`summary` says."""
    found = []
    for group, holds in GROUPS.items():
        inside = [row for row in rows if holds(row)]
        for entrant in sorted({row["entrant"] for row in inside}):
            found.append(
                {
                    "group": group,
                    "entrant": entrant,
                    **summary([row for row in inside if row["entrant"] == entrant]),
                }
            )
    return found


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Over tracks that play: median, 90 % quantile and worst of start (ms) and rate errors, what was not found counting
    as infinitely far off (None); means of the gains' errors; over cases: order, cuts, tracks that are rightly said to
    be there or not, intervals, and times."""
    done = [row for row in rows if "error" not in row]
    tracks = [track for row in done for track in row["tracks"].values() if track["plays"]]
    out: dict[str, Any] = {"cases": len(rows), "failed": len(rows) - len(done)}
    placed = [track for track in tracks if "start_ms" in track]
    if placed:
        for key, name in (("start_ms", "start_ms"), ("middle_ms", "middle_ms"), ("rate", "rate")):
            values = [value for track in placed for value in track[key]]
            out[name] = {
                "median": middle(values),
                "q90": quantile(values, 0.9),
                "worst": quantile(values, 1.0),
                "of": len(values),
                "not_found": sum(value is None for value in values),
            }
        judged = [row for row in done if "order_right" in row]
        out["order_right"] = sum(row["order_right"] for row in judged)
        every = [track for row in judged for track in row["tracks"].values()]
        out["present"] = {
            "right": sum(track["said"] and track["plays"] for track in every),
            "of": sum(track["plays"] for track in every),
        }
        out["absent"] = {
            "right": sum(not track["said"] and not track["plays"] for track in every),
            "of": sum(not track["plays"] for track in every),
        }
        out["cuts"] = {key: sum(row["cuts"][key] for row in judged) for key in ("true", "said", "matched")}
    for key in ("gain", "heard"):
        values = [track[key] for track in tracks if key in track]
        if values:
            out[key] = mean(values)
    covered = [row["intervals"]["covered"] for row in done if "intervals" in row]
    if covered:
        out["covered"] = mean(covered)
    out["seconds"] = middle([row["seconds"] for row in done])
    out["cpu_seconds"] = middle([row["cpu_seconds"] for row in done])
    return out


def ours(rows: Sequence[Row]) -> list[Row]:
    """djgraph's rows: of each case the whole answer, or the places alone where no more was measured."""
    whole = [row for row in rows if row["entrant"] == "djgraph"]
    done = {(row["series"], row["number"], row["seed"]) for row in whole}
    return whole + [
        row
        for row in rows
        if row["entrant"] == "find" and (row["series"], row["number"], row["seed"]) not in done
    ]


def against_bars(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Each of :data:`BARS` with what was reached (None: nothing, or not found), and on how many tracks."""
    found = []
    for bar in BARS:
        inside = [row for row in ours(rows) if bar.of(row) and "error" not in row]
        parts = [row for row in inside if bar.key in row] + [
            track for row in inside for track in row["tracks"].values() if track["plays"] and bar.key in track
        ]
        values = [part[bar.key] for part in parts]
        flat = [value for each in values for value in (each if isinstance(each, list) else [each])]
        reached = (mean(flat) if flat else None) if bar.key == "gain" else middle(flat)
        found.append(
            {
                "what": bar.what,
                "must": bar.must,
                "aim": bar.aim,
                "unit": bar.unit,
                "reached": reached,
                "of": len(flat),
            }
        )
    return found
