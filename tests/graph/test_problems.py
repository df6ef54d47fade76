"""What a wrong mixer gets: one readable message with file, line, column, path, what is allowed, nearest name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from djgraph import automation
from djgraph.errors import AutomationError, DocumentError, GraphError, LayoutError
from djgraph.graph import EffectNode, Free, load
from djgraph.layout import ParameterLayout
from djgraph.plugins import Registry

HEAD = """\
djgraph: 1
name: wrong
inputs:
  - {name: mic, channels: mono}
  - {name: track, stems: [drums, bass]}
"""
TAIL = "outputs: [master]\n"


def doc(mixer: str, more: str = "", outputs: str = TAIL) -> str:
    """A document around the items of a mixer, which are indented by two."""
    return HEAD + more + "mixer:\n" + mixer.strip("\n") + "\n  - bus: master\n" + outputs


def chain(nodes: str, more: str = "") -> str:
    """A document with one strip `s` of these nodes."""
    return doc(f"  - {{strip: s, input: track.drums, to: master, chain: [{nodes}]}}", more)


ROUND = """
  - bus: a
    chain: [gain]
    to: b
  - bus: b
    chain: [delay]
    to: {mark}a
"""

GRAPH_CASES = {
    "a setting among the controls": (
        chain("{effect: delay, controls: {▸time: 375}}"),
        "delay has no control 'time'",
        "hint: time is a setting: it stands under `settings`",
    ),
    "a control among the settings": (
        chain("{effect: delay, settings: {▸feedback: 0.5}}"),
        "delay has no setting 'feedback'",
        "hint: feedback is a control: it stands under `controls`",
    ),
    "a setting with another unit": (
        chain("{effect: delay, settings: {time: ▸375 Hz}}"),
        "375 Hz does not fit time, which is in ms",
        "settings.time",
    ),
    "an item of a list with another unit": (
        chain("{effect: multitap, settings: {times: [125 ms, ▸3 Hz], levels: [1, 1]}}"),
        "3 Hz does not fit times, which is in ms",
        "settings.times[1]",
    ),
    "an item with the unit of another setting": (
        chain("{effect: multitap, settings: {sync: beats, times: [▸125 ms], levels: [1]}}"),
        "125 ms does not fit times, which is in beats",
        "settings.times[0]",
    ),
    "the only item of a list is none": (
        chain("{effect: multitap, settings: {times: [▸soon], levels: [1]}}"),
        "expected a number, got text 'soon'",
        "settings.times[0]",
    ),
    "a setting that has no unit": (
        chain("{effect: eq3, settings: {order: ▸24 dB}}"),
        "expected a number, got text '24 dB'; numbers are written without their unit: 24",
        "settings.order",
    ),
    "a control with another unit": (
        chain("{effect: filter, controls: {cutoff: ▸-6 dB}}"),
        "-6 dB does not fit cutoff, which goes from 20 to 20000 in Hz",
        "hint: a plain number is taken as it is",
    ),
    "decibels of what is no amplitude": (
        chain("{effect: delay, controls: {mix: {default: ▸-6 dB}}}"),
        "-6 dB does not fit mix, which goes from 0 to 1 without a unit",
        "hint: it has no unit: a plain number, or %",
    ),
    "a quantity outside the range": (
        chain("{effect: filter, controls: {cutoff: ▸30 kHz}}"),
        "30000 is outside the range of cutoff, 20 … 20000 Hz",
        "controls.cutoff",
    ),
    "a macro that drives nothing": (
        doc("  - ▸{macro: m}\n  - {strip: s, input: track.drums, to: master}"),
        "macro 'm' drives nothing",
        "hint: name controls in its `drives`, or let controls `follow` it",
    ),
    "a curve that is not there": (
        doc(
            "  - {macro: m}\n"
            "  - {strip: s, input: mic, chain: [{effect: gain, controls: {gain: {follow: m, curve: ▸lefd}}}]}",
            "curves: {left: [[0, 1], [1, 0]]}\n",
        ),
        "there is no curve 'lefd'",
        "did you mean: left",
    ),
    "a macro that is not there": (
        doc(
            "  - {macro: crossfader, drives: {s.gain.gain: [[0, 0], [1, 1]]}}\n"
            "  - {strip: s, input: mic, chain: [gain, {effect: delay, controls: {mix: {follow: ▸crosfader}}}]}"
        ),
        "there is no macro 'crosfader' to follow",
        "did you mean: crossfader",
    ),
    "macros in a circle": (
        doc("  - {macro: a, follow: b}\n  - {macro: b, follow: ▸a}\n  - {strip: s, input: mic, to: master}"),
        "macros drive one another in a circle",
        "b",
    ),
    "a macro that rests where another puts it": (
        doc(
            "  - {macro: a}\n  - {macro: b, follow: a, default: ▸1, drives: {s.gain.gain: [[0, 0], [1, 1]]}}\n"
            "  - {strip: s, input: mic, chain: [gain]}"
        ),
        "'b' is driven by macro 'a'",
        "so it cannot have `default` as well",
    ),
    "a pattern that matches nothing": (
        doc(
            "  - {macro: a, drives: {▸'*.fader.gain': [[0, 0], [1, 1]]}}\n  - {strip: s, input: mic, chain: [gain]}"
        ),
        "no control matches '*.fader.gain' to drive",
        "drives",
    ),
    "a role of a control that is not there": (
        chain("eq3", "roles: {low: ▸s.eq3.lo}\n"),
        "there is no control 's.eq3.lo' to have a role",
        "did you mean: s.eq3.low",
    ),
    "a role whose pattern matches nothing": (
        chain("eq3", "roles: {low: [s.eq3.low, ▸'*.eq.low']}\n"),
        "no control with a column matches '*.eq.low'",
        "roles.low[1]",
    ),
    "a control with two roles": (
        chain("eq3", "roles: {low: s.eq3.low, bass: [▸'**.low']}\n"),
        "'s.eq3.low' has the role 'low' already",
        "hint: a control has one role",
    ),
    "two faders of one strip": (
        chain("gain, {effect: gain, id: cut}", "roles: {fader: [s.gain.gain, ▸s.cut.gain]}\n"),
        "'s' has two faders: 's.gain.gain' and 's.cut.gain'",
        "hint: a strip or bus has one fader; a macro can drive both",
    ),
    "a role of what a macro drives": (
        doc(
            "  - {macro: m, drives: {s.gain.gain: [[0, 0], [1, 1]]}}\n"
            "  - {strip: s, input: mic, chain: [gain], to: master}",
            "roles: {fader: ▸s.gain.gain}\n",
        ),
        "'s.gain.gain' is driven by macro 'm', so it has no column to have a role",
        "hint: name the macro: m",
    ),
    "a role of a macro that a macro drives": (
        doc(
            "  - {macro: m, drives: {s.gain.gain: [[0, 0], [1, 1]]}, follow: n}\n  - {macro: n}\n"
            "  - {strip: s, input: mic, chain: [gain], to: master}",
            "roles: {fader: ▸m}\n",
        ),
        "'m' is driven by macro 'n', so it has no column to have a role",
        "hint: name the macro: n",
    ),
    "a role of a tied control": (
        chain("eq3, {effect: eq3, id: b, controls: {low: {tie: eq3.low}}}", "roles: {low: ▸s.b.low}\n"),
        "'s.b.low' is tied to 'eq3.low', so it has no column to have a role",
        "hint: name what it is tied to: eq3.low",
    ),
    "a role of a constant": (
        chain("{effect: eq3, controls: {low: 1}}", "roles: {low: ▸s.eq3.low}\n"),
        "'s.eq3.low' is a constant, so it has no column to have a role",
        "roles.low",
    ),
    "a fault within a repeat of sends": (
        doc(
            "  - strip: s\n    input: mic\n    sends:\n"
            "      - for: {n: [master, mastr]}\n        do: [{to: ▸$n}]"
        ),
        "there is no bus 'mastr'",
        "here n = mastr",
    ),
    "an effect that listens to itself": (
        doc(
            "  - {strip: s, input: track.drums, to: master, chain: [{effect: compressor, inputs: {sidechain: ▸s}}]}"
        ),
        "the signal goes round in a circle: s.compressor → s.compressor",
        "hint: `s@input` is the signal before the chain",
    ),
    "unknown effect": (chain("{effect: ▸lowpas}"), "there is no effect 'lowpas'", "did you mean: lowpass"),
    "unknown effect, short": (chain("gain, ▸eq33"), "there is no effect 'eq33'", "did you mean: eq3"),
    "unknown control": (
        chain("{effect: eq3, controls: {▸lo: 1}}"),
        "eq3 has no control 'lo'",
        "allowed: low, mid, high\n  did you mean: low",
    ),
    "unknown bus": (
        doc("  - {strip: s, input: track.drums, to: ▸mastr}"),
        "there is no bus 'mastr'",
        "did you mean: master",
    ),
    "unknown bus in a list": (
        doc("  - {strip: s, input: track.drums, to: [master, ▸recrd]}\n  - bus: record"),
        "there is no bus 'recrd'",
        "did you mean: record",
    ),
    "bus named twice": (
        doc("  - {strip: s, input: track.drums, to: [master, ▸master]}"),
        "bus 'master' is named twice",
        "",
    ),
    "to a strip": (
        doc("  - {strip: s, input: track.drums}\n  - {strip: t, input: track.bass, to: ▸s}"),
        "'s' is a strip, and only a bus takes signals in",
        "allowed: master",
    ),
    "send to nowhere": (
        doc("  - {strip: s, input: track.drums, sends: [{to: ▸revreb}]}\n  - bus: reverb"),
        "there is no bus 'revreb'",
        "did you mean: reverb",
    ),
    "two sends to one bus": (
        doc("  - {strip: s, input: track.drums, sends: [{to: fx}, {to: ▸fx, level: 1}]}\n  - bus: fx"),
        "'s' has a send to 'fx' already",
        "",
    ),
    "tap at nowhere": (
        doc("  - {strip: s, input: track.drums, chain: [gain], sends: [{to: master, tap: ▸gane}]}"),
        "strip 's' has no node 'gane'",
        "allowed: post, pre, input, gain\n  did you mean: gain",
    ),
    "pre-fader without a fader": (
        doc("  - {strip: s, input: track.drums, chain: [gain], sends: [{to: master, tap: ▸pre}]}"),
        "tap `pre` means before the fader, and 's' says no node is its fader",
        "name it with `fader: <node id>`",
    ),
    "unknown fader": (
        doc("  - {strip: s, input: track.drums, chain: [gain], fader: ▸gian}"),
        "strip 's' has no node 'gian'",
        "did you mean: gain",
    ),
    "unknown input": (
        doc("  - {strip: s, input: ▸track.drum}"),
        "there is no signal called 'track.drum'",
        "did you mean: track.drums",
    ),
    "input with stems as a whole": (
        doc("  - {strip: s, input: ▸track}"),
        "input 'track' has stems; name one of them",
        "allowed: track.drums, track.bass",
    ),
    "no input": (doc("  - ▸{strip: s, chain: [gain]}"), "strip 's' reads nothing", "give it an `input`"),
    "no input and no chain": (
        doc("  - ▸{strip: s, to: master}"),
        "strip 's' reads nothing",
        "give it an `input`",
    ),
    "generator within a chain": (
        chain("gain, {effect: ▸hiss}"),
        "hiss makes sound of its own and reads nothing",
        "first of a strip without `input`",
    ),
    "generator with an input": (chain("▸hiss"), "hiss makes sound of its own", ""),
    "before a generator": (
        doc("  - {strip: riser, chain: [hiss]}\n  - {strip: s, input: ▸riser@input}"),
        "strip 'riser' reads nothing, so there is no signal before its chain",
        "",
    ),
    "point of an unknown strip": (
        doc("  - {strip: s, input: ▸trck@gain}\n  - {strip: track, input: track.drums}"),
        "there is no strip or bus 'trck'",
        "did you mean: track",
    ),
    "point at an unknown node": (
        doc("  - {strip: a, input: track.drums, chain: [gain]}\n  - {strip: s, input: ▸a@gian}"),
        "strip 'a' has no node 'gian'",
        "allowed: gain, input, output\n  did you mean: gain",
    ),
    "unknown output port": (
        doc("  - {strip: a, input: track.drums, chain: [split]}\n  - {strip: s, input: ▸a@split.hi}"),
        "split has no output port 'hi'",
        "did you mean: high",
    ),
    "port not connected": (
        chain("▸duck"),
        "input port 'sidechain' of duck is not connected",
        "inputs: {sidechain: a strip or bus}",
    ),
    "unknown port": (
        chain("{effect: duck, inputs: {sidechain: mic, ▸sidechan: mic}}"),
        "duck has no input port 'sidechan' beside the chain",
        "did you mean: sidechain",
    ),
    "the chain's own port": (
        chain("{effect: gain, inputs: {▸in: mic}}"),
        "port 'in' of gain is what the chain goes through",
        "",
    ),
    "unknown output": (
        doc("", outputs="outputs: [▸mastr]\n"),
        "there is no signal called 'mastr'",
        "did you mean: master",
    ),
    "second output of a name": (
        doc("", outputs="outputs: [master, {name: ▸master, from: track.bass}]\n"),
        "a second output is called 'master'",
        "",
    ),
    "second strip of a name": (
        doc("  - {strip: s, input: track.drums}\n  - {bus: ▸s}"),
        "'s' is the name of a strip already, at <text>:7:5",
        "",
    ),
    "second node of a name": (
        chain("gain, ▸gain"),
        "'s' has a node 'gain' already, at <text>:7:56",
        "give one of them another `id`",
    ),
    "second column of a name": (
        chain("{effect: gain, controls: {gain: {as: x}}}, {effect: lowpass, controls: {cutoff: ▸{as: x}}}"),
        "column 's.x' is there already, at <text>:7:88",
        "rename one of them with `as`",
    ),
    "circle": (
        doc(ROUND.format(mark="▸")),
        "the signal goes round in a circle: a → a.gain → b → b.delay → a",
        "did you mean `sends: [{to: a, level: 1, feedback: true, delay: 10 ms}]` instead?",
    ),
    "circle of one": (
        doc("  - {bus: a, chain: [gain], sends: [{to: ▸a}]}"),
        "the signal goes round in a circle: a → a.gain → a.send:a → a",
        "did you mean `feedback: true, delay: 10 ms` on this send?",
    ),
    "circle through a port": (
        doc(
            "  - {strip: s, input: track.drums, chain: [{effect: duck, inputs: {sidechain: ▸s@gain}}, gain]}"
        ),
        "the signal goes round in a circle: s.duck → s.gain → s.duck",
        "a loop goes by a send to a bus that comes back later",
    ),
    "a loop without a delay": (
        doc("  - {bus: a, sends: [{to: a, feedback: ▸true}]}"),
        "no delay is in this loop",
        "say after how long this send comes round: `delay: 10 ms`; or put an effect into the loop",
    ),
    "a loop through an echo that lets something through": (
        doc("  - {bus: a, chain: [{effect: echo, controls: {mix: 0.9}}], sends: [{to: a, feedback: ▸true}]}"),
        "no delay is in this loop",
        "or `delay` or `echo` with `mix: 1`",
    ),
    "a delay without a loop": (
        doc("  - {bus: a, sends: [{to: a, ▸delay: 10 ms}]}"),
        "only a send with `feedback: true` has a `delay`",
        "a delay by itself is an effect",
    ),
    "a send back that closes no loop": (
        doc("  - {bus: a, sends: [{to: b, feedback: ▸true, delay: 10 ms}]}\n  - bus: b"),
        "this send closes no loop: what bus 'b' makes does not come back to it",
        "leave `feedback` and `delay` out",
    ),
    "circle of strips without nodes": (
        doc("  - {strip: s, input: ▸t}\n  - {strip: t, input: s}"),
        "strips read one another in a circle: s → t → s",
        "",
    ),
    "an input that is not there, by the name of its strip": (
        doc("  - {strip: drum, input: ▸drum, chain: [gain]}"),
        "there is no input 'drum'",
        "",
    ),
    "the same of a strip without nodes": (
        doc("  - {strip: drum, input: ▸drum}"),
        "there is no input 'drum'",
        "",
    ),
    "stereo into a mono port": (
        chain("▸widen"),
        "port 'in' of widen takes mono, and 'in:track.drums' is stereo",
        "",
    ),
    "stereo into a quad bus": (
        doc("  - {strip: s, input: track.drums, to: ▸room}\n  - {bus: room, channels: quad}"),
        "bus 'room' is quad, and 'in:track.drums' is stereo",
        "hint: only mono goes with any other count",
    ),
    "5.1 and quad in one bus": (
        doc(
            "  - {bus: a, channels: 5.1, to: room}\n  - {bus: b, channels: quad, to: ▸room}\n  - {bus: room}",
            outputs="outputs: [room]\n",
        ),
        "bus 'room' sums signals of different channel counts: 'a' (5.1) and 'b' (quad)",
        "hint: only mono goes with any other count",
    ),
    "stereo into a quad strip": (
        doc("  - {strip: s, input: ▸track.drums, channels: quad, chain: [gain]}"),
        "strip 's' is quad, and 'in:track.drums' is stereo",
        "hint: only mono goes with any other count",
    ),
    "a quad strip without a chain": (
        doc("  - {strip: s, input: track.drums, channels: ▸quad}"),
        "strip 's' is quad, and 'in:track.drums' is stereo",
        "hint: only mono goes with any other count",
    ),
    "a stereo strip without a chain on a mono input": (
        doc("  - {strip: s, input: mic, channels: ▸stereo}"),
        "strip 's' is stereo, and 'in:mic' is mono",
        "hint: a strip without a chain passes what it reads as it is",
    ),
    "a quad strip that begins with a stereo effect": (
        doc("  - {strip: s, input: mic, channels: quad, chain: [▸needs_stereo]}"),
        "strip 's' is quad, and needs_stereo takes stereo",
        "",
    ),
    "an output that is not what it says": (
        doc("", outputs="outputs: [{name: out, from: master, channels: ▸5.1}]\n"),
        "output 'out' is 5.1, and 'master' is stereo",
        "hint: only mono goes with any other count",
    ),
    "unknown setting": (
        chain("{effect: reverb, settings: {▸decay: 2}}"),
        "reverb has no setting 'decay'",
        "did you mean: decay_time",
    ),
    "setting of the wrong type": (
        chain("{effect: reverb, settings: {decay_time: ▸long}}"),
        "expected a number, got text 'long'",
        "at: mixer[0].chain[0].settings.decay_time",
    ),
    "number as text": (
        chain("{effect: reverb, settings: {decay_time: ▸'2'}}"),
        "expected a number, got text '2'",
        "",
    ),
    "setting out of range": (
        chain("{effect: picky, settings: {count: ▸9}}"),
        "must be less than or equal to 8, got the number 9",
        "",
    ),
    "setting not whole": (
        chain("{effect: picky, settings: {count: ▸1.5}}"),
        "expected a whole number, got the number 1.5",
        "",
    ),
    "setting of a few words": (
        chain("{effect: picky, settings: {mode: ▸sotf}}"),
        "text 'sotf' is not allowed here",
        "allowed: soft, hard\n  did you mean: soft",
    ),
    "setting in a list": (
        chain("{effect: picky, settings: {times: [1, ▸x]}}"),
        "expected a number, got text 'x'",
        "at: mixer[0].chain[0].settings.times[1]",
    ),
    "setting in a mapping": (
        chain("{effect: picky, settings: {band: {▸gian: 1}}}"),
        "picky has no setting 'gian'",
        "did you mean: gain",
    ),
    "settings that do not fit together": (
        chain("{effect: picky, settings: ▸{low: 3}}"),
        "low must be below high",
        "",
    ),
    "missing setting": (chain("▸demanding"), "demanding needs setting 'seconds'", ""),
    "constant out of range": (
        chain("{effect: gain, controls: {gain: ▸1.5}}"),
        "1.5 is outside the range of gain, 0 … 1",
        "",
    ),
    "constant that is no choice": (
        chain("{effect: picky, controls: {division: ▸3}}"),
        "3 is not one of the choices of division",
        "allowed: 0, 1, 2, 4",
    ),
    "default out of range": (
        chain("{effect: gain, controls: {gain: {default: ▸2}}}"),
        "default 2 is outside the range of gain, 0 … 1",
        "",
    ),
    "default outside the narrower range": (
        chain("{effect: gain, controls: {gain: ▸{max: 0.5}}}"),
        "the default of gain, 1, is outside 0 … 0.5",
        "give a `default`",
    ),
    "neutral out of range": (
        chain("{effect: gain, controls: {gain: {min: 0.5, neutral: ▸0.2}}}"),
        "neutral 0.2 is outside the range of gain, 0.5 … 1",
        "",
    ),
    "wider range": (
        chain("{effect: gain, controls: {gain: {max: ▸2}}}"),
        "max 2 would widen the range of gain, 0 … 1",
        "only make it narrower",
    ),
    "empty range": (
        chain("{effect: gain, controls: {gain: {min: 0.5, max: ▸0.5, default: 0.5}}}"),
        "the range 0.5 … 0.5 is empty",
        "",
    ),
    "one control by two names": (
        chain("{effect: picky, controls: {division: 1, ▸beats: 2}}"),
        "'beats' and 'division' are the same control",
        "",
    ),
    "tie to nothing": (
        chain("gain, {effect: gain, id: trim, controls: {gain: {tie: ▸gain.gian}}}"),
        "there is no column 'gain.gian' to be tied to",
        "did you mean: gain.gain",
    ),
    "tie to itself": (
        chain("{effect: gain, controls: {gain: {tie: ▸gain.gain}}}"),
        "'gain.gain' is tied to itself",
        "names another control's column",
    ),
    "tie to a control that a macro drives": (
        doc("""
  - strip: s
    input: track.drums
    chain: [gain, {effect: gain, id: trim, controls: {gain: {tie: ▸gain.gain}}}]
    macros: [{name: m, drives: {gain.gain: [[0, 0], [1, 1]]}}]
