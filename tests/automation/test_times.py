"""Times as they are written, tempo maps, and which second a moment is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph.automation import Moment, Span, TempoMap, Term
from djgraph.automation.tempo import RAMPS
from djgraph.automation.times import NoTempo, Ruler, UnknownUnit
from djgraph.errors import InputError


@pytest.mark.parametrize(
    ("written", "terms"),
    [
        (4, [(4, "s")]),
        (0.5, [(0.5, "s")]),
        (-1.5, [(-1.5, "s")]),
        ("4s", [(4, "s")]),
        ("4", [(4, "s")]),
        (".5 s", [(0.5, "s")]),
        ("1e-3s", [(0.001, "s")]),
        ("16beats", [(16, "beats")]),
        ("1 beat", [(1, "beats")]),
        ("4 bars", [(4, "bars")]),
        ("33.3%", [(33.3, "%")]),
        ("50% - 8beats + 0.25s", [(50, "%"), (-8, "beats"), (0.25, "s")]),
        ("-2s", [(-2, "s")]),
        ("100%-1bar", [(100, "%"), (-1, "bars")]),
    ],
)
def test_what_may_be_written(written: float | str, terms: list[tuple[float, str]]) -> None:
    assert Moment.parse(written).terms == tuple(Term(float(amount), unit) for amount, unit in terms)


@pytest.mark.parametrize(
    "written",
    ["", "s", "four seconds", "4s 3", "4s +", "1:30", "+-4s", "5%%", "nan", float("nan"), True, None],
)
def test_what_says_no_time(written: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are tested where a document is loaded
        Moment.parse(written)  # type: ignore[arg-type]


def test_an_unknown_unit_is_named() -> None:
    with pytest.raises(UnknownUnit) as caught:
        Moment.parse("8 baers")
    assert (caught.value.unit, caught.value.guess) == ("baers", "bars")


amounts = st.floats(-1e6, 1e6).map(lambda x: round(x, 6))


@given(
    st.lists(st.builds(Term, amounts, st.sampled_from(["s", "beats", "bars", "%"])), min_size=1, max_size=4)
)
def test_text_and_back(terms: list[Term]) -> None:
    moment = Moment(tuple(terms))
    again = Moment.parse(moment.plain())
    assert [(t.amount, t.unit) for t in again.terms] == [(t.amount + 0.0, t.unit) for t in terms]


def test_tempo_map_by_hand() -> None:
    # 4 beats at 120 BPM are 2 s, then 6 beats at 60 BPM are 6 s, then 240 BPM: 4 beats a second.
    tempo = TempoMap([(0, 120), (4, 60), (10, 240)])
    for beat, second in [(-2, -1), (0, 0), (2, 1), (4, 2), (7, 5), (10, 8), (18, 10)]:
        assert tempo.seconds(beat) == pytest.approx(second)
        assert tempo.beat(second) == pytest.approx(beat)
    assert [tempo.bpm(second) for second in (-1, 0, 1.9, 2, 7.9, 8, 99)] == [120, 120, 120, 60, 60, 240, 240]


def test_a_map_that_begins_later_still_counts_from_the_start_of_the_clip() -> None:
    tempo = TempoMap([(8, 120), (16, 60)])
    assert tempo.seconds(0) == 0
    assert tempo.seconds(8) == 4
    assert tempo.seconds(17) == 9
    assert TempoMap([(-4, 60), (2, 120)]).seconds(4) == pytest.approx(3)


maps = st.dictionaries(st.integers(-20, 200), st.floats(20, 300), min_size=1, max_size=5).map(
    lambda points: TempoMap(sorted(points.items()))
)


ramped = st.dictionaries(
    st.integers(-20, 200), st.tuples(st.floats(20, 300), st.sampled_from(RAMPS)), min_size=1, max_size=6
).map(lambda points: TempoMap([(beat, bpm, ramp) for beat, (bpm, ramp) in sorted(points.items())]))


@settings(deadline=None)
@given(ramped, st.integers(0, 40))
def test_a_ramp_lasts_as_long_as_its_beats_do(tempo: TempoMap, beat: int) -> None:
    """Against the integral of 60/BPM over many small steps, with the tempo as it is declared at each of them."""
    steps = 4000
    seconds = 0.0
    for i in range(steps):
        place = beat * (i + 0.5) / steps
        before = [n for n, (at, _) in enumerate(tempo.points) if at <= place]
        n = before[-1] if before else 0
        (here, bpm), ramp = tempo.points[n], tempo.ramps[n] if before else "hold"
        if ramp != "hold":
            there, following = tempo.points[n + 1]
            share = (place - here) / (there - here)
            if ramp == "per_second":  # BPM squared is linear in beats
                bpm = math.sqrt(bpm**2 + share * (following**2 - bpm**2))
            else:
                bpm += share * (following - bpm)
        seconds += beat / steps * 60 / bpm
    assert tempo.seconds(beat) == pytest.approx(seconds, rel=2e-3, abs=1e-9)
    assert tempo.beat(tempo.seconds(beat)) == pytest.approx(beat, abs=1e-6)


def test_ramps_by_hand() -> None:
    # From 60 to 120 BPM in 90 beats: a mean of 90 BPM where it is linear in time, so 60 s.
    tempo = TempoMap([(0, 60, "per_second"), (90, 120)])
    assert tempo.seconds(90) == pytest.approx(60)
    assert [tempo.bpm(second) for second in (-1, 0, 30, 59.999999, 60, 99)] == pytest.approx(
        [60, 60, 90, 120, 120, 120]
    )
    assert tempo.beat(30) == pytest.approx(37.5)
    # Linear in beats: after 45 of 90 beats the tempo is 90 BPM, which is the case after 60·ln(1.5)·1.5 seconds.
    tempo = TempoMap([(0, 60, "per_beat"), (90, 120)])
    assert tempo.seconds(45) == pytest.approx(90 * math.log(1.5))
    assert tempo.bpm(tempo.seconds(45)) == pytest.approx(90)
    assert tempo.plain() == [[0, 60, "per_beat"], [90, 120]]
    assert tempo != TempoMap([(0, 60), (90, 120)])
    assert TempoMap(tempo) == tempo
    assert hash(TempoMap(tempo)) == hash(tempo)


def test_ramps_that_there_are_not() -> None:
    with pytest.raises(InputError, match="no ramp 'linear'; expected one of hold, per_beat, per_second"):
        TempoMap([(0, 60, "linear"), (9, 120)])


@given(maps | ramped, st.floats(-100, 1000))
def test_beat_and_second_are_inverse(tempo: TempoMap, second: float) -> None:
    assert tempo.seconds(tempo.beat(second)) == pytest.approx(second, abs=1e-6)


@pytest.mark.parametrize(
    ("tempo", "message"),
    [
        (0, "0.1 to 100,000"),
        (float("inf"), "0.1 to 100,000"),
        ([], "at least one"),
        ([(0, 120), (0, 130)], "ascend"),
        ([(4, 120), (0, 130)], "ascend"),
        ([1, 2], "pairs"),
        ("fast", "pairs"),
    ],
)
def test_impossible_tempos(tempo: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TempoMap(tempo)  # type: ignore[arg-type]


def second(text: str | float, span: tuple[str, str] | None = None, **kwargs: object) -> float:
    whole = None if span is None else Span(Moment.parse(span[0]), Moment.parse(span[1]))
    ruler = Ruler(duration=40.0, tempo=TempoMap(120), span=whole, **kwargs)  # type: ignore[arg-type]
    return ruler.second(Moment.parse(text))


def test_seconds_of_moments() -> None:
    assert second(3) == 3
    assert second("50%") == 20
    assert second("16beats") == 8
    assert second("4bars") == 8
    assert second("4bars", beats_per_bar=3) == 6
    assert second("50% - 8beats + 1s") == 17


def test_a_span_is_a_clip_within_the_clip() -> None:
    span = ("10s", "16beats")  # from 10 s to 18 s
    assert second("0%", span) == 10
    assert second("25%", span) == 12
    assert second("100% + 2beats", span) == 19
    assert second("1s", span) == 11
    assert second("50%", ("25%", "50%")) == 20


def test_a_share_of_beats_is_beats() -> None:
    """Half of 8 beats is 4 beats, however long those last."""
    ruler = Ruler(60.0, TempoMap([(0, 120), (4, 60)]), span=Span(Moment.parse(0), Moment.parse("8beats")))
    assert ruler.second(Moment.parse("50%")) == pytest.approx(2)
    assert ruler.end == pytest.approx(6)


def test_beats_need_a_tempo() -> None:
    with pytest.raises(NoTempo):
        Ruler(10.0).second(Moment.parse("4beats"))
