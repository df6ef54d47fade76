"""SimpleCrossfader: curves, cue points, exact ends, other layouts, errors."""

from __future__ import annotations

import math

import pytest
import torch
from fake_layouts import column, seed_layout
from hypothesis import given
from hypothesis import strategies as st

from djgraph.errors import InputError, LayoutError
from djgraph.layout import ParameterLayout
from djgraph.seed.crossfade import FADES, SimpleCrossfader

LAYOUT = seed_layout()


def gains(params: torch.Tensor) -> tuple[list[float], list[float]]:
    """The two tracks' gains over time, after a look that all stems of a track agree."""
    found = []
    for track in ("track_a", "track_b"):
        columns = params[0][:, LAYOUT.select(f"{track}.*.gain")]
        assert (columns == columns[:, :1]).all()
        found.append(columns[:, 0].tolist())
    return found[0], found[1]


def expected(fade: str, t: float) -> tuple[float, float]:
    """Gains at a share t of the fade, in scalar Python from what the docstring promises."""
    if fade == "linear":
        return 1 - t, t
    if fade == "equal_power":
        return math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)
    if fade == "exponential":  # 40 dB of decay over the fade, scaled to run from 1 to 0
        left = (10 ** (-2 * t) - 0.01) / 0.99
        return left, 1 - left
    rest = (10 ** (-2 * (1 - t)) - 0.01) / 0.99
    return 1 - rest, rest


@pytest.mark.parametrize("fade", FADES)
@pytest.mark.parametrize(("cue_in", "cue_out"), [(0.0, 1.0), (0.25, 0.75), (0.0, 0.3), (0.9, 1.0)])
def test_curves(fade: str, cue_in: float, cue_out: float) -> None:
    frames = 41
    params = SimpleCrossfader(fade, LAYOUT)(frames, cue_in=cue_in, cue_out=cue_out, dtype=torch.float64)
    a, b = gains(params)
    for i in range(frames):
        x = i / (frames - 1)
        t = min(max((x - cue_in) / (cue_out - cue_in), 0), 1)
        left, right = expected(fade, t)
        assert a[i] == pytest.approx(left, abs=1e-12)
        assert b[i] == pytest.approx(right, abs=1e-12)