"""),
        "'gain.gain' is driven by macro 's.m', so it has no column to be tied to",
        "let the macro drive this control, too",
    ),
    "tie to a control that is tied": (
        chain(
            "gain, {effect: gain, id: b, controls: {gain: {tie: gain.gain}}}, "
            "{effect: gain, id: c, controls: {gain: {tie: ▸b.gain}}}"
        ),
        "'b.gain' is tied to 'gain.gain' itself",
        "tie: gain.gain",
    ),
    "tie to a constant": (
        chain(
            "{effect: gain, controls: {gain: 1}}, {effect: gain, id: b, controls: {gain: {tie: ▸gain.gain}}}"
        ),
        "'gain.gain' is a constant, so it has no column to be tied to",
        "",
    ),
    "seconds for milliseconds": (
        chain("{effect: echo, controls: {time: ▸0.375}}"),
        "0.375 is outside the range of time, 20 … 2000 ms",
        "hint: did you mean 375? it is in ms",
    ),
    "kilohertz for hertz": (
        chain("{effect: filter, controls: {cutoff: {default: ▸8}}}"),
        "default 8 is outside the range of cutoff",
        "hint: did you mean 8000? it is in Hz",
    ),
    "decibels for a factor": (
        chain("{effect: gain, controls: {gain: {max: ▸-6}}}"),
        "max -6 would widen the range of gain, 0 … 1",
        "hint: did you mean 0.5012? it is a factor, not in dB",
    ),
    "a factor for decibels": (
        chain("{effect: compressor, controls: {threshold: ▸0.5}}"),
        "0.5 is outside the range of threshold, -60 … 0 dB",
        "hint: did you mean -6.021? it is in dB, not a factor",
    ),
    "percent for a share": (
        doc("  - {strip: s, input: track.drums, sends: [{to: master, level: {default: ▸50}}]}"),
        "default 50 is outside the range of gain, 0 … 1",
        "hint: did you mean 0.5? it is a share, not in percent",
    ),
    "tie to a wider column": (
        chain("eq3, {effect: gain, controls: {gain: {tie: ▸eq3.low}}}"),
        "'s.eq3.low' goes from 0 to 2, and gain only from 0 to 1",
        "a macro can drive both",
    ),
    "macro of an unknown control": (
        doc("""
  - strip: s
    input: track.drums
    chain: [gain]
    macros: [{name: m, drives: {▸gain.gian: [[0, 0], [1, 1]]}}]
