"""The mixers of examples/mixers: they validate, sound, equal the reference, and do what their pages say."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from effort import few
from runtime.mixes import make_inputs, make_params
from streams.playing import flat, play
from torch import Tensor

import djgraph
from djgraph.drawing import to_svg
from djgraph.graph.ir import Graph
from djgraph.runtime.reference import Reference

FOLDER = Path(__file__).parents[1] / "examples" / "mixers"
NAMES = [
    "analogue_four",
    "broadcast",
    "club_four",
    "console",
    "decks",
    "dub_loops",
    "looper",
    "mastered",
    "mid_side",
    "one_knob",
    "parallel",
    "podcast",
    "quad",
    "stem_swap",
]
ARGS: dict[str, dict[str, Any]] = {
    "console": {"channels": 3},
    "decks": {"decks": 3},
    "looper": {"tempo": 300, "beats": 1, "loops": 2},
}
"""Smaller ones of those that are large, and a loop that comes round within a short clip."""
TEMPO = 120.0
BEATS = ("club_four", "decks", "stem_swap")
"""Those with effects in beats."""
INDEX = (FOLDER / "README.md").read_text(encoding="utf-8")


@functools.cache
def graph(name: str, small: bool = True) -> Graph:
    return djgraph.load(FOLDER / f"{name}.yaml", **(ARGS.get(name, {}) if small else {}))


@functools.cache
def mixer(name: str) -> djgraph.Mixer:
    return djgraph.Mixer(graph(name)).double()


def noise(name: str, samples: int, seed: int = 0) -> dict[str, Any]:
    return make_inputs(graph(name), 1, samples, torch.float64, seed)


def frame(name: str, **values: float) -> Tensor:
    """One frame of a mixer at rest but for these columns; ``__`` stands for a dot."""
    layout = mixer(name).layout
    params = layout.default.to(torch.float64).clone()
    for column, value in values.items():
        params[layout.names.index(column.replace("__", "."))] = value
    return params[None, None]


def heard(name: str, inputs: dict[str, Any], output: str | None = None, **values: float) -> Tensor:
    """What a mixer at rest but for some columns makes of inputs: its main output, or another one."""
    made = mixer(name)(inputs, frame(name, **values), tempo=TEMPO)
    first = output or next(iter(graph(name).outputs))
    return made[first] if isinstance(made, dict) else made


def silent(inputs: dict[str, Any], *but: str) -> dict[str, Any]:
    """Inputs, or stems called ``input.stem``, of which only some are left."""
    return {
        name: {
            stem: audio if {name, f"{name}.{stem}"} & {*but} else torch.zeros_like(audio)
            for stem, audio in value.items()
        }
        if isinstance(value, dict)
        else (value if name in but else torch.zeros_like(value))
        for name, value in inputs.items()
    }


def level(audio: Tensor) -> float:
    """RMS in dB."""
    return 10 * float(torch.log10(audio.square().mean() + 1e-30))


def tone(frequency: float, samples: int, channels: int = 2) -> Tensor:
    wave = torch.sin(2 * torch.pi * frequency * torch.arange(samples, dtype=torch.float64) / 44100)
    return 0.1 * wave.expand(1, channels, samples)


def table(of: Graph) -> str:
    """The page's table of columns: a row for each strip or bus, those that differ in a number together."""
    groups: dict[str, dict[str, int]] = {}
    for column in of.columns:
        owner, _, name = column.name.rpartition(".")
        row = groups.setdefault(re.sub(r"\d+", "*", owner), {})
        name = re.sub(r"\d+", "*", name)
        row[name] = row.get(name, 0) + 1
    lines = ["| where | columns | number |", "|---|---|---|"]
    for owner, names in groups.items():
        where = f"`{owner}`" if owner else "the whole mixer"
        lines.append(f"| {where} | {', '.join(f'`{name}`' for name in names)} | {sum(names.values())} |")
    return "\n".join(lines)


