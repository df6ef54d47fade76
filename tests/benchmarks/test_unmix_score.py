"""UnmixBench's judge, baselines and results: answers that are off by known amounts, and mixes that are easy."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.unmix import board, dtw, faders, run, tables
from benchmarks.unmix.entrants import ENTRANTS
from benchmarks.unmix.mixes import RATE, Case, Part, assemble
from benchmarks.unmix.score import Answer, middle, quantile, score
from benchmarks.unmix.series import ROUNDS, SERIES, case
from djgraph.alignment import Found, Passage


def hits(seconds: float, seed: int) -> np.ndarray:
    """Irregular bursts of noise of different colours over quiet noise, stereo: nothing in it repeats."""
    random = np.random.RandomState(seed)
    out = 0.01 * random.standard_normal((2, round(seconds * RATE)))
    at = 0.1
    while at < seconds - 0.3:
        length = random.randint(2000, 9000)
        burst = random.standard_normal((2, length)) * np.exp(-np.arange(length) / random.uniform(300, 2000))
        smooth = random.randint(1, 30)
        burst = np.apply_along_axis(lambda row, n=smooth: np.convolve(row, np.ones(n) / n, "same"), 1, burst)
        out[:, round(at * RATE) :][:, :length] += 0.2 * burst
        at += random.uniform(0.1, 0.4)
    return out.astype(np.float32)


@pytest.fixture(scope="module")
def easy() -> Case:
    """Two tracks, faded into each other at rates of 1.01 and 0.98; a third one that is not there."""
    tracks = {name: hits(20, seed) for seed, name in enumerate("abc")}
    parts = [
        Part("b", (Passage(0, 600000, 20000, 1.01, False, 0),), [(300000, 1.0), (600000, 0.0)]),
        Part("a", (Passage(300000, 1000000, 5000.5, 0.98, False, 0),), [(300000, 0.0), (600000, 1.0)]),
    ]
    return assemble("easy", "test", "resample", "none", tracks, parts, level=-6.0)


def moved(found: Found, by: float, rate: float = 1.0) -> Found:
    return Found(
        found.track,
        tuple(dataclasses.replace(one, start=one.start + by, rate=one.rate * rate) for one in found.passages),
        1.0,
    )


def test_the_truth_scores_nothing_but_noughts(easy):
    truth = easy.truth
    made = score(easy, Answer(found=truth.found, gains=truth.gains, level=0.0))
    for name in "ab":
        row = made["tracks"][name]
        assert row["start_ms"] == [0.0]
        assert row["rate"] == [0.0]
        assert row["gain"] == pytest.approx(0, abs=1e-9)
        assert row["said"]
    assert not made["tracks"]["c"]["said"]
    assert made["order_right"]
    assert made["cuts"] == {"true": 0, "said": 0, "matched": 0}


def test_errors_are_told_in_time_of_the_mix(easy):
    found = {name: moved(one, 441.0, 1.001) for name, one in easy.truth.found.items()}
    row = score(easy, Answer(found=found))["tracks"]["b"]
    assert row["start_ms"] == [pytest.approx(10 / 1.01)]
    assert row["middle_ms"] == [pytest.approx((441 + 300000 * 0.001 * 1.01) / 1.01 / 44.1)]
    assert row["rate"] == [pytest.approx(1e-3)]


def test_one_level_is_free_and_levels_of_tracks_are_not(easy):
    gains = easy.truth.gains
    quieter = {name: 0.5 * curve for name, curve in gains.items()}
    assert score(easy, Answer(gains=quieter))["tracks"]["a"]["gain"] == pytest.approx(0, abs=1e-6)
    assert score(easy, Answer(gains=quieter, level=-6.0))["tracks"]["a"]["gain"] > 0.3
    # What a fader does while its track does not play is nobody's business.
    beyond = {name: np.where(curve > 0, curve, 1.0) for name, curve in gains.items()}
    assert score(easy, Answer(gains=beyond))["tracks"]["a"]["gain"] < 0.01
    one = score(easy, Answer(gains={**gains, "a": 0.5 * gains["a"]}))
    assert one["tracks"]["a"]["gain"] + one["tracks"]["b"]["gain"] > 0.2


def test_tracks_said_to_be_absent_and_wrong_orders_are_told(easy):
    found = {
        **easy.truth.found,
        "a": Found("a", (), 1.0),
        "c": dataclasses.replace(easy.truth.found["a"], track="c"),
    }
    made = score(easy, Answer(found=found))
    assert made["tracks"]["a"]["start_ms"] == [None]
    assert not made["order_right"]
    row = {"entrant": "x", "series": "cuts", "seconds": 1, "cpu_seconds": 1, **made}
    summed = board.summary([row])
    assert summed["present"] == {"right": 1, "of": 2}
    assert summed["absent"] == {"right": 0, "of": 1}
    assert summed["start_ms"]["not_found"] == 1
    assert summed["start_ms"]["worst"] is None


def test_cuts_count_within_fifty_milliseconds():
    tracks = {"a": hits(8, 3)}
    passages = (Passage(0, 100000, 0, 1, False, 0), Passage(100000, 200000, 150000, 1, False, 0))
    made = assemble("x", "test", "none", "none", tracks, [Part("a", passages, [(0, 1.0)])])
    for late, matched in ((1000, 1), (3000, 0)):
        said = (passages[0], dataclasses.replace(passages[1], begins=100000 + late, start=150000 + late))
        found = score(made, Answer(found={"a": Found("a", said, 1.0)}))
        assert found["cuts"] == {"true": 1, "said": 1, "matched": matched}


def test_tracks_that_repeat_may_be_off_by_a_repeat(easy):
    truth = dataclasses.replace(easy.truth, repeats={"b": 88200.0})
    found = {name: moved(one, 2 * 88200 + 44.1) for name, one in truth.found.items()}
    row = score(dataclasses.replace(easy, truth=truth), Answer(found=found))["tracks"]
    assert row["b"]["start_ms"] == [pytest.approx(1 / 1.01)]
    assert row["a"]["start_ms"][0] > 4000


def test_intervals_are_counted_where_the_track_plays(easy):
    gains = easy.truth.gains
    low = {name: curve - 0.1 for name, curve in gains.items()}
    high = {name: curve + 0.1 for name, curve in gains.items()}
    made = score(easy, Answer(gains=gains, low=low, high=high))
    assert made["intervals"] == {"covered": 1.0, "median_width": pytest.approx(0.2)}
    assert score(easy, Answer(gains=gains, low=high, high=high))["intervals"]["covered"] == 0


def test_medians_count_what_was_not_found():
    assert middle([1.0, None, 2.0]) == 2.0
    assert middle([1.0, None, None]) is None
    assert middle([]) is None
    assert quantile([4.0, 1.0, 3.0, 2.0], 0.5) == 2.0
    assert quantile([1.0, None], 1.0) is None


def test_dtw_steps_along_a_path_that_is_known():
    random = np.random.RandomState(2)
    track = random.standard_normal((60, 13))
    mix = np.concatenate([random.standard_normal((30, 13)), track[::2], random.standard_normal((20, 13))])
    at, frames = dtw.warped(track, mix)
    inside = (frames > 5) & (frames < 55)
    assert np.abs(30 + frames / 2 - at)[inside].max() <= 1


@pytest.mark.slow
def test_dtw_finds_tracks_that_are_stretched():
    made = case("unmixdb", 1, 8)
    found = score(made, Answer(found=dtw.located(made)))
    assert found["order_right"]
    for row in found["tracks"].values():
        assert row["middle_ms"][0] < 100
        assert row["rate"][0] < 0.02


@pytest.mark.parametrize(("baseline", "within"), [("frames", 0.003), ("bands", 0.06), ("crossfade", 0.03)])
def test_baselines_find_a_plain_crossfade(easy, baseline, within):
    made = score(easy, Answer(gains=getattr(faders, baseline)(easy, easy.truth.found)))
    assert max(made["tracks"][name]["gain"] for name in "ab") < within


def test_frames_are_those_of_a_dense_solver(easy):
    tracks = faders.aligned(easy, easy.truth.found)
    found = faders.frames(easy, easy.truth.found)
    frame, step = 180, faders.STEP
    part = slice((frame - 1) * step, (frame + 1) * step)
    x = np.stack([tracks[name][part] for name in "ab"], 1)
    wanted, *_ = np.linalg.lstsq(x, easy.mix.mean(0)[part].astype(np.float64), rcond=None)
    assert [found[name][frame] for name in "ab"] == pytest.approx(wanted, abs=1e-3)


def test_bands_meet_the_conditions_of_an_optimum():
    random = np.random.RandomState(1)
    x = random.uniform(0.1, 1, (2, 40, 12))
    true = np.stack([np.interp(np.arange(40), [0, 20, 39], curve) for curve in ([0, 1, 0.3], [0.2, 0.8, 0])])
    gain = faders._monotone(x, np.einsum("at,atm->tm", true, x), [20, 20], 3000)
    assert np.abs(gain - true).max() < 1e-3
    for row in gain:
        assert (np.diff(row[:20]) >= -1e-9).all()
        assert (np.diff(row[20:]) <= 1e-9).all()


def test_every_series_has_a_round_and_every_entrant_words():
    assert set(SERIES) == set(ROUNDS)
    assert all(entrant.about for entrant in ENTRANTS.values())


def test_rows_are_kept_and_written_whole(tmp_path):
    path = tmp_path / "board.json"
    assert run.load(path) == []
    row = {"entrant": "dtw", "series": "cuts", "number": 0, "seed": 1, "seconds": 1.0, "cpu_seconds": 1.0}
    row |= {
        "effect": "jump",
        "scaling": "resample",
        "tracks": {"a": {"plays": True, "gain": 0.5, "heard": 0.25}},
    }
    run.save([row], {"cores": 2}, path)
    assert run.load(path) == [row]
    data = json.loads(path.read_text())
    assert data["leaderboard"][0]["gain"] == 0.5
    assert "0.5" in tables.tables([row])
    other = tmp_path / "other.json"
    run.save([{**row, "seconds": 2.0}, {**row, "number": 1}], {}, other)
    assert run.main(["--merge", str(other), "--out", str(path)]) == 0
    assert [one["seconds"] for one in run.load(path)] == [2.0, 1.0]
    path.write_text("[]")
    with pytest.raises(BenchmarkError, match="not UnmixBench's results"):
        run.load(path)


@pytest.mark.slow
def test_the_picture_is_drawn(easy):
    pytest.importorskip("matplotlib")
    from benchmarks.unmix.picture import to_png

    made = score(easy, Answer(found=easy.truth.found, gains=easy.truth.gains))
    row = {"entrant": "djgraph", "series": "moves", "number": 0, "seed": 1, "effect": "none", **made}
    assert to_png([row, {**row, "entrant": "dtw"}]).startswith(b"\x89PNG")


def test_the_page_has_a_place_for_the_tables():
    page = f"a\n{tables.BEGIN}\nold\n{tables.END}\nb"
    assert tables.placed(page, "new") == f"a\n{tables.BEGIN}\n\nnew\n\n{tables.END}\nb"
    with pytest.raises(BenchmarkError, match="no place"):
        tables.placed("a", "new")


@pytest.mark.skipif(not run.RESULTS.exists(), reason="nothing was measured yet")
def test_the_tables_of_the_documentation_are_those_of_the_results():
    page = tables.DOCS.read_text(encoding="utf-8")
    assert tables.placed(page, tables.tables(run.load(run.RESULTS))) == page


def test_unknown_names_are_refused(capsys):
    assert run.main(["--series", "nothing"]) == 2
    assert "there is no series 'nothing'" in capsys.readouterr().err
    assert run.main(["--list"]) == 0
    assert "unmixdb" in capsys.readouterr().out