@given(
    st.sampled_from(list(FADES)),
    st.integers(1, 300),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_exact_at_both_ends_and_monotone(
    fade: str, frames: int, cue_in: float, cue_out: float, dtype: torch.dtype
) -> None:
    if cue_in >= cue_out:
        return
    a, b = gains(SimpleCrossfader(fade, LAYOUT)(frames, 1, cue_in, cue_out, dtype=dtype))
    for i in range(frames):
        place = i / max(frames - 1, 1)
        if place <= cue_in:
            assert (a[i], b[i]) == (1, 0)
        if place >= cue_out:
            assert (a[i], b[i]) == (0, 1)
        assert 0 <= a[i] <= 1
        assert 0 <= b[i] <= 1
    assert a == sorted(a, reverse=True)
    assert b == sorted(b)


def test_the_characters_of_the_fades() -> None:
    def start(fade: str) -> float:
        """How much of the first track has gone after a tenth of the fade."""
        return 1 - gains(SimpleCrossfader(fade, LAYOUT)(11))[0][1]

    def power(fade: str) -> list[float]:
        return [x * x + y * y for x, y in zip(*gains(SimpleCrossfader(fade, LAYOUT)(11)))]

    assert start("logarithmic") < 0.01 < start("linear") < 0.2 < start("exponential")
    assert power("equal_power") == pytest.approx([1.0] * 11)
    assert min(power("linear")) == pytest.approx(0.5)
    forth, back = (gains(SimpleCrossfader(fade, LAYOUT)(11)) for fade in ("exponential", "logarithmic"))
    assert forth[0] == pytest.approx(back[1][::-1])


@pytest.mark.parametrize("fade", FADES)
def test_one_frame_stands_at_the_start(fade: str) -> None:
    params = SimpleCrossfader(fade, LAYOUT)(n_frames=1, batch_size=1)
    assert params.shape == (1, 1, 54)
    assert gains(params) == ([1.0], [0.0])


def test_everything_else_keeps_its_default() -> None:
    params = SimpleCrossfader(layout=LAYOUT)(n_frames=64, batch_size=3)
    assert params.shape == (3, 64, 54)
    assert params.dtype == torch.float32
    assert params.is_contiguous()
    rest = sorted(set(range(54)) - set(LAYOUT.select("*.*.gain")))
    assert torch.equal(params[..., rest], LAYOUT.default[rest].expand(3, 64, -1))
    assert torch.equal(params[0], params[2])
    LAYOUT.check(params, out_of_range=True)
    params[0] = 7  # batch items have memory of their own
    assert params[1].max() <= 2


def test_another_layout() -> None:
    layout = ParameterLayout(
        [
            column("left.gain", default=0.5),
            column("left.drums.gain", default=0.25),
            column("mid.tone"),
            column("right.kick.gain"),
            column("right.rest.gain"),
            column("right.a.b.gain"),
            column("crossfader"),
        ]
    )
    params = SimpleCrossfader("linear", layout)(3)
    assert params[0].tolist() == [
        [1.0, 0.25, 0.5, 0.0, 0.0, 0.5, 0.5],
        [0.5, 0.25, 0.5, 0.5, 0.5, 0.5, 0.5],
        [0.0, 0.25, 0.5, 1.0, 1.0, 0.5, 0.5],
    ]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ([column("a.gain")], "tracks with faders here: a "),
        ([column("a.low"), column("b.low")], r"tracks with faders here: none \(of a, b\)"),
        ([], "of no controls"),
        ([column("a.gain"), column("b.gain", -40, 6, unit="dB")], r"'b.gain' \(-40 … 6 dB\) cannot be faded"),
        ([column("a.gain", 0.1, 1), column("b.gain")], r"'a.gain' \(0.1 … 1 ratio\) cannot be faded"),
        ([column("a.gain", 0, 0.9), column("b.gain")], "hold the ratios 0 to 1"),
    ],
)
def test_layouts_that_cannot_be_faded(columns: list, message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        SimpleCrossfader(layout=ParameterLayout(columns))


def test_wrong_arguments() -> None:
    with pytest.raises(
        InputError, match="allowed: linear, equal_power, exponential, logarithmic; did you mean 'equal_power'"
    ):
        SimpleCrossfader("equalpower", LAYOUT)
    with pytest.raises(InputError, match="fade_type is None"):
        SimpleCrossfader(None, LAYOUT)  # type: ignore[arg-type]
    fade = SimpleCrossfader(layout=LAYOUT)
    for cues in ((0.5, 0.5), (0.7, 0.2), (-0.1, 1.0), (0.0, 1.5), (math.nan, 1.0), (0.0, math.nan)):
        with pytest.raises(InputError, match=r"expected shares of the clip, 0 <= cue_in < cue_out <= 1"):
            fade(8, 1, *cues)
    for frames in (0, -3, 2.5, "8"):
        with pytest.raises(InputError, match="n_frames is"):
            fade(frames)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="batch_size is 0"):
        fade(8, 0)


def test_a_fader_counts_before_a_gain_and_tracks_can_be_chosen() -> None:
    names = ["a.gain", "a.fader", "b.gain", "b.fader", "c.x.gain", "c.y.fader"]
    layout = ParameterLayout([column(name) for name in names])
    assert SimpleCrossfader(layout=layout).tracks == ([1], [3])
    assert SimpleCrossfader(layout=layout, tracks=("c", "a")).tracks == ([4, 5], [1])
    with pytest.raises(LayoutError, match="no track 'd' with a fader"):
        SimpleCrossfader(layout=layout, tracks=("a", "d"))
    with pytest.raises(LayoutError, match="needs two tracks"):
        SimpleCrossfader(layout=layout, tracks=("a", "a"))