"""),
        "there is no control 'gain.gian' to drive",
        "did you mean: gain.gain",
    ),
    "graph-wide macro of an unknown control": (
        doc(
            "  - {strip: voice, input: track.drums, chain: [gain]}\n"
            "  - {macro: m, drives: {▸voice.gane.gain: [[0, 0], [1, 1]]}}"
        ),
        "there is no control 'voice.gane.gain' to drive",
        "did you mean: voice.gain.gain",
    ),
}

MACRO_CASES = {
    "one point": ("{name: m, drives: {gain.gain: ▸[[0, 0]]}}", "a curve has at least two points [x, y]"),
    "x descends": (
        "{name: m, drives: {gain.gain: [[0, 0], [0.6, 1], ▸[0.5, 0], [1, 1]]}}",
        "x does not ascend: 0.5 comes after 0.6",
    ),
    "x stays": (
        "{name: m, drives: {gain.gain: [[0, 0], [0.5, 1], ▸[0.5, 0], [1, 1]]}}",
        "x does not ascend: 0.5 comes after 0.5",
    ),
    "begins late": (
        "{name: m, drives: {gain.gain: [▸[0.1, 0], [1, 1]]}}",
        "the curve does not begin at 0, where",
    ),
    "ends early": (
        "{name: m, max: 2, drives: {gain.gain: [[0, 0], ▸[1, 1]]}}",
        "the curve does not end at 2, where",
    ),
    "y out of range": (
        "{name: m, drives: {gain.gain: [[0, 0], ▸[1, 2]]}}",
        "2 is outside the range of gain, 0 … 1",
    ),
    "macro default": (
        "{name: m, default: ▸2, drives: {gain.gain: [[0, 0], [1, 1]]}}",
        "default 2 is outside the range of m, 0 … 1",
    ),
    "macro range": (
        "{name: m, min: 1, max: ▸1, drives: {gain.gain: [[1, 0], [1, 1]]}}",
        "the range 1 … 1 is empty",
    ),
    "neutral that is not": (
        "{name: m, neutral: 0.5, drives: {▸gain.gain: [[0, 0], [1, 1]]}}",
        "the macro is said to be neutral at 0.5, but there the curve gives 0.5, and gain is neutral at 1",
    ),
    "driven twice": (
        "{name: m, drives: {gain.gain: [[0, 0], [1, 1]]}}, {name: n, drives: {▸gain.gain: [[0, 0], [1, 1]]}}",
        "'gain.gain' is driven by macro 's.m' already",
    ),
}

for _name, (_macro, _message) in MACRO_CASES.items():
    _text = f"  - {{strip: s, input: track.drums, chain: [gain], macros: [{_macro}]}}"
    GRAPH_CASES[f"macro: {_name}"] = (doc(_text), _message, "")
for _key in ("value: 1", "tie: m", "default: 0", "neutral: 0"):
    _node = "{effect: gain, controls: {gain: {" + _key.replace(": ", ": ▸") + "}}}"
    _text = (
        f"  - {{strip: s, input: track.drums, chain: [{_node}], "
        "macros: [{name: m, drives: {gain.gain: [[0, 0], [1, 1]]}}]}"
    )
    GRAPH_CASES[f"driven, with {_key}"] = (doc(_text), "'gain.gain' is driven by macro 's.m'", "")

TEMPLATES = """\
templates:
  band: {args: {low: null, high: 4000}, chain: [{effect: eq3, settings: {low: $low, high: $high}}]}
  piece: {mixer: [{bus: x}]}
