"""Faults that were made on purpose are found, where they are and as strong as they are; and nothing else is."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from effort import few

from djgraph import losses
from djgraph.decks import MemoryMaterial
from djgraph.effects import Parted
from djgraph.errors import InputError
from djgraph.reports import Listener, Report, contributions, parts_of, save_report

from . import made

Moves = dict[str, list[tuple[float, float]]]


def kinds(report: Report) -> list[str]:
    return [one.kind for one in report.findings]


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    report = made.report_of(made.tracks(), made.clean(), tempo=120.0)
    assert report.findings == ()
    (span,) = report.transitions
    assert (span.leaving, span.entering) == ("one", "two")
    assert (span.begin, span.end) == (pytest.approx(12, abs=0.4), pytest.approx(18, abs=0.4))
    assert "nothing found" in report.text()


def test_two_basses() -> None:
    moves = made.clean() | {"one.bass.gain": [(20.0, 1.0), (20.05, 0.0)]}
    audio = made.tracks()
    audio["two"]["bass"] *= 10 ** (-6 / 20)
    (one,) = made.report_of(audio, moves).findings
    assert one.kind == "bass"
    assert (one.begin, one.end) == (pytest.approx(15, abs=0.4), pytest.approx(20, abs=0.4))
    assert one.value == pytest.approx(6, abs=0.5)
    assert "two.bass.gain" in one.advice


@pytest.mark.parametrize("late", few([0.0, 0.02, 0.05, 0.09], 2))
def test_basses_that_change_places_at_once_are_no_two(late: float) -> None:
    moves = made.clean()
    moves["one.bass.gain"] = [(15 + late, 1.0), (15.005 + late, 0.0)]
    moves["two.bass.gain"] = [(15 + late, 0.0), (15.005 + late, 1.0)]
    assert made.report_of(made.tracks(), moves).findings == ()


def test_two_vocals() -> None:
    moves = made.clean() | {"two.vocals.gain": [(9.0, 0.0), (9.05, 1.0)]}
    (one,) = made.report_of(made.tracks(), moves, tempo=120.0).findings
    assert one.kind == "vocals"
    assert (one.begin, one.end) == (pytest.approx(9, abs=0.4), pytest.approx(15, abs=0.4))
    assert "down from beat 17" in one.advice or "down from beat 18" in one.advice


def long_fade() -> Moves:
    moves = made.clean()
    for stem in ("drums", "other"):
        moves[f"one.{stem}.gain"] = [(18.0, 1.0), (24.0, 0.0)]
        moves[f"two.{stem}.gain"] = [(6.0, 0.0), (12.0, 1.0)]
    return moves


def test_keys_that_clash() -> None:
    assert kinds(made.report_of(made.tracks(second_key=7), long_fade())) == []
    (one,) = made.report_of(made.tracks(second_key=6), long_fade()).findings
    assert (one.kind, one.value, one.unit) == ("keys", 6, "steps")
    assert "8B (C major)" in one.text
    assert "2B (F# major)" in one.text


def test_a_track_that_nobody_hears() -> None:
    audio = made.tracks()
    moves = made.clean()
    for stem in made.STEMS:  # noise beside noise, 26 dB below
        audio["one"][stem] = made.noise(5, 30, -32)
        audio["two"][stem] = made.noise(6, 30, -32)
        level = 0.05 if stem == "drums" else 0.0
        moves[f"two.{stem}.gain"] = [(3.0, 0.0), (3.05, level), (14.0, level), (15.0, 1.0)]
        moves[f"one.{stem}.gain"] = [(14.0, 1.0), (15.0, 0.0)]
    report = made.report_of(audio, moves)
    (one,) = [one for one in report.findings if one.kind == "inaudible"]
    assert one.tracks == ("two",)
    assert one.begin == pytest.approx(3, abs=0.4)
    assert 13.5 < one.end < 15


def test_cancellation() -> None:
    audio = made.tracks()
    audio["two"]["drums"] = -audio["one"]["drums"].clone()
    for track in audio.values():
        track["drums"] *= 10
    moves = made.clean()
    moves["one.drums.gain"] = [(0.0, 1.0)]
    moves["two.drums.gain"] = [(10.0, 0.0), (10.05, 0.8), (16.0, 0.8), (16.05, 0.0)]
    found = [one for one in made.report_of(audio, moves).findings if one.kind == "cancellation"]
    (one,) = found
    assert (one.begin, one.end) == (pytest.approx(10, abs=0.6), pytest.approx(16, abs=0.6))
    exact = -10 * math.log10((1 - 0.8) ** 2 / (1 + 0.8**2))
    assert one.value == pytest.approx(exact, abs=1.5)


def test_a_hole_of_loudness() -> None:
    moves = made.clean()
    for stem in made.STEMS:
        moves[f"one.{stem}.gain"] = [(12.0, 1.0), (13.0, 0.1)]
        moves[f"two.{stem}.gain"] = [(17.0, 0.1), (18.0, 1.0)]
    report = made.report_of(made.tracks(), moves)
    (one,) = [one for one in report.findings if one.kind == "hole"]
    both = 20 * math.log10(0.1) + 10 * math.log10(2)
    assert one.value == pytest.approx(-both, abs=1.5)
    assert 12 < one.begin < one.end < 18


def test_silence_between_two_tracks_is_a_transition_and_a_hole() -> None:
    moves: Moves = {"one.**": [(12.0, 1.0), (12.05, 0.0)], "two.**": [(18.0, 0.0), (18.05, 1.0)]}
    report = made.report_of(made.tracks(), moves)
    (span,) = report.transitions
    assert (span.leaving, span.entering) == ("one", "two")
    assert (span.begin, span.end) == (pytest.approx(12, abs=0.4), pytest.approx(18, abs=0.4))
    assert "hole" in kinds(report)


def test_a_jump_of_loudness() -> None:
    audio = made.tracks()
    for stem in made.STEMS:
        audio["two"][stem] *= 10 ** (8 / 20)
    moves: Moves = {"one.**": [(15.0, 1.0), (15.05, 0.0)], "two.**": [(15.0, 0.0), (15.05, 1.0)]}
    report = made.report_of(audio, moves)
    assert kinds(report) == ["jump"]
    assert report.findings[0].value == pytest.approx(8, abs=0.7)


def test_clipping() -> None:
    audio = made.tracks()
    audio["one"]["vocals"] *= 30
    report = made.report_of(audio, made.clean())
    clipped = [one for one in report.findings if one.kind == "clipping"]
    assert clipped
    peak = float(sum(audio["one"].values()).abs().max())  # type: ignore[union-attr]
    assert clipped[0].value == pytest.approx(20 * math.log10(peak), abs=0.5)
    assert "clipping" not in kinds(made.report_of(audio, made.clean(), normalized=True))


def test_blocks_of_any_length_say_the_same() -> None:
    audio, moves = made.tracks(second_key=6), long_fade()
    whole = made.report_of(audio, moves, block=10**9)
    for block in (1234, 8001):
        parts = made.report_of(audio, moves, block=block)
        assert parts.transitions == whole.transitions
        for name in ("loudness", "bass", "clash", "audible", "cancelled", "peak", "level"):
            there, here = getattr(whole.course, name), getattr(parts.course, name)
            torch.testing.assert_close(torch.tensor(here), torch.tensor(there), rtol=1e-4, atol=1e-3)


def test_the_report_measures_what_the_losses_do() -> None:
    """The mean over time of each measure is the loss of the parts as tensors."""
    audio, moves, mixer = made.tracks(second_key=6), long_fade(), made.mixer()
    params, positions = made.score(mixer, moves)
    course = made.report_of(audio, moves, mixer=mixer).course
    inputs = {track: {stem: x[None] for stem, x in stems.items()} for track, stems in audio.items()}
    parts = contributions(mixer, inputs, params[None], positions=positions)
    mix = mixer(inputs, params[None], positions=positions)
    torch.testing.assert_close(torch.stack(list(parts.values())).sum(0), mix, rtol=0, atol=1e-5)

    def of(*chosen: str) -> list[torch.Tensor]:
        return [
            torch.stack([x for part, x in parts.items() if part.track == track and part.kind in chosen]).sum(
                0
            )
            for track in ("one", "two")
        ]

    rate = made.RATE
    whole = of("drums", "bass", "vocals", "other")
    same: list[tuple[Any, Any]] = [
        (course.bass.mean(), losses.bass_overlap(of("bass"), rate)),
        (
            course.vocals.mean() if course.vocals is not None else None,
            losses.vocal_overlap(of("vocals"), rate),
        ),
        (course.clash.mean(), losses.key_clash(of("bass", "vocals", "other"), rate)),
        (course.cancelled.mean(), losses.cancellation(whole, rate)),
        (course.hole.clip(0).mean(), losses.loudness_hole(mix, rate, allowed=0)),
        (abs(course.jump).mean(), losses.loudness_jump(mix, rate, allowed=0)),
        ((course.peak + 30).clip(0).mean(), losses.clipping(mix, rate, ceiling_db=-30)),
    ]
    for here, there in same:
        assert here == pytest.approx(float(there), rel=2e-3, abs=1e-4)


def test_gradients_pass_through_contributions() -> None:
    audio, mixer = made.tracks(seconds=2), made.mixer()
    inputs = {track: {stem: x[None] for stem, x in stems.items()} for track, stems in audio.items()}
    params = mixer.layout.pack(n_frames=3, batch=1).requires_grad_()
    parts = contributions(mixer, inputs, params)
    basses = [x for part, x in parts.items() if part.kind == "bass"]
    losses.bass_overlap(basses, made.RATE).backward()
    assert params.grad is not None
    moved = {mixer.layout.names[i] for i in params.grad.abs().sum((0, 1)).nonzero()[:, 0].tolist()}
    assert moved == {"one.bass.gain", "two.bass.gain"}


def test_parts_are_told_by_the_names_of_stems() -> None:
    assert [part.kind for part in parts_of(made.mixer().graph, ["one"])] == [
        "drums",
        "bass",
        "vocals",
        "other",
    ]


PLAIN = {
    "djgraph": 1,
    "name": "plain",
    "sample_rate": made.RATE,
    "inputs": [{"name": "one"}, {"name": "two"}],
    "mixer": [
        {
            "for": {"t": "inputs"},
            "do": [{"strip": "$t", "input": "$t", "chain": [made.GAIN], "to": "master"}],
        },
        {"bus": "master", "chain": [{"effect": "limiter", "controls": {"ceiling": -12, "mix": 1}}]},
    ],
    "outputs": ["master"],
}


def test_tracks_without_stems_and_mixers_that_are_not_linear() -> None:
    mixer = made.mixer(PLAIN)
    listener = Listener(mixer, *made.score(mixer, {}))
    for _ in range(8):
        listener.add({"one": made.sines((31,), 1, -6), "two": made.sines((33,), 1, -6)})
    report = Report.of(listener.finish())
    assert "bass" in kinds(report)  # all of a track below 150 Hz
    assert report.course.vocals is None
    assert any("vocals" in note for note in report.notes)
    assert any("not linear" in note for note in report.notes)


def test_too_short() -> None:
    mixer = made.mixer()
    listener = Listener(mixer, *made.score(mixer, {}))
    listener.add({track: dict.fromkeys(made.STEMS, torch.zeros(2, 100)) for track in ("one", "two")})
    with pytest.raises(InputError, match="too short"):
        listener.finish()


def test_files(tmp_path: Path) -> None:
    audio = made.tracks(second_key=6)
    report = made.report_of(audio, long_fade(), tempo=120.0, title="a <mix> & more")
    for suffix in ("txt", "json", "html", "svg", "png"):
        save_report(tmp_path / f"report.{suffix}", report)
    data = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert data["findings"][0]["kind"] == "keys"
    assert data["findings"][0]["begin_beat"] == pytest.approx(2 * data["findings"][0]["begin"], abs=0.01)
    assert len(data["measures"]["loudness"]) == len(data["measures"]["seconds"])
    assert (tmp_path / "report.txt").read_text("utf-8") == report.text()
    root = ElementTree.fromstring((tmp_path / "report.svg").read_text("utf-8"))
    shown = "".join(root.itertext())
    assert "a <mix> & more" in shown
    assert "keys clash" in shown
    marked = [node for node in root.iter() if node.get("class") == "finding"]
    assert len(marked) == 1
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "&lt;mix&gt;" in (tmp_path / "report.html").read_text("utf-8")
    with pytest.raises(InputError, match=r"\.txt"):
        save_report(tmp_path / "report.bmp", report)


def test_tracks_that_sources_play_are_heard_as_they_are_played() -> None:
    """Decks that begin a second late: the report is that of tracks which lack their first second."""
    document = made.GRAPH | {"inputs": [one | {"source": "deck"} for one in made.GRAPH["inputs"]]}
    audio, moves = made.tracks(20.0), made.clean() | {"one.bass.gain": [(17.0, 1.0), (17.05, 0.0)]}
    late = {track: {stem: x[:, made.RATE :] for stem, x in stems.items()} for track, stems in audio.items()}
    wanted = made.report_of(late, moves)
    mixer = made.mixer(document)
    params, positions = made.score(mixer, moves | {"*.start": [(0.0, 1.0)]})
    listener = Listener(
        mixer,
        params,
        positions,
        tracks=("one", "two"),
        material={name: MemoryMaterial(stems) for name, stems in audio.items()},
    )
    left = 19 * made.RATE
    while left:
        count = min(left, 50_000)
        listener.add({}, count)
        left -= count
    got = Report.of(listener.finish(), controls=mixer.layout.names)
    assert [one.kind for one in got.findings] == [one.kind for one in wanted.findings] == ["bass"]
    for ours, theirs in zip(got.findings, wanted.findings):
        assert (ours.begin, ours.end, ours.value) == pytest.approx(
            (theirs.begin, theirs.end, theirs.value), abs=0.01
        )
    np.testing.assert_allclose(got.course.loudness, wanted.course.loudness, atol=0.01)
    np.testing.assert_allclose(got.course.bass, wanted.course.bass, atol=0.01)


def test_what_an_input_does_not_have_cannot_be_heard_alone() -> None:
    mixer = made.mixer(made.GRAPH | {"inputs": [one | {"source": "deck"} for one in made.GRAPH["inputs"]]})
    stems = made.tracks(1.0)["one"]
    for heard, message in (([["brass"]], "no stem 'brass'"), ([], "parted into what items")):
        with pytest.raises(InputError, match=message):
            mixer({"one": Parted(MemoryMaterial(stems), heard)}, mixer.layout.default[None], samples=9)


def test_what_parts_of_played_tracks_add_is_their_sum() -> None:
    mixer = made.mixer(made.GRAPH | {"inputs": [one | {"source": "deck"} for one in made.GRAPH["inputs"]]})
    audio = {name: {stem: x[None] for stem, x in stems.items()} for name, stems in made.tracks(0.5).items()}
    params = mixer.layout.default[None]
    parts = contributions(mixer, audio, params, samples=3000)
    assert len(parts) == 8
    torch.testing.assert_close(sum(parts.values()), mixer(audio, params, samples=3000), rtol=0, atol=1e-5)
    stems = {stem: x[0] for stem, x in audio["one"].items()}
    with pytest.raises(InputError, match="take one as tensors"):
        contributions(mixer, {"one": MemoryMaterial(stems)}, params, samples=3000)
