"""``python -m benchmarks.analysis``: how well tempo, beats and bars are found, beside librosa, scored by mir_eval."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.analysis import keys
from benchmarks.analysis.patterns import RATE, STYLES, Sample, synthesise
from djgraph.analysis.bars import downbeats
from djgraph.analysis.beats import track
from djgraph.analysis.onsets import RATE as LISTENED
from djgraph.analysis.onsets import onsets
from djgraph.analysis.tempo import pulse

_FIELDS = ("f", "cmlt", "amlt")


def measure(sample: Sample) -> dict[str, Any]:
    """Ours and librosa's: tempo, F-measure (70 ms), correct metrical level and any allowed level (continuity total),
    and of ours the downbeats' F-measure and the median and largest distance of beats in ms."""
    import librosa

    audio = librosa.resample(sample.audio, orig_sr=RATE, target_sr=LISTENED, res_type="soxr_hq").astype(
        np.float32
    )
    heard = onsets(audio)
    found = pulse(heard.bands)
    assert found is not None
    grid, _ = track(heard, found.tempo)
    beats = grid.beats_until(heard.seconds)
    first, _ = downbeats(heard, grid, found.meter, audio)
    out = {
        "style": sample.style.name,
        "tempo": sample.tempo,
        "meter": sample.style.meter,
        "djgraph": {
            "tempo": float(60 / np.median(np.diff(beats))),
            "meter": found.meter,
            **_scores(sample.beats, beats),
            "downbeats": _f(sample.downbeats, beats[first :: found.meter]),
            "median_ms": _median_ms(sample.beats, beats),
        },
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tempo, theirs = librosa.beat.beat_track(y=audio, sr=LISTENED, units="time")
    out["librosa"] = {
        "tempo": float(np.squeeze(tempo)),
        **_scores(sample.beats, theirs),
        "median_ms": _median_ms(sample.beats, theirs),
    }
    return out


def _scores(truth: Any, found: Any) -> dict[str, float]:
    import mir_eval

    truth, found = mir_eval.beat.trim_beats(truth), mir_eval.beat.trim_beats(found)
    _, correct, _, allowed = mir_eval.beat.continuity(truth, found)
    return {"f": float(mir_eval.beat.f_measure(truth, found)), "cmlt": float(correct), "amlt": float(allowed)}


def _f(truth: Any, found: Any) -> float:
    import mir_eval

    return float(mir_eval.beat.f_measure(mir_eval.beat.trim_beats(truth), mir_eval.beat.trim_beats(found)))


def _median_ms(truth: Any, found: Any) -> float:
    """Of the distance of each beat that lies within 70 ms of a true one to that."""
    nearest = np.abs(np.asarray(found)[:, None] - truth[None]).min(1) if len(found) else np.zeros(0)
    near = nearest[nearest < 0.07]
    return float(np.median(near) * 1000) if near.size else float("nan")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analysis", description=__doc__)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="all tempos times this, to see that none is learnt"
    )
    parser.add_argument("--seconds", type=float, default=45.0, help="length of each pattern")
    parser.add_argument("--output", type=Path, help="write the results as JSON")
    parser.add_argument(
        "--keys", type=int, default=0, metavar="N", help="keys instead, N tonics for each cycle"
    )
    chosen = parser.parse_args(argv)
    if chosen.keys:
        with_beats, without = keys.run(chosen.keys)
        print(f"with beats: {dict(with_beats)}; without: {dict(without)}", file=sys.stderr)
        return
    rows = []
    for style in STYLES:
        end = style.bpm_end and style.bpm_end * chosen.scale
        sample = synthesise(
            dataclasses.replace(style, bpm=style.bpm * chosen.scale, bpm_end=end), chosen.seconds
        )
        row = measure(sample)
        rows.append(row)
        ours, theirs = row["djgraph"], row["librosa"]
        print(
            f"{row['style']:28} {row['tempo']:7.2f} | {ours['tempo']:8.3f} F {ours['f']:.2f} CMLt {ours['cmlt']:.2f} "
            f"AMLt {ours['amlt']:.2f} bars {ours['downbeats']:.2f} {ours['median_ms']:5.2f} ms | librosa "
            f"{theirs['tempo']:7.2f} F {theirs['f']:.2f} CMLt {theirs['cmlt']:.2f} AMLt {theirs['amlt']:.2f} "
            f"{theirs['median_ms']:5.1f} ms",
            flush=True,
        )
    means = {
        who: {field: float(np.mean([row[who][field] for row in rows])) for field in _FIELDS}
        for who in ("djgraph", "librosa")
    }
    print(f"{len(rows)} styles, means: {means}", file=sys.stderr)
    if chosen.output:
        chosen.output.write_text(
            json.dumps({"means": means, "styles": rows}, indent=1) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