args: {cutoff: 300, list: [1, 2]}
"""

DOCUMENT_CASES = {
    "a delay that is no time": (
        doc("  - {bus: a, sends: [{to: a, feedback: true, delay: ▸180 Hz}]}"),
        "180 Hz is no time",
        "a plain number is in ms",
    ),
    "a loop of no time": (
        doc("  - {bus: a, sends: [{to: a, feedback: true, delay: ▸0}]}"),
        "expected more than 0 and at most 60000 ms, got the number 0",
        "",
    ),
    "a loop of many beats": (
        doc("  - {bus: a, sends: [{to: a, feedback: true, delay: ▸65 beats}]}"),
        "expected more than 0 and at most 64 beats, got text '65 beats'",
        "",
    ),
    "a loop of an hour": (
        doc("  - {bus: a, sends: [{to: a, feedback: true, delay: ▸60 min}]}"),
        "expected more than 0 and at most 60000 ms, got text '60 min'",
        "",
    ),
    "feedback that is no flag": (
        doc("  - {bus: a, sends: [{to: a, feedback: ▸0.5, delay: 10}]}"),
        "expected true or false, got the number 0.5",
        "",
    ),
    "a loop through a switch": (
        doc(
            "  - {bus: a, sends: [{name: x, switch: {name: x, choices: {a: a, n: []}}, ▸feedback: true, delay: 10}]}"
        ),
        "a send with a `switch` closes no loop",
        "let one of them send back",
    ),
    "a unit that nobody knows": (
        chain("{effect: filter, controls: {cutoff: ▸8 furlongs}}"),
        "expected a number, got text '8 furlongs'",
        "controls.cutoff",
    ),
    "a curve without a macro": (
        chain("{effect: gain, controls: {gain: {▸curve: left}}}", "curves: {left: [[0, 1], [1, 0]]}\n"),
        "a `curve` without `follow`",
        "hint: follow: a macro's name",
    ),
    "a sum of text": (
        doc("  - for: {n: [a]}\n    do: [{bus: ▸x_$(n + 1)}]"),
        "'n' is text 'a'; a sum is of numbers and names with + − · / between them",
        "here n = a",
    ),
    "a sum with something else": (
        doc("  - for: {n: [1]}\n    do: [{bus: ▸x_$(n ** 2)}]"),
        "'*' stands where a number should",
        "a sum is of numbers",
    ),
    "a repeat of inputs over inputs": (
        "djgraph: 1\nname: x\ninputs: [{for: {n: ▸inputs}, do: [{name: $n}]}]\nmixer: [{bus: master}]\n"
        + TAIL,
        "'inputs' cannot be repeated over before all inputs are known",
        "hint: give a list, or a range {from: 1, to: 4}",
    ),
    "unknown template": (chain("{use: ▸bnad}"), "there is no template 'bnad'", "did you mean: band"),
    "template of the other kind": (
        chain("{use: ▸piece}"),
        "template 'piece' is a piece of a mixer, and this place takes a piece of a chain",
        "allowed: band",
    ),
    "missing argument": (chain("▸{use: band}"), "template 'band' needs 'low'", "null is required"),
    "unknown argument": (
        chain("{use: band, with: {low: 1, ▸hihg: 2}}"),
        "template 'band' has no argument 'hihg'",
        "did you mean: high",
    ),
    "templates in a circle": (
        chain("{use: round}", "templates:\n  round: {chain: [{use: b}]}\n  b: {chain: [{use: ▸round}]}\n"),
        "templates use one another in a circle: round → b → round",
        "in template 'round', used at",
    ),
    "unknown reference": (
        chain("{effect: eq3, settings: {low: ▸$cutof}}"),
        "there is no argument or variable 'cutof'",
        "did you mean: cutoff",
    ),
    "a default that refers to an argument": (
        chain("gain", "args: {a: 1, b: ▸$a}\n"),
        "the default of an argument cannot refer to another one ($a)",
        "",
    ),
    "a lone dollar": (
        chain("gain").replace("name: wrong", "name: wrong\ntitle: ▸5$"),
        "a $ that begins no reference",
        "$$ for a dollar",
    ),
    "a list within a text": (
        doc("  - {strip: ▸s_$list, input: track.drums}"),
        "$list is a list, which cannot stand within a text",
        "",
    ),
    "wrong type after substitution": (
        doc("  - {strip: s, input: track.drums, chain: [{effect: gain, controls: {gain: ▸$list}}]}"),
        "expected a number, got a list",
        "it is written as $list",
    ),
    "not a name after substitution": (
        doc("  - {strip: ▸s$(cutoff)X, input: track.drums}"),
        "expected a name, got text 's300X'",
        "it is written as s$(cutoff)X",
    ),
    "for over something unknown": (
        doc("  - {for: {x: ▸track.stem}, do: []}"),
        "nothing to repeat over is called 'track.stem'",
        "allowed: inputs, track.stems\n  did you mean: track.stems",
    ),
    "for over the stems of one signal": (
        doc("  - {for: {x: ▸mic.stems}, do: []}"),
        "input 'mic' has no stems: it is one signal",
        "",
    ),
    "second input of a name": (
        doc("").replace("name: track,", "name: ▸mic,"),
        "a second input is called 'mic'",
        "",
    ),
    "second stem of a name": (
        doc("").replace("[drums, bass]", "[drums, ▸drums]"),
        "a second stem of 'track' is called 'drums'",
        "",
    ),
    "keys that become one": (
        doc(
            "  - {strip: s, input: mic, chain: [gain], to: master}\n"
            "  - {macro: m, drives: {s.gain.gain: [[0, 0], [1, 1]], ▸s.$g.gain: [[0, 0], [1, 1]]}}"
        ).replace("mixer:", "args: {g: gain}\nmixer:"),
        "duplicate key 's.gain.gain'",
        "",
    ),
}


def with_templates(text: str) -> str:
    """The document with templates and arguments, unless it has its own."""
    if "templates:" in text or "args:" in text:
        return text
    return text.replace("mixer:\n", TEMPLATES + "mixer:\n", 1)


def check(
    text: str,
    message: str,
    more: str,
    kind: type[DocumentError],
    registry: Registry,
    marked: Callable[[str], tuple[str, int, int]],
) -> None:
    text, line, column = marked(text)
    with pytest.raises(kind) as caught:
        load(text, registry=registry)
    (problem,) = caught.value.problems
    assert problem.message.startswith(message)
    assert problem.position is not None
    assert (problem.position.line, problem.position.column) == (line, column)
    assert more in str(problem)
    assert problem.path


@pytest.mark.parametrize("case", GRAPH_CASES)
def test_impossible_mixer(
    case: str, registry: Registry, marked: Callable[[str], tuple[str, int, int]]
) -> None:
    check(*GRAPH_CASES[case], GraphError, registry, marked)


@pytest.mark.parametrize("case", DOCUMENT_CASES)
def test_wrong_expansion(
    case: str, registry: Registry, marked: Callable[[str], tuple[str, int, int]]
) -> None:
    text, message, more = DOCUMENT_CASES[case]
    check(with_templates(text), message, more, DocumentError, registry, marked)


SAME_WORDS = """
  - strip: s
    input: track.drums
    chain:
      - {{effect: gain, controls: {{gain: {{as: fader}}}}}}
      - {{effect: eq3, controls: {{low: {{tie: {word}}}}}}}
    sends: [{{to: fx, level: {{as: wet}}}}, {{to: rev}}]
    macros: [{{name: m, drives: {{eq3.mid: [[0, 0], [1, 1]]}}}}]
  - {{macro: n, drives: {{{driven}: [[0, 0], [1, 1]]}}}}
  - {{bus: fx}}
  - {{bus: rev}}