def test_these_are_all() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == NAMES
    assert sorted(re.findall(r"^\| \[.*?\]\((\w+)\.md\)", INDEX, re.MULTILINE)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_it_validates_strictly(name: str) -> None:
    assert not djgraph.validate(FOLDER / f"{name}.yaml", strict=True).warnings


@pytest.mark.parametrize("name", NAMES)
def test_its_page_and_picture_are_those_of_the_graph(name: str) -> None:
    whole = graph(name, small=False)
    columns = len(whole.columns)
    page = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {whole.title}\n")
    assert f"· {columns} controls" in page
    assert whole.description.endswith(f"{columns} controls.")
    assert f"| [{whole.title}]({name}.md) | {columns} |" in INDEX
    assert table(whole) in page, f"the table of columns is:\n{table(whole)}"
    drawn = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert drawn == to_svg(whole), (
        f"run: djgraph draw examples/mixers/{name}.yaml -o examples/mixers/{name}.svg"
    )
    for target in re.findall(r"\]\(([^)#]+)", page):
        assert (FOLDER / target).exists(), target


def equals_the_reference(name: str, samples: int) -> None:
    inputs = noise(name, samples)
    params = make_params(mixer(name), 1, 4, torch.float64, 3)
    got = flat(mixer(name)(inputs, params, return_intermediates=True, tempo=TEMPO))
    expected = flat(Reference(graph(name)).double()(inputs, params, return_intermediates=True, tempo=TEMPO))
    assert len(got) == len(expected)
    for mine, theirs in zip(got, expected):
        assert mine.isfinite().all()
        assert (mine - theirs).abs().max() <= 1e-5 * max(1.0, float(theirs.abs().max()))


@pytest.mark.parametrize("name", few(NAMES, 5))
def test_it_equals_the_reference(name: str) -> None:
    equals_the_reference(name, 6000)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_second_equals_the_reference(name: str) -> None:
    equals_the_reference(name, 44100)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_whole_one_renders_a_second_of_noise(name: str) -> None:
    """In single precision, as `djgraph render` does, with all channels and decks."""
    whole = djgraph.Mixer(graph(name, small=False))
    inputs = make_inputs(whole.graph, 1, 44100, torch.float32, 0)
    made = whole(inputs, whole.layout.default[None, None], tempo=TEMPO)
    for audio in made.values() if isinstance(made, dict) else [made]:
        assert audio.isfinite().all()
        assert audio.shape[-1] == 44100


@pytest.mark.parametrize("name", few(NAMES, 5))
def test_in_blocks_it_is_the_same(name: str) -> None:
    samples = 5000
    inputs = noise(name, samples)
    params = make_params(mixer(name), 1, 3, torch.float64, 5)
    positions = torch.tensor([0, 2100, 4700])
    whole = flat(mixer(name)(inputs, params, positions=positions, tempo=TEMPO))
    tempo = TEMPO if name in BEATS else None
    stream = mixer(name).stream(score=(params, positions), tempo=tempo, dtype=torch.float64)
    for mine, theirs in zip(play(stream, inputs, [700] * 8), whole, strict=True):
        assert (mine - theirs).abs().max() <= 1e-5 * max(1.0, float(theirs.abs().max()))


# What each page says that its mixer does, computed another way.


def spectrum(audio: Tensor) -> Any:
    return np.abs(np.fft.rfft(audio[0].numpy()))


def test_club_four_crosses_by_sides_and_thru() -> None:
    inputs = noise("club_four", 3000)
    only = {n: silent(inputs, n) for n in ("ch_1", "ch_2", "ch_3")}
    sides = {"ch_1__assign": 0.0, "ch_2__assign": 2.0}  # A and B; the third stays on THRU
    for curve in (0.0, 1.0, 2.0):
        at_a = {"crossfader": 0.0, "crossfader_curve": curve, **sides}
        assert not heard("club_four", only["ch_2"], **at_a).any()
        for channel in ("ch_1", "ch_3"):
            there = heard("club_four", only[channel], **at_a)
            assert torch.allclose(there, heard("club_four", only[channel]), atol=1e-12)
        assert not heard("club_four", only["ch_1"], **{**at_a, "crossfader": 1.0}).any()
    # In the middle the blend halves, and the others leave all as it is.
    middle = [heard("club_four", only["ch_1"], crossfader_curve=curve, **sides) for curve in (0.0, 1.0, 2.0)]
    assert torch.allclose(2 * middle[0], middle[1], atol=1e-12)
    assert torch.allclose(middle[2], middle[1], atol=1e-12)


def test_club_four_cues_before_the_fader_and_inserts_the_beat_effects() -> None:
    inputs = silent(noise("club_four", 3000), "ch_2")
    cued = heard("club_four", inputs, "phones", ch_2__cue=1.0, ch_2__fader=-60.0)
    assert torch.allclose(cued, heard("club_four", inputs, "master"), atol=1e-9)
    assert not heard("club_four", inputs, "master", ch_2__fader=-60.0).any()
    # At depth 0 the insert changes nothing; the transformer at full depth is silent in the second half of its cycle.
    through = heard("club_four", inputs, ch_2__beat=1.0)
    assert torch.allclose(through, heard("club_four", inputs), atol=1e-9)


def test_analogue_four_sends_from_one_side_of_the_fader() -> None:
    inputs = silent(noise("analogue_four", 3000), "ch_3")
    sent = {"ch_3__aux_1": 1.0, "ch_3__fader": -20.0}
    before = heard("analogue_four", inputs, "aux_1", **sent, ch_3__aux_1_pre=1.0)
    behind = heard("analogue_four", inputs, "aux_1", **sent)
    assert level(before) - level(behind) == pytest.approx(20, abs=1e-6)
    assert not heard("analogue_four", inputs, "aux_2", **sent).any()
    # X is silent at the crossfader's other end, off is not.
    assert not heard("analogue_four", inputs, crossfader=1.0, ch_3_out__side=0.0).any()
    there = heard("analogue_four", inputs, crossfader=1.0)
    assert torch.allclose(there, heard("analogue_four", inputs), atol=1e-12)


def test_analogue_four_filters_what_is_assigned() -> None:
    inputs = silent(noise("analogue_four", 8000), "ch_1")
    lowpassed = heard("analogue_four", inputs, ch_1_out__filter=1.0, filter_1__frequency=500.0)
    ratio = spectrum(lowpassed) / np.maximum(spectrum(heard("analogue_four", inputs)), 1e-9)
    bins = np.fft.rfftfreq(8000, 1 / 44100)
    assert np.median(ratio[:, (bins > 50) & (bins < 150)]) == pytest.approx(1, abs=0.05)
    # 12 dB per octave: three octaves above it is 64 times less.
    assert np.median(ratio[:, (bins > 3900) & (bins < 4100)]) == pytest.approx(1 / 64, rel=0.15)


def test_stem_swap_takes_one_stem_over() -> None:
    inputs = noise("stem_swap", 3000)
    small = {k: {s: 0.1 * a for s, a in v.items()} for k, v in inputs.items()}
    expected = sum(small["track_b" if stem == "bass" else "track_a"][stem] for stem in small["track_a"])
    assert torch.allclose(heard("stem_swap", small, bass_swap=1.0), expected, atol=1e-9)
    half = heard("stem_swap", small, bass_swap=0.5, bass__solo=1.0)
    both = 0.707 * (small["track_a"]["bass"] + small["track_b"]["bass"])
    assert torch.allclose(half, both, atol=1e-9)


def test_console_pans_groups_solos_and_sends_monitors() -> None:
    inputs = {name: 0.3 * audio for name, audio in noise("console", 3000).items()}
    left = heard("console", silent(inputs, "in_1"), ch_1__pan=-1.0)
    assert torch.allclose(left[:, 0], 2**0.5 * inputs["in_1"][:, 0], atol=1e-9)
    assert left[:, 1].abs().max() < 1e-9
    both = inputs["in_1"] + inputs["in_3"]
    solo = heard("console", inputs, ch_1__solo=1.0, ch_3__solo=1.0)
    assert torch.allclose(solo, both.expand_as(solo), atol=1e-9)
    grouped = heard("console", inputs, ch_1__group=2.0, group_2__mute=1.0)
    assert torch.allclose(grouped, (inputs["in_2"] + inputs["in_3"]).expand_as(grouped), atol=1e-9)
    monitor = heard(
        "console", inputs, "monitor_1", ch_2__monitor_1_send=1.0, ch_2__fader=-60.0, ch_2__mute=1.0
    )
    assert torch.allclose(monitor, inputs["in_2"].expand_as(monitor), atol=1e-9)


def test_parallel_raises_what_is_quiet_more() -> None:
    def gain(volume: float) -> float:
        drums = {
            stem: torch.zeros(1, 2, 20000, dtype=torch.float64) for stem in graph("parallel").inputs["drums"]
        }
        drums["kick"] = volume * 10 * tone(700, 20000)  # in the middle of the copy's three bands
        inputs = {"drums": drums, "song": torch.zeros(1, 2, 20000, dtype=torch.float64)}
        dry, wet = heard("parallel", inputs), heard("parallel", inputs, kick__to_crushed=1.0)
        assert torch.allclose(dry, drums["kick"], atol=1e-9)
        return level(wet[..., 10000:]) - level(dry[..., 10000:])

    # Far below the threshold the copy doubles the drums; 24 dB above it the copy has lost 21.6 dB.
    assert gain(0.001) == pytest.approx(20 * np.log10(2), abs=0.3)
    assert 0 < gain(0.5) < 1.5


def test_podcast_ducks_by_what_is_said() -> None:
    zeros = {name: torch.zeros_like(audio) for name, audio in noise("podcast", 44100).items()}
    music = {**zeros, "music": tone(440, 44100)}
    spoken = {**music, "guest": 2 * tone(300, 44100, 1)}
    quiet = heard("podcast", music, "bed", bed__duck=12.0)
    ducked = heard("podcast", spoken, "bed", bed__duck=12.0)
    down = heard("podcast", spoken, "bed", bed__duck=12.0, voices__fader=-30.0)
    assert torch.allclose(quiet, music["music"], atol=1e-12)
    assert level(quiet[..., 30000:]) - level(ducked[..., 30000:]) == pytest.approx(12, abs=0.1)
    assert torch.equal(down, ducked)


def test_mid_side_is_an_identity_and_makes_lows_mono() -> None:
    inputs = noise("mid_side", 9000)
    assert torch.allclose(heard("mid_side", inputs), inputs["track"], atol=1e-6)
    made = heard("mid_side", inputs, side__mono_bass=1.0)
    side, before = (spectrum(audio[:, :1] - audio[:, 1:]) for audio in (made, inputs["track"]))
    bins = np.fft.rfftfreq(9000, 1 / 44100)
    ratio = side / before
    assert np.median(ratio[:, (bins > 20) & (bins < 60)]) < 0.1
    assert np.median(ratio[:, bins > 1000]) == pytest.approx(1, abs=0.01)
    mid, kept = (spectrum(audio[:, :1] + audio[:, 1:]) for audio in (made, inputs["track"]))
    assert np.abs(mid - kept).max() < 1e-4 * kept.max()


def test_dub_loops_repeats_and_goes_round() -> None:
    beat = round(0.75 * 60 / 75 * 44100)
    click = torch.zeros(1, 2, 3 * beat, dtype=torch.float64)
    click[..., 0] = 1e-3
    zeros = torch.zeros_like(click)
    inputs = {
        "tune": {stem: click if stem == "vocals" else zeros for stem in graph("dub_loops").inputs["tune"]}
    }
    thrown = {"vocals__echo_send": 1.0, "vocals__mute": 1.0}
    made = heard("dub_loops", inputs, **thrown, echo__repeats=0.5)[0, 0]
    peaks = [made[n * beat : n * beat + 8000].sum() for n in range(3)]
    # At 0 Hz, where equaliser and saturation have a gain of 1: tanh is straight for what is so quiet.
    assert float(peaks[1] / peaks[0]) == pytest.approx(0.5, rel=0.02)
    assert float(peaks[2] / peaks[1]) == pytest.approx(0.5, rel=0.02)
    # Spring → echo → spring: with both sends up more is heard than from the spring alone.
    alone = heard("dub_loops", inputs, vocals__spring_send=1.0, vocals__mute=1.0)
    round_ = heard(
        "dub_loops",
        inputs,
        vocals__spring_send=1.0,
        vocals__mute=1.0,
        spring__to_echo=0.25,
        echo__to_spring=1.0,
    )
    assert float((round_ - alone)[..., 882:].norm()) > 0.05 * float(alone.norm())
    assert torch.allclose(round_[..., :882], alone[..., :882], atol=1e-12)


def test_looper_plays_what_was_recorded_for_ever() -> None:
    length = 44100 // 5  # a beat at 300 BPM
    generator = torch.Generator().manual_seed(1)
    played = torch.zeros(1, 2, 4 * length, dtype=torch.float64)
    played[..., :length] = 0.1 * torch.randn(1, 2, length, dtype=torch.float64, generator=generator)
    made = heard("looper", {"instrument": played}, instrument__record_2=1.0)
    for n in range(4):
        assert torch.allclose(made[..., n * length : (n + 1) * length], played[..., :length], atol=1e-9)
    fading = heard("looper", {"instrument": played}, instrument__record_1=1.0, loop_1__keep=0.5)
    assert torch.allclose(fading[..., 3 * length :], 0.25 * played[..., :length], atol=1e-9)
    assert torch.allclose(heard("looper", {"instrument": played}), played, atol=1e-9)


def test_quad_places_at_constant_power() -> None:
    inputs = {name: 0.1 * audio for name, audio in noise("quad", 3000).items()}
    deck = silent(inputs, "deck_a")
    at_rest = heard("quad", deck)
    assert torch.allclose(at_rest[:, :2], inputs["deck_a"], atol=1e-6)
    assert at_rest[:, 2:].abs().max() < 1e-9
    behind = heard("quad", deck, deck_a__y=-1.0)
    assert torch.allclose(behind[:, 2:], inputs["deck_a"], atol=1e-6)
    mic = heard("quad", silent(inputs, "mic"))
    placed = heard("quad", silent(inputs, "mic"), mic__x=0.3, mic__y=-0.2)
    power = [audio.square().sum(1) for audio in (mic, placed)]
    assert torch.allclose(*power, atol=1e-9)
    bed = heard("quad", silent(inputs, "bed"))
    assert torch.allclose(bed, inputs["bed"], atol=1e-9)


def test_decks_are_as_many_as_one_says() -> None:
    path = FOLDER / "decks.yaml"
    counts = {n: len(djgraph.load(path, decks=n).columns) for n in (2, 4, 6)}
    assert counts[6] - counts[4] == counts[4] - counts[2] > 0
    assert counts[6] == len(graph("decks", small=False).columns)
    assert [*djgraph.load(path, decks=4).inputs] == ["deck_1", "deck_2", "deck_3", "deck_4"]
    assert len(djgraph.load(path, units=1).columns) < counts[6]
    inputs = {name: 0.1 * audio for name, audio in noise("decks", 3000).items()}
    sides = {"deck_1__side": 1.0, "deck_2__side": 2.0}
    made = heard("decks", inputs, crossfader=0.0, **sides)
    assert torch.allclose(made, inputs["deck_1"] + inputs["deck_3"], atol=1e-6)


def test_one_knob_goes_from_one_track_to_the_other() -> None:
    inputs = noise("one_knob", 5000)
    for end, track in ((0.0, "track_a"), (1.0, "track_b")):
        made = heard("one_knob", inputs, transition=end)
        assert torch.allclose(made, sum(inputs[track].values()), atol=1e-5)
    # In the middle both drums are there, and half of each bass's power.
    drums = heard("one_knob", silent(inputs, "track_a.drums", "track_b.drums"), transition=0.5)
    assert torch.allclose(drums, inputs["track_a"]["drums"] + inputs["track_b"]["drums"], atol=1e-5)
    bass = heard("one_knob", silent(inputs, "track_b.bass"), transition=0.5)
    assert torch.allclose(bass, 0.707 * inputs["track_b"]["bass"], atol=1e-5)
    assert not heard("one_knob", silent(inputs, "track_a.vocals"), transition=0.3).any()


def test_mastered_has_the_columns_of_its_parts() -> None:
    names = [column.name for column in graph("mastered").columns]
    mastering = [column.name for column in djgraph.load("mastering").columns]
    mastering.remove("master.gain")  # `loudness` drives it
    assert [name for name in names if name.startswith("finish.")] == [f"finish.{name}" for name in mastering]
    knob = [column.name for column in graph("one_knob").columns]
    assert [name for name in names if name.startswith("decks.")] == [f"decks.{name}" for name in knob]
    inputs = noise("mastered", 5000)
    mix = heard("one_knob", inputs)
    assert torch.allclose(heard("mastered", inputs, "mix"), mix, atol=1e-9)
    assert torch.allclose(heard("mastered", inputs, finished__listen=1.0), mix, atol=1e-9)
    alone = djgraph.Mixer(djgraph.load("mastering", low_crossover=120)).double()
    expected = alone({"track": mix}, alone.layout.default.double()[None, None])
    assert torch.allclose(heard("mastered", inputs), expected, atol=1e-9)


def test_broadcast_feeds_the_caller_everything_else() -> None:
    inputs = {name: 0.1 * audio for name, audio in noise("broadcast", 20000).items()}
    clean = heard("broadcast", inputs, "clean_feed")
    others = inputs["presenter"] + inputs["player_1"] + inputs["player_2"]
    assert torch.allclose(clean, others, atol=1e-9)
    assert torch.allclose(heard("broadcast", inputs, "desk"), others + inputs["caller"], atol=1e-9)
    assert not heard("broadcast", silent(inputs, "caller"), "clean_feed").any()
    # The bands add up to an all-pass: what comes out has the same energy, and mono has no side.
    air, mono = (heard("broadcast", inputs, output) for output in ("air", "mono"))
    assert level(air) == pytest.approx(level(others + inputs["caller"]), abs=0.1)
    assert torch.allclose(mono[:, 0], mono[:, 1], atol=1e-12)
    listened = heard("broadcast", inputs, "pfl", caller__pfl=1.0, caller__fader=-60.0, caller__mute=1.0)
    assert torch.allclose(listened, inputs["caller"].expand_as(listened), atol=1e-9)
