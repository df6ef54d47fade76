"""Every recipe, by what it does to the sound: tones through the default mixer, measured stem by stem, band by band."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from effort import few
from numpy.typing import NDArray

import djgraph
import djgraph.seed.crossfade
from djgraph.automation import load, recipe, recipes
from djgraph.errors import AutomationError
from djgraph.layout import ParameterLayout

RATE, SECONDS = 22050, 6.0
STEMS = ("drums", "bass", "vocals", "other")
TRACKS = ("track_a", "track_b")
LOW, MID, HIGH = 0, 1, 2
A, B = 0, 1

# Each stem has a tone of its own in each band, far from the equaliser's crossovers at 300 Hz and 4 kHz.
TONES = np.array(
    [
        [[40 + 10 * (4 * t + s), 1000 + 20 * (4 * t + s), 10000 + 20 * (4 * t + s)] for s in range(4)]
        for t in range(2)
    ]
)
LEVEL = 0.02

Levels = Callable[[float], NDArray[np.float64]]
Play = Callable[..., Levels]


@pytest.fixture(scope="module")
def mixer() -> djgraph.Mixer:
    return djgraph.compile(djgraph.load("dj_mixer", sample_rate=RATE, n_fft=1024, hop_length=256))


@pytest.fixture(scope="module")
def play(mixer: djgraph.Mixer) -> Play:
    """``play(recipe, **arguments)``: a function of time (s) → gain of each tone, ``[track, stem, band]``."""
    t = np.arange(round(SECONDS * RATE)) / RATE
    tones = LEVEL * np.sin(2 * math.pi * TONES[..., None] * t)
    sound = torch.from_numpy(tones.sum(2)).float()[:, :, None, None]  # [track, stem, batch, channel, samples]
    inputs = {
        track: {stem: sound[i, j].expand(1, 2, -1) for j, stem in enumerate(STEMS)}
        for i, track in enumerate(TRACKS)
    }

    def run(name: str, tempo: float | None = None, **arguments: Any) -> Levels:
        params = load(name, **arguments).render(mixer.layout, 601, SECONDS, tempo=tempo)
        with torch.inference_mode():
            mix = mixer(inputs, params)[0, 0].double().numpy()

        def levels(at: float, width: float = 0.5) -> NDArray[np.float64]:
            first = round((at - width / 2) * RATE)
            part = slice(max(first, 0), first + round(width * RATE))
            window = np.hanning(len(mix[part]))
            waves = np.exp(-2j * math.pi * TONES[..., None] * t[part])
            return 2 * np.abs((waves * window * mix[part]).sum(-1)) / window.sum() / LEVEL

        levels.mix = mix  # type: ignore[attr-defined]
        return levels

    return run


def near(got: NDArray[np.float64], wanted: float, within: float = 0.03) -> None:
    np.testing.assert_allclose(got, wanted, atol=within)


def alone(levels: NDArray[np.float64], track: int) -> None:
    """One track in full, the other silent."""
    near(levels[track], 1)
    near(levels[1 - track], 0, 0.005)


WARP = {0: lambda t: t, 12: lambda t: (1 - 10 ** (-0.6 * t)) / (1 - 10**-0.6)}
FADES: dict[tuple[str, float | None], Callable[[float], tuple[float, float]]] = {
    ("linear", None): lambda t: (1 - t, t),
    ("equal_power", None): lambda t: (math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)),
    ("exponential", None): lambda t: ((0.01**t - 0.01) / 0.99, (1 - 0.01**t) / 0.99),
    ("logarithmic", None): lambda t: ((1 - 0.01 ** (1 - t)) / 0.99, (0.01 ** (1 - t) - 0.01) / 0.99),
    ("additive", 0): lambda t: (1 - t, t),
    ("additive", 12): lambda t: (1 - WARP[12](t), WARP[12](t)),
    ("constant_power", 0): lambda t: (math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)),
    ("constant_power", 12): lambda t: (
        math.cos(math.pi / 2 * WARP[12](t)),
        math.sin(math.pi / 2 * WARP[12](t)),
    ),
}


@pytest.mark.parametrize(("name", "curve"), FADES)
def test_fades(play: Play, name: str, curve: float | None) -> None:
    arguments = {} if curve is None else {"curve": curve}
    levels = play(name, start="1s", length="4s", **arguments)
    alone(levels(0.5), A)
    alone(levels(5.5), B)
    for share in (0.25, 0.5, 0.75):
        a, b = FADES[name, curve](share)
        got = levels(1 + 4 * share, 0.5)
        # A window sees a stretch of the fade; its bend within half a second is small but not nothing.
        near(got[A], a, 0.04)
        near(got[B], b, 0.04)


@pytest.mark.parametrize("curve", [-30.0, 0.0, 12.0, 30.0])
def test_what_the_adjustable_fades_keep(mixer_layout: ParameterLayout, curve: float) -> None:
    def gains(name: str) -> NDArray[np.float64]:
        params = load(name, curve=curve).render(mixer_layout, 101, dtype=torch.float64)
        return params[:, [mixer_layout.index(f"{track}.bass.gain") for track in TRACKS]].numpy()

    np.testing.assert_allclose(gains("additive").sum(1), 1, atol=1e-12)
    np.testing.assert_allclose((gains("constant_power") ** 2).sum(1), 1, atol=1e-12)
    for name in ("additive", "constant_power"):
        a, b = gains(name)[50]
        assert np.sign(round(b - a, 6)) == np.sign(curve)


def test_cut(play: Play) -> None:
    levels = play("cut")
    alone(levels(2.7), A)
    alone(levels(3.3), B)


def test_bass_swap(play: Play) -> None:
    levels = play("bass_swap")  # from 1.5 s to 4.5 s, the swap at 3 s
    alone(levels(0.75), A)
    alone(levels(5.25), B)
    before, after = levels(2.7), levels(3.3)
    near(before[A], 1)
    near(before[B, :, LOW], 0, 0.02)
    assert (before[B, :, MID:] > 0.8).all()
    near(after[A, :, LOW], 0, 0.02)
    near(after[B], 1)
    assert (after[A, :, MID:] > 0.8).all()
    kept = play("bass_swap", bass=0.25, swap="25%")
    near(kept(1.95)[B, :, LOW] / kept(1.95)[B, :, MID], 0.25, 0.03)
    near(kept(2.6)[A, :, LOW] / kept(2.6)[A, :, MID], 0.25, 0.03)


def test_eq_blend(play: Play) -> None:
    levels = play("eq_blend", length="3bars", tempo=120)  # the whole 6 s
    for at in (1.0, 1.5, 3.0, 4.5, 5.4):
        near(levels(at)[A] + levels(at)[B], 1, 0.05)
    quarter, half, late = levels(1.5), levels(3.0), levels(4.5)
    near(quarter[A, :, HIGH], 0.5, 0.05)
    near(quarter[A, :, :HIGH], 1, 0.05)
    near(half[B, :, HIGH], 1, 0.05)
    near(half[B, :, MID], 0.5, 0.05)
    near(half[B, :, LOW], 0, 0.05)
    near(late[B, :, MID:], 1, 0.05)
    u = 0.25 / 0.45
    near(late[B, :, LOW], 3 * u**2 - 2 * u**3, 0.05)


def test_filter_fade(play: Play) -> None:
    levels = play("filter_fade")  # from 1.5 s to 4.5 s
    alone(levels(0.75), A)
    alone(levels(5.25), B)
    # Half way the cutoff is 20 Hz · 1000^0.425 = 377 Hz, and both faders are nearly up.
    half = levels(3.0, 0.4)
    for band in (LOW, MID, HIGH):
        cutoff = 20 * 1000 ** (0.85 / 2)
        wanted = 1 / (1 + (cutoff / TONES[A, :, band]) ** 4)
        np.testing.assert_allclose(half[A, :, band], wanted, atol=0.03)
    assert (half[B] > 0.9).all()
    late = levels(4.0, 0.4)
    assert (late[A, :, LOW] < 0.01).all()
    assert (late[A, :, MID] < 0.1 * late[A, :, HIGH]).all()


def test_echo_out(play: Play) -> None:
    levels = play("echo_out")  # builds up from 1.5 s to 3 s, then the cut
    near(levels(0.75)[A], 1)
    near(levels(0.75)[B], 0, 0.005)
    near(levels(3.5)[B], 1)
    # The echo repeats every 375 ms at 0.7 · 0.8 of its level; nothing else of A is left.
    echoes = np.stack([levels(3.0 + 0.375 * (k + 0.5), 0.3)[A] for k in range(6)])
    assert (echoes[0].max(-1) > 0.1).all()
    loud = echoes[0] > 0.1
    for earlier, later in itertools.pairwise(echoes):
        np.testing.assert_allclose((later / earlier)[loud], 0.56, atol=0.06)
    near(levels(5.6)[A], 0, 0.1)


def test_less_feedback_dies_sooner(play: Play) -> None:
    short, long = (play("echo_out", feedback=feedback)(4.5)[A].max() for feedback in (0.2, 1.0))
    assert short < 0.05 * long


def test_eq_kill(play: Play) -> None:
    levels = play("eq_kill")  # switches at 1.5 s, 3 s and 4.5 s
    alone(levels(0.9), A)
    for at, gone in ((2.2, 1), (3.7, 2)):
        got = levels(at)
        near(got[A, :, :gone], 0, 0.03)
        near(got[A, :, gone:], 1)
        near(got[B, :, :gone], 1)
        near(got[B, :, gone:], 0, 0.03)
    alone(levels(5.2), B)


def test_vocals_over(play: Play) -> None:
    levels = play(
        "vocals_over"
    )  # from 1.5 s; the instruments are exchanged by 3 s, the vocals from 3.75 to 4.5 s
    alone(levels(0.9), A)
    over = levels(3.4, 0.4)
    vocals = STEMS.index("vocals")
    rest = [i for i in range(4) if i != vocals]
    near(over[A, vocals], 1)
    near(over[B, vocals], 0, 0.005)
    near(over[A, rest], 0, 0.005)
    near(over[B, rest], 1)
    alone(levels(5.2), B)


def test_drum_swap(play: Play) -> None:
    levels = play("drum_swap")  # drums at 1.5 s, the rest from 3 s to 4.5 s
    alone(levels(0.9), A)
    got = levels(2.2)
    near(got[A, 0], 0, 0.005)
    near(got[B, 0], 1)
    near(got[A, 1:], 1)
    near(got[B, 1:], 0, 0.005)
    near(levels(3.75)[:, 1:], math.sqrt(0.5), 0.05)
    alone(levels(5.2), B)


def test_drop_swap(play: Play) -> None:
    levels = play("drop_swap", reverb=0, gap="0.6s")  # builds up from 1.5 s, cut at 3.9 s, drop at 4.5 s
    alone(levels(0.9), A)
    built = levels(3.6, 0.4)
    near(built[B], 0, 0.005)
    assert (built[A, :, LOW] < 0.02).all()
    near(built[A, :, HIGH], 1)
    gap = levels.mix[round(4.0 * RATE) : round(4.4 * RATE)]  # type: ignore[attr-defined]
    assert np.abs(gap).max() < 1e-3
    alone(levels(5.0), B)
    wet = play("drop_swap", gap="0.6s").mix[round(4.0 * RATE) : round(4.4 * RATE)]  # type: ignore[attr-defined]
    assert np.abs(wet).max() > 1e-2  # the reverb of the build-up rings on


WORKS_ON = {
    "dj_mixer": set(recipes()),
    "djtransgan": {
        "linear", "equal_power", "exponential", "logarithmic", "additive", "constant_power", "cut",
        "bass_swap", "eq_blend", "eq_kill",
    },
    "club_console": set(recipes()) - {"vocals_over", "drum_swap"},
    "filter_knob": {
        "linear", "equal_power", "exponential", "logarithmic", "additive", "constant_power", "cut",
        "filter_fade", "drop_swap",
    },
}  # fmt: skip


def test_the_recipes_of_the_project_are_there() -> None:
    assert set(recipes()) >= {
        *("linear", "equal_power", "exponential", "logarithmic", "additive", "constant_power", "cut"),
        *(
            "bass_swap",
            "eq_blend",
            "filter_fade",
            "echo_out",
            "eq_kill",
            "vocals_over",
            "drum_swap",
            "drop_swap",
        ),
    }


@pytest.mark.parametrize("graph", few(WORKS_ON, 2))
@pytest.mark.parametrize("name", recipes())
def test_on_every_graph_that_has_the_controls(
    layouts: dict[str, ParameterLayout], name: str, graph: str
) -> None:
    layout = layouts[graph]
    auto = load(name, start="8s", length="16beats")
    if name not in WORKS_ON[graph]:
        with pytest.raises(
            AutomationError, match=r"no control|no stem with a fader|none of the 2 alternatives"
        ):
            auto.render(layout, 100, 40.0, tempo=120)
        return
    params = auto.render(layout, 1001, 40.0, tempo=120, dtype=torch.float64)
    layout.check(params, out_of_range=True)
    first, second = (
        djgraph.seed.crossfade.find_faders(layout)[track].columns for track in list_tracks(layout)
    )
    assert (params[0, first] == 1).all()
    assert (params[0, second] == 0).all()
    assert (params[-1, first] == 0).all()
    assert (params[-1, second] == 1).all()
    # The last frame leaves the incoming track as it rests: nothing of the transition stays on it.
    track = list_tracks(layout)[1]
    own = [i for i, column in enumerate(layout.names) if column.startswith(f"{track}.")]
    np.testing.assert_allclose(params[-1, own], layout.neutral.double()[own], atol=1e-6)


def list_tracks(layout: ParameterLayout) -> list[str]:
    return list(djgraph.seed.crossfade.find_faders(layout))[:2]


@pytest.mark.parametrize("name", recipes())
def test_the_other_way_round(mixer_layout: ParameterLayout, name: str) -> None:
    """Arguments a and b exchange the tracks, and nothing else."""
    forth = load(name, start="2s", length="20s").render(mixer_layout, 400, 40.0)
    back = load(name, a="track_b", b="track_a", start="2s", length="20s").render(mixer_layout, 400, 40.0)
    half = len(mixer_layout) // 2
    assert torch.equal(forth, torch.cat([back[:, half:], back[:, :half]], 1))


@pytest.mark.parametrize("name", recipes())
def test_recipes_describe_themselves(name: str) -> None:
    found = recipe(name)
    assert found.name == name
    assert found.path.stem == name
    assert found.title
    assert len(found.description) > 60
    assert [a.name for a in found.arguments[:4]] == ["a", "b", "start", "length"]
    for argument in found.arguments:
        assert argument.default is not None
        assert argument.description
    assert len(found.controls) >= 2


def test_a_recipe_file_of_ones_own(tmp_path: Path, mixer_layout: ParameterLayout) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "automation: 1\nargs: {down: {default: null, description: How far}}\n"
        "curves: [{fader: 1st, points: [[0%, 1], [100%, $down]]}]\n"
    )
    params = load(path, down=0.5).render(mixer_layout, 2)
    assert params[:, 0].tolist() == [1, 0.5]
    with pytest.raises(AutomationError, match="argument 'down' needs a value"):
        load(path)