"""


@pytest.mark.parametrize(
    ("word", "column"),
    [
        ("fader", "s.fader"),
        ("gain.gain", "s.fader"),
        ("s.gain.gain", "s.fader"),
        ("wet", "s.wet"),
        ("fx_send", "s.wet"),
        ("s.fx_send", "s.wet"),
        ("rev_send", "s.rev_send"),
    ],
)
def test_ties_and_macros_call_a_control_by_the_same_words(word: str, column: str, registry: Registry) -> None:
    """By its node or by its column's name; a send by that of its bus, too."""
    other = "rev_send" if word != "rev_send" else "wet"
    graph = load(doc(SAME_WORDS.format(word=word, driven=f"s.{other}")), registry=registry)
    node = graph.by_id["s.eq3"]
    assert isinstance(node, EffectNode)
    assert node.bindings["low"] == Free(column)
    graph = load(
        doc(SAME_WORDS.format(word=other, driven=word if word.startswith("s.") else f"s.{word}")),
        registry=registry,
    )
    assert column not in [one.name for one in graph.columns]


def test_a_layout_says_what_moves_a_control_without_a_column(registry: Registry) -> None:
    text = doc(
        """
  - strip: s
    input: track.drums
    chain: [gain, {effect: eq3, controls: {low: {tie: gain.gain}}}]
    sends: [{to: master}]
  - {macro: m, drives: {s.gain.gain: [[0, 0], [1, 1]], s.master_send: [[0, 0], [1, 1]]}}
""".replace("low: {tie: gain.gain}", "low: {tie: eq3.mid}")
    )
    layout = ParameterLayout.from_graph(load(text, registry=registry))
    for name, said in {
        "s.gain.gain": "'s.gain.gain' is driven by macro 'm'",
        "s.master_send": "'s.master_send' is driven by macro 'm'",
        "s.eq3.low": "'s.eq3.low' is tied to 's.eq3.mid'",
    }.items():
        with pytest.raises(LayoutError, match=f"{said}, so it has no column of its own"):
            layout.index(name)
        moved = automation.load({"automation": 1, "curves": [{"control": name, "value": 0}]})
        with pytest.raises(AutomationError, match=f"{said}, so it has no column of its own"):
            moved.check(layout)


