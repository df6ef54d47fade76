"""Each rule of what is legal catches a plan that breaks it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

import djgraph
from djgraph.compiler.pipeline import PASS_NAMES
from djgraph.compiler.verify import RULES, verify
from djgraph.errors import CompileError
from djgraph.graph import load

from .plan_text import read
from .test_passes import document, strip

GRAPH = load(
    document(
        [
            strip("a", ["gain", "lowpass"]),
            strip("b", ["gain"], stem="s1"),
            strip("c", [{"effect": "reverb", "settings": {"decay_time": 0.1}}]),
            {"bus": "mix"},
        ]
    )
)
WHOLE = ["fold", "share", "drop", "fuse", "group", "free"]
STREAM = ["fold", "share", "drop", "fuse", "align", "group", "free"]
GAIN_A = "a.gain = gain[gain=@a.gain.gain]"
GAIN_B = "b.gain = gain[gain=@b.gain.gain]"
MASK = "~a.lowpass = lowpass[cutoff=@a.lowpass.cutoff]"


def check(text: str, after: str, *, stream: bool = False) -> None:
    """A plan verified as it would be after a pass of the full pipeline."""
    passes = ["lower", *(STREAM if stream else WHOLE)]
    known = stream and after in STREAM[STREAM.index("align") :]
    verify(read(text, GRAPH, known), after, passes[: passes.index(after)])


BROKEN: list[tuple[str, str, bool, str]] = [
    (
        "fold",
        f"""
        in:in.s0 = input
        gain × 1
          {GAIN_A}(in:in.s0)
        gain × 1
          {GAIN_A}(in:in.s0)
        output mix = a.gain
        """,
        False,
        "operation 2 writes a.gain a second time",
    ),
    (
        "fold",
        """
        in:in.s0 = input
        loop: blocks of 5 samples
          sum:mix = b.gain fed back after 5
          x = in:in.s0 + sum:mix
          gives x
        output mix = x
        """,
        False,
        "operation 1 is a loop in which b.gain comes back, which it does not make",
    ),
    (
        "fold",
        """
        in:in.s0 = input
        loop: blocks of 0 samples
          sum:mix = x fed back after 0
          x = in:in.s0 + sum:mix
          gives x
        output mix = x
        """,
        False,
        "operation 1 is a loop in which x comes back after 0 samples",
    ),
    (
        "fold",
        """
        in:in.s0 = input
        loop: blocks of 5 samples
          sum:mix = x fed back after 5
          x = in:in.s0 + sum:mix
          gives y
        output mix = y
        """,
        False,
        "operation 1 writes y, whose channels are unknown",
    ),
    ("fold", "in:in.s0 = input\noutput mix = b.gain", False, "output mix is b.gain, which nothing gives"),
    (
        "fold",
        "in:in.s0 = input\n~s = stft(in:in.s0)\noutput mix = ~s",
        False,
        "output mix is a spectrum",
    ),
    (
        "fold",
        "in:in.s0 = input\n~s = stft(in:in.s0)\nx = ~s + in:in.s0\noutput mix = x",
        False,
        "operation 2 adds audio to a spectrum",
    ),
    (
        "fold",
        f"in:in.s0 = input\n{MASK}(in:in.s0)\noutput mix = in:in.s0",
        False,
        "operation 1 is a mask that touches audio",
    ),
    (
        "fold",
        """
        in:in.s0 = input
        region
          ~s = stft(in:in.s0)
          x = istft(~s)
        output mix = x
        """,
        False,
        "operation 1 is of type Region .*made by fuse",
    ),
    (
        "fuse",
        "in:in.s0 = input\n~s = stft(in:in.s0)\nx = istft(~s)\noutput mix = x",
        False,
        "operation 1 is of type Analyse .*inside regions",
    ),
    (
        "fuse",
        """
        in:in.s0 = input
        region
          ~s = stft(in:in.s0)
          ~s = stft(in:in.s0)
          x = istft(~s)
        output mix = x
        """,
        False,
        "operation 1 is a region that writes ~s twice",
    ),
    (
        "fuse",
        f"""
        in:in.s0 = input
        region
          ~s = stft(in:in.s0)
          {MASK}(~s)
          ~s = ~a.lowpass + ~a.lowpass
          x = istft(~s)
        output mix = x
        """,
        False,
        "operation 1 is a region that writes ~s twice",
    ),
    (
        "fuse",
        """
        in:in.s0 = input
        region
          ~s = stft(in:in.s0)
          ~t = ~u + ~s
          ~u = ~s + ~s
          x = istft(~t)
        output mix = x
        """,
        False,
        "operation 1 is a region that reads ~u too early",
    ),
    (
        "fuse",
        """
        in:in.s0 = input
        region
          ~s = stft(in:in.s0)
          x = istft(~t)
        output mix = x
        """,
        False,
        "operation 1 is a region that inverts ~t, which it lacks",
    ),
    (
        "fuse",
        """
        in:in.s0 = input
        region
          c.reverb = reverb{decay_time=0.1}[mix=@c.reverb.mix](in:in.s0)
          ~s = stft(c.reverb)
          x = istft(~s)
        output mix = x
        """,
        False,
        "operation 1 is a region that begins with c.reverb, which is not memoryless",
    ),
    (
        "fuse",
        f"""
        in:in.s0 = input
        gain × 2
          {GAIN_A}(in:in.s0)
          {GAIN_B}(in:in.s0)
        output mix = a.gain
        """,
        False,
        "operation 1 has 2 rows .*until group",
    ),
    (
        "group",
        f"""
        in:in.s0 = input
        gain × 2
          {GAIN_A}(in:in.s0)
          {GAIN_B}(in:in.s0)
        kernel of b.gain = b.gain
        output mix = a.gain
        """,
        False,
        "operation 1 has rows with different kernels",
    ),
    (
        "group",
        "in:in.s0 = input\n  free in:in.s0\noutput mix = in:in.s0",
        False,
        "values are freed .*before free",
    ),
    (
        "free",
        f"in:in.s0 = input\n  free in:in.s0\ngain × 1\n  {GAIN_A}(in:in.s0)\noutput mix = a.gain",
        False,
        "operation 1 reads in:in.s0, which is freed already",
    ),
    (
        "free",
        f"in:in.s0 = input\ngain × 1\n  {GAIN_A}(in:in.s0)\n  free in:in.s0, in:in.s0\noutput mix = a.gain",
        False,
        "operation 1 frees in:in.s0 a second time",
    ),
    (
        "free",
        f"in:in.s0 = input\ngain × 1\n  {GAIN_A}(in:in.s0)\nfree nothing\noutput mix = a.gain",
        False,
        "in:in.s0 is never freed",
    ),
    (
        "free",
        "in:in.s0 = input\n  free in:in.s0, x\noutput mix = in:in.s0",
        False,
        "operation 0 frees in:in.s0, which is an output",
    ),
    ("free", "in:in.s0 = input\noutput mix = in:in.s0", False, "there are frees for 0 operations of 1"),
    ("free", "in:in.s0 = input\n  free x\noutput mix = in:in.s0", False, "x is freed, but never written"),
    (
        "fuse",
        "in:in.s0 = input\nx = in:in.s0 delayed by 5\noutput mix = x",
        False,
        "operation 1 is of type Delay .*for streams",
    ),
    (
        "align",
        "in:in.s0 = input  (latency 0)\nx = in:in.s0 delayed by 5  (latency 6)\noutput mix = x",
        True,
        "operation 1 writes at latency 6 instead of 5",
    ),
    (
        "align",
        "in:in.s0 = input  (latency 0)\nx = in:in.s0 delayed by 0  (latency 0)\noutput mix = x",
        True,
        "operation 1 delays by 0",
    ),
    (
        "align",
        """
        in:in.s0 = input  (latency 0)
        x = in:in.s0 delayed by 5  (latency 5)
        y = x + in:in.s0  (latency 5)
        output mix = y
        """,
        True,
        "operation 2 reads signals of latencies 0, 5",
    ),
    (
        "group",
        """
        in:in.s0 = input  (latency 0)
        region  (latency 60)
          ~s = stft(in:in.s0)
          x = istft(~s)
        output mix = x
        """,
        True,
        "operation 1 writes at latency 60 instead of 63 at least",
    ),
    (
        "group",
        """
        in:in.s0 = input  (latency 0)
        x = in:in.s0 delayed by 5  (latency 5)
        output mix = x
        output other = in:in.s0
        """,
        True,
        "outputs have latencies 0, 5",
    ),
]


@pytest.mark.parametrize(("after", "text", "stream", "message"), BROKEN)
def test_a_broken_plan_is_caught(after: str, text: str, stream: bool, message: str) -> None:
    with pytest.raises(CompileError, match=f"^after {after}: {message}"):
        check(text, after, stream=stream)


def test_every_rule_is_broken_by_a_plan_above_or_of_the_other_tests() -> None:
    said = set()
    for after, text, stream, _ in BROKEN:
        with pytest.raises(CompileError) as caught:
            check(text, after, stream=stream)
        said |= {rule.says for rule in RULES if rule.says in str(caught.value)}
    # The text of a plan says nothing of channels, and only stream plans have latencies in it.
    elsewhere = {"signals that meet have equally many channels", "latencies are of streams, found by align"}
    assert said == {rule.says for rule in RULES} - elsewhere


def test_latencies_before_align_and_none_after_it() -> None:
    text = "in:in.s0 = input  (latency 0)\noutput mix = in:in.s0"
    with pytest.raises(CompileError, match="after fuse: latencies are known"):
        verify(read(text, GRAPH, stream=True), "fuse", WHOLE[:3])
    plain = read("in:in.s0 = input\noutput mix = in:in.s0", GRAPH)
    with pytest.raises(CompileError, match="after align: no latency is known"):
        verify(plain, "align", ["fuse"])
    partly = read(text, GRAPH, stream=True).with_ops(plain.ops, latencies={})
    with pytest.raises(CompileError, match="after align: latencies are of other values"):
        verify(partly, "align", ["fuse"])


def test_a_rule_holds_from_pass_to_pass() -> None:
    text = f"in:in.s0 = input\n~s = stft(in:in.s0)\n{MASK}(~s)\nx = istft(~a.lowpass)\noutput mix = x"
    for stage in ("lower", "fold", "share", "drop"):
        check(text, stage)
    # Without fuse, spectra stay where they are, whatever runs after.
    verify(read(text, GRAPH), "group", ["lower", "drop"])
    with pytest.raises(CompileError, match="after group: operation 1 is of type Analyse"):
        verify(read(text, GRAPH), "group", ["lower", "fuse"])


def test_the_message_shows_where() -> None:
    with pytest.raises(CompileError) as caught:
        check("in:in.s0 = input\nx = in:in.s0 delayed by 5\noutput mix = x", "fold")
    assert str(caught.value) == (
        "after fold: operation 1 is of type Delay (delays are for streams, made by align)\n"
        "    0: Load in:in.s0 ← \n"
        "  → 1: Delay x ← in:in.s0"
    )


@pytest.mark.parametrize("optimize", [True, False, *([name] for name in PASS_NAMES)])
def test_what_the_compiler_makes_is_legal(optimize: bool | Iterable[str]) -> None:
    made: Any = djgraph.compile("club_console", optimize=optimize)
    assert made.stages(taps=True)
    assert made.stages(taps=True, stream=True)
