"""Settings and controls that contradict one another, or do nothing because of another one, are errors with a place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from djgraph.effects import Conflict, TimeEffect
from djgraph.errors import EffectError, GraphError
from djgraph.graph import load
from djgraph.plugins import Registry, hookimpl

Marked = Callable[[str], tuple[str, int, int]]


def doc(node: str, input: str = "track", rate: int = 44100, more: str = "") -> str:
    """A graph with one strip of one effect; the input ``track`` is stereo, ``mic`` mono."""
    return (
        f"djgraph: 1\nname: odd\nsample_rate: {rate}\n"
        "inputs: [{name: track}, {name: mic, channels: mono}]\nmixer:\n"
        f"  - {{strip: s, input: {input}, to: master, chain: [{node}]}}\n"
        f"  - {{strip: other, input: {'mic' if input == 'track' else 'track'}, to: booth}}\n"
        f"{more}  - bus: master\n  - bus: booth\noutputs: [master, booth]\n"
    )


MOST = "{effect: multitap, settings: {sync: beats, times: [1, ▸40], levels: [1, 1]}}"
CASES: dict[str, tuple[str, str, str]] = {
    "profile and crossover": (
        doc("{effect: isolator, settings: {profile: mixxx, low: ▸200}}"),
        "isolator: low does nothing: the profile mixxx has its own crossovers, 246 Hz and 2500 Hz",
        "hint: leave it out",
    ),
    "crossovers fixed out of order": (
        doc("{effect: crossover3, controls: {low: 5000, high: ▸300}}"),
        "crossover3: high is at 300 Hz, which is not above low at 5000 Hz",
        "allowed: above 5000 Hz",
    ),
    "crossovers at one frequency": (
        doc("{effect: crossover3, controls: {low: 1000, high: ▸1000}}"),
        "crossover3: high is at 1000 Hz, which is not above low at 1000 Hz",
        "allowed: above 1000 Hz",
    ),
    "crossover above what the other rests at": (
        doc("{effect: crossover3, controls: {low: ▸5000}}"),
        "crossover3: low rests at 5000 Hz, which is not below high at 4000 Hz",
        "allowed: below 4000 Hz",
    ),
    "four crossovers out of order": (
        doc("{effect: crossover4, controls: {mid: 1000, high: ▸{max: 900, default: 500}}}"),
        "crossover4: high is at 900 Hz, which is not above mid at 1000 Hz",
        "allowed: above 1000 Hz",
    ),
    "a spiral's other time": (
        doc("{effect: spiral, controls: {beats: ▸0.5}}"),
        "spiral: beats does nothing: with sync: ms the delay is the other control's",
        "hint: leave it out, or fix it at its default, 0.75, so that it has no column",
    ),
    "a dub echo's other time": (
        doc("{effect: dub_echo, settings: {sync: beats}, controls: {time: ▸{as: t}}}"),
        "dub_echo: time does nothing: with sync: beats the delay is the other control's",
        "hint: leave it out, or fix it at its default, 375, so that it has no column",
    ),
    "a room's cuts out of order": (
        doc("{effect: fdn, controls: {low_cut: 1000, high_cut: ▸800}}"),
        "fdn: high_cut is at 800 Hz, which is not above low_cut at 1000 Hz",
        "allowed: above 1000 Hz",
    ),
    "a tone above half the rate": (
        doc("{effect: shimmer, controls: {tone: ▸9000}}", rate=16000),
        "shimmer: tone is 9000 Hz or above, more than a sample rate of 16000 Hz holds",
        "allowed: below 8000 Hz",
    ),
    "a level of no response": (
        doc("{effect: convolve, settings: {level: ▸file}}"),
        "convolve: level does nothing: without a file there is no response",
        "hint: leave it out",
    ),
    "a tap beyond the line": (
        doc(MOST),
        "multitap: a tap of 40 beats is beyond longest, 4 s, at any tempo up to 300 BPM",
        "allowed: up to 20 beats",
    ),
    "a fade that never comes": (
        doc("{effect: multitap, settings: {fade: ▸100}}"),
        "multitap: fade does nothing: with sync: ms no tap ever moves",
        "hint: leave it out",
    ),
    "a line that ms do not fill": (
        doc("{effect: echo, settings: {longest: ▸8}}"),
        "echo: longest does nothing",
        "hint: leave it out",
    ),
    "beats without a clock": (
        doc("{effect: echo, controls: {beats: ▸0.5}}"),
        "echo: beats does nothing: with sync: ms",
        "hint: leave it out, or fix it at its default, 0.75",
    ),
    "a time beside the clock": (
        doc("{effect: echo, settings: {sync: beats}, controls: {time: ▸{as: time}}}"),
        "echo: time does nothing: with sync: beats",
        "375",
    ),
    "ping-pong of a mono signal": (
        doc("{effect: echo, settings: {mode: ▸ping_pong}}", "mic"),
        "echo: mode ping_pong does nothing: a mono signal has no sides",
        "allowed: stereo",
    ),
    "a rate beside the clock": (
        doc("{effect: tremolo, settings: {sync: beats}, controls: {rate: ▸6}}"),
        "tremolo: rate does nothing: with sync: beats",
        "fix it at its default, 4,",
    ),
    "beats beside a rate": (
        doc("{effect: phaser, controls: {beats: ▸{default: 2}}}"),
        "phaser: beats does nothing: with sync: hz",
        "default, 1,",
    ),
    "spread of one channel": (
        doc("{effect: flanger, settings: {spread: ▸0.5}}", "mic"),
        "flanger: spread does nothing: a mono signal has one channel",
        "allowed: 0",
    ),
    "a window of peaks": (
        doc("{effect: compressor, settings: {window: ▸30}}"),
        "compressor: window does nothing: it is of detector: rms",
        "hint: leave it out",
    ),
    "feedback without any": (
        doc("{effect: delay, settings: {max_feedback: 0}, controls: {feedback: ▸0.5}}"),
        "delay: feedback does nothing: max_feedback is 0",
        "default, 0,",
    ),
    "a filter of white noise": (
        doc("{effect: noise, settings: {kind: white}, controls: {cutoff: ▸{max: 5000}}}"),
        "noise: cutoff does nothing: kind: white has no filter",
        "default, 1000,",
    ),
    "q of first order": (
        doc("{effect: allpass, settings: {order: 1}, controls: {q: ▸4}}"),
        "allpass: q does nothing: an all-pass of order 1 has none",
        "default, 0.707107,",
    ),
    "level without resonance": (
        doc("{effect: ladder, settings: {level: ▸true}, controls: {resonance: 0}}"),
        "ladder: level does nothing: resonance is fixed at 0",
        "hint: leave it out",
    ),
    "a cutoff beyond half the rate": (
        doc("{effect: filter, controls: {cutoff: ▸15000}}", rate=22050),
        "filter: cutoff is 15000 Hz or above, more than a sample rate of 22050 Hz holds",
        "allowed: below 11025 Hz",
    ),
    "a carrier beyond half the rate": (
        doc("{effect: ringmod, controls: {frequency: ▸5000}}", rate=8000),
        "ringmod: frequency is 5000 Hz or above",
        "allowed: below 4000 Hz",
    ),
    "cuts that leave nothing": (
        doc("{effect: peq, controls: {low_cut: 2000, high_cut: ▸1000}}"),
        "peq: high_cut is at 1000 Hz, which is not above low_cut at 2000 Hz",
        "allowed: above 2000 Hz",
    ),
    "a slope of no cut": (
        doc("{effect: peq, settings: {slope: ▸24}, controls: {low_cut: 10, high_cut: 20000}}"),
        "peq: slope does nothing: both cuts are fixed where they are off",
        "hint: leave it out",
    ),
    "a mask beyond half the rate": (
        doc("{effect: lowpass, settings: {lowest: ▸5000}}", rate=8000),
        "lowpass: lowest is 5000 Hz, more than a sample rate of 8000 Hz holds",
        "allowed: below 4000 Hz",
    ),
    "a crossover beyond half the rate": (
        doc("{effect: isolator, settings: {high: ▸4000}}", rate=8000),
        "isolator: the highest crossover is at 4000 Hz, more than a sample rate of 8000 Hz holds",
        "allowed: below 4000 Hz",
    ),
    "a default crossover beyond half the rate": (
        doc("▸eq3", rate=8000),
        "eq3: the highest crossover is at 4000 Hz, more than a sample rate of 8000 Hz holds",
        "allowed: below 4000 Hz",
    ),
    "a gate above the target": (
        doc("{effect: leveler, settings: {gate: ▸-20}, controls: {target: -24}}"),
        "leveler: the gate at -20 LUFS is not below the target, at most -24 LUFS",
        "allowed: -70 … below -24 LUFS",
    ),
    "a fall quicker than its window": (
        doc("{effect: transient, settings: {fall: ▸20}}"),
        "transient: sustain does nothing: fall, 20 ms, is not above window, 30 ms",
        "allowed: a fall above window",
    ),
}

SOUND = {
    "a control that does nothing is kept out of the layout": doc(
        "{effect: tremolo, settings: {sync: beats}, controls: {rate: 4}}"
    ),
    "another profile's name is the default": doc("{effect: isolator, settings: {profile: own, low: 200}}"),
    "ranges that overlap": doc("{effect: crossover3, controls: {low: {max: 6000}, high: {min: 200}}}"),
    "taps for fast music": doc("{effect: multitap, settings: {sync: beats, times: [16], levels: [1]}}"),
    "a cut that is off, at a low rate": doc("{effect: peq, controls: {high_cut: 20000}}", rate=22050),
    "spread of two channels": doc("{effect: chorus, settings: {spread: 0.5}}"),
    "a chain that mono strips share with stereo ones": doc("pan, width", "mic"),
    "the default spread of one channel": doc("chorus", "mic"),
    "a rate above the graph's": doc("{effect: crush, controls: {rate: 47000}}"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_contradiction_tells_its_place(case: str, marked: Marked) -> None:
    text, message, more = CASES[case]
    text, line, column = marked(text)
    with pytest.raises(GraphError) as caught:
        load(text)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert more in str(problem)
    assert problem.position is not None
    assert (problem.position.line, problem.position.column) == (line, column)


@pytest.mark.parametrize("case", SOUND)
def test_what_only_looks_odd_is_allowed(case: str) -> None:
    load(SOUND[case])


def test_a_macro_is_followed_over_its_whole_curve_and_to_where_it_rests() -> None:
    macro = (
        "  - {{macro: sweep, min: 0, max: 1, default: {rest}, "
        "drives: {{s.crossover3.low: [[0, 100], [1, {top}]]}}}}\n"
    )
    node = "{effect: crossover3, controls: {high: 3000}}"
    load(doc(node, more=macro.format(rest=0, top=9000)))  # crosses while it is played, and is held there
    with pytest.raises(GraphError, match="high rests at 3000 Hz, which is not above low at 9000 Hz"):
        load(doc(node, more=macro.format(rest=1, top=9000)))


def test_every_conflict_is_told_in_file_order() -> None:
    node = "{effect: echo, settings: {longest: 8, mode: ping_pong}, controls: {beats: 1}}"
    with pytest.raises(GraphError) as caught:
        load(doc(node, "mic"))
    names = [problem.message.split()[1] for problem in caught.value.problems]
    assert names == ["longest", "mode", "beats"]


def plugin(answer: Callable[[], Any]) -> Registry:
    class Odd(TimeEffect):
        """Tells of its use whatever ``answer`` gives."""

        type = "odd"

        @classmethod
        def conflicts(cls, use: Any, environment: Any) -> Any:
            return answer()

        def process(self, audio: Any, controls: Any, state: Any, block: Any) -> Any:
            return {"out": audio["in"]}, state

    class Plugin:
        @hookimpl
        def djgraph_effects(self) -> list[type[TimeEffect]]:
            return [Odd]

    registry = Registry()
    registry.register(Plugin(), name="odd")
    return registry


def test_an_effect_that_fails_to_tell_is_named() -> None:
    def fails() -> Any:
        raise KeyError("window")

    with pytest.raises(
        EffectError, match=r"'odd' failed in conflicts\(\): KeyError: 'window', for 's.odd' at .*:6:"
    ):
        load(doc("odd"), registry=plugin(fails))
    with pytest.raises(EffectError, match="Conflict records"):
        load(doc("odd"), registry=plugin(lambda: ["no"]))


def test_an_effect_may_blame_the_node() -> None:
    with pytest.raises(GraphError, match="odd: nothing fits"):
        load(doc("odd"), registry=plugin(lambda: [Conflict("nothing fits")]))