def test_a_problem_in_a_template_tells_where_it_was_used(registry: Registry) -> None:
    text = """\
djgraph: 1
name: wrong
inputs: [{name: track, stems: [drums, bass]}]
templates:
  band:
    args: {low: 300}
    chain: [{effect: eq3, settings: {low: $low}}]
mixer:
  - for: {stem: track.stems}
    do:
      - strip: $stem
        input: track.$stem
        chain: [{use: band, with: {low: deep}}]
outputs: [drums]
"""
    with pytest.raises(GraphError) as caught:
        load(text, registry=registry)
    (problem,) = caught.value.problems
    assert str(problem) == (
        "<text>:7:43: expected a number, got text 'deep'\n"
        "  at: templates.band.chain[0].settings.low\n"
        "  hint: it is written as $low; in template 'band', used at <text>:13:17; in 2 of 2: stem = drums, bass"
    )


def test_problems_of_all_kinds_come_together_in_file_order(registry: Registry) -> None:
    text = """\
djgraph: 1
name: wrong
inputs: [{name: a}]
mixer:
  - {strip: s, input: b, chain: [gane, {effect: gain, settings: {x: 1}}], to: nowhere}
  - {strip: t, input: a, chain: [{effect: gain, controls: {gain: 3}}], sends: [{to: gone}]}
  - {macro: m, drives: {t.gain.gian: [[0, 0], [1, 1]]}}
outputs: [u]
"""
    with pytest.raises(GraphError) as caught:
        load(text, registry=registry)
    places = [(p.position.line, p.position.column) for p in caught.value.problems if p.position]
    assert places == sorted(places)
    assert [line for line, _ in places] == [5, 5, 5, 5, 6, 6, 7, 8]


@pytest.mark.parametrize(
    ("values", "chain", "told"),
    [
        ("[a, b, c]", "gian", ["there is no effect 'gian' / in 3 of 3: x = a, b, c"]),
        ("[a, b, gian]", "$x", ["there is no effect 'a' / it is written as $x; in 3 of 3: x = a, b, gian"]),
        (
            "[gain, gian, trim]",
            "$x",
            ["there is no effect 'gian' / it is written as $x; here x = gian"],
        ),
        (
            "[1, 3, 2]",
            "{effect: gain, controls: {gain: $x}}",
            ["3 is outside the range of gain, 0 … 1 / it is written as $x; in 2 of 3: x = 3, 2"],
        ),
        ("[1, 2, 3, 4, 5, 6, 7]", "gian", ["there is no effect 'gian' / in 7 of 7: x = 1, 2, 3, 4, 5, 6, …"]),
        (
            "[a, b]",
            "{effect: gain, id: $y$z}",
            [
                "there is no argument or variable 'y' / it is written as $y$z; in 2 of 2: x = a, b",
                "there is no argument or variable 'z' / it is written as $y$z; in 2 of 2: x = a, b",
            ],
        ),
    ],
)
def test_equal_problems_of_repeats_are_told_once(
    values: str, chain: str, told: list[str], registry: Registry
) -> None:
    text = f"""\
djgraph: 1
name: wrong
inputs: [{{name: a}}]
mixer:
  - for: {{x: {values}}}
    do: [{{strip: s$x, input: a, chain: [{chain}]}}]
outputs: [a]
"""
    with pytest.raises(DocumentError) as caught:
        load(text, registry=registry)
    assert [f"{problem.message} / {problem.hint}" for problem in caught.value.problems] == told


def test_equal_problems_of_repeats_in_repeats_and_of_templates_are_told_once(registry: Registry) -> None:
    text = """\
djgraph: 1
name: wrong
inputs:
  - {name: a, stems: [x, y]}
  - {name: b, stems: [z]}
templates:
  band: {chain: [gian]}
mixer:
  - for: {track: inputs}
    do:
      - for: {stem: $track.stems}
        do: [{strip: $track.$stem, input: $track.$stem, to: $stem}]
  - {strip: s, input: a.x, chain: [{use: band}]}
  - {strip: t, input: a.x, chain: [{use: band}]}
  - bus: x
outputs: [x]
"""
    with pytest.raises(GraphError) as caught:
        load(text, registry=registry)
    assert [(problem.message, problem.hint) for problem in caught.value.problems] == [
        ("there is no effect 'gian'", "in template 'band', used at <text>:13:36; in 2 of 2 copies"),
        (
            "there is no bus 'y'",
            "it is written as $stem; in 2 of 3: track = a, stem = y; track = b, stem = z",
        ),
    ]


def test_a_flood_of_problems_is_counted(registry: Registry) -> None:
    strips = "\n".join(f"  - {{strip: s{i}, input: mic, to: nowhere}}" for i in range(150))
    with pytest.raises(GraphError) as caught:
        load(doc(strips), registry=registry)
    assert len(caught.value.problems) == 101
    assert str(caught.value).endswith("… and 50 more problems")


def test_arguments_of_the_document(registry: Registry) -> None:
    text = """\
djgraph: 1
name: x
args: {rate: 44100, size: null}
sample_rate: $rate
transform: {size: $size}
mixer: [{bus: master}]
outputs: [master]
"""
    assert load(text, registry=registry, size=1024).transform.size == 1024
    with pytest.raises(DocumentError) as caught:
        load(text, registry=registry, sizes=3)
    assert [problem.message for problem in caught.value.problems] == [
        "the graph has no argument 'sizes'",
        "argument 'size' needs a value: its default is null",
    ]
    assert "did you mean: size" in str(caught.value)
    with pytest.raises(DocumentError, match=r"<text>:4:14: expected a whole number .* got text 'fast'"):
        load(text, registry=registry, size=1024, rate="fast")
    with pytest.raises(DocumentError, match="object is not plain data"):
        load(text, registry=registry, size=object())


def test_a_file_is_named_in_every_line(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(chain("gane, gian"))
    with pytest.raises(GraphError) as caught:
        load(path, registry=registry)
    assert str(caught.value).count(f"{path}:7:") == 2
    path.write_text(chain("gain"))
    assert load(path, registry=registry).file == str(path)


def test_no_message_has_jargon(registry: Registry) -> None:
    for text, _, _ in GRAPH_CASES.values():
        with pytest.raises(DocumentError) as caught:
            load(text.replace("▸", ""), registry=registry)
        for word in (
            "Input should",
            "pydantic",
            "_type",
            "Value error",
            "Extra inputs",
            "JSON",
            "object at 0x",
        ):
            assert word not in str(caught.value)


def test_a_registry_that_knows_why_an_effect_is_missing_says_so() -> None:
    registry = Registry()
    with pytest.raises(GraphError) as caught:
        load(chain("gain"), registry=registry)
    assert (registry.hint() or "") in str(caught.value)


def test_sends_need_gain() -> None:
    with pytest.raises(GraphError, match="a send needs the effect 'gain', which no plugin provides"):
        load(doc("  - {strip: s, input: mic, sends: [{to: master}]}"), registry=Registry())


def test_every_strip_that_reads_a_missing_input_is_told(registry: Registry) -> None:
    text = """
djgraph: 1
name: missing_input
inputs: [{name: vocal}]
mixer:
  - {strip: vocals, input: vocals, chain: [gain], to: master}
  - {strip: drums, input: drums, chain: [gain], to: master}
  - bus: master
outputs: [master]
"""
    with pytest.raises(GraphError) as caught:
        load(text, registry=registry)
    first, second = caught.value.problems
    assert first.message == "there is no input 'vocals'"
    assert "did you mean: vocal\n" in f"{first}\n"
    assert "vocals" not in first.allowed
    assert second.message == "there is no input 'drums'"
    assert (first.position.line, second.position.line) == (6, 7)  # type: ignore[union-attr]


def test_a_strip_may_be_called_like_its_input_and_read_itself_within_a_circle(registry: Registry) -> None:
    text = """
djgraph: 1
name: same_names
inputs: [{name: vocals}]
mixer:
  - {strip: vocals, input: vocals, chain: [gain]}
outputs: [vocals]
"""
    assert [node.id for node in load(text, registry=registry).nodes] == ["in:vocals", "vocals.gain"]
    with pytest.raises(GraphError, match=r"goes round in a circle: vocals.gain → vocals.gain"):
        load(text.replace("input: vocals", "input: vocals@gain"), registry=registry)


def test_a_flood_of_problems_shares_the_names_it_allows(registry: Registry) -> None:
    items = [{"strip": f"s{i}", "input": f"x{i}", "to": f"q{i}"} for i in range(300)]
    document = {"djgraph": 1, "name": "x", "inputs": [{"name": "a"}], "mixer": items, "outputs": ["s0"]}
    with pytest.raises(GraphError) as caught:
        load(document, registry=registry)
    *problems, more = caught.value.problems
    assert len(problems) == 100
    assert "more problems" in more.message
    assert len({id(problem.allowed) for problem in problems}) <= 2
    assert len(str(caught.value)) < 100_000
