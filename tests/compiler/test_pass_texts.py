"""What each pass does, as plan text in → plan text out."""

from __future__ import annotations

from djgraph.compiler.passes import align, drop, fold, free, fuse, group, share
from djgraph.compiler.plan import Lag
from djgraph.graph import load

from .plan_text import assert_rewrites
from .test_passes import NEUTRAL_EQ, document, strip

BUS = {"bus": "mix"}


def test_fold_removes_what_changes_nothing() -> None:
    chain = [NEUTRAL_EQ, {"effect": "gain", "controls": {"gain": 1}}]
    assert_rewrites(
        fold.run,
        load(document([strip("a", chain), BUS])),
        """
        in:in.s0 = input
        ~stft(in:in.s0) = stft(in:in.s0)
        ~a.eq3 = eq3[low=1, mid=1, high=1](~stft(in:in.s0))
        istft(a.eq3) = istft(~a.eq3)
        gain × 1
          a.gain = gain[gain=1](istft(a.eq3))
        sum:mix = a.gain
        output mix = sum:mix
        """,
        """
        in:in.s0 = input
        ~stft(in:in.s0) = stft(in:in.s0)
        output mix = in:in.s0
        """,
    )


def test_share_transforms_a_signal_once() -> None:
    assert_rewrites(
        share.run,
        load(document([strip("a", ["lowpass"]), strip("b", ["highpass"]), BUS])),
        """
        in:in.s0 = input
        ~stft(in:in.s0) = stft(in:in.s0)
        ~a.lowpass = lowpass[cutoff=@a.lowpass.cutoff](~stft(in:in.s0))
        ~stft(in:in.s0)#2 = stft(in:in.s0)
        ~b.highpass = highpass[cutoff=@b.highpass.cutoff](~stft(in:in.s0)#2)
        ~sum:mix = ~a.lowpass + ~b.highpass
        istft(sum:mix) = istft(~sum:mix)
        output mix = istft(sum:mix)
        """,
        """
        in:in.s0 = input
        ~stft(in:in.s0) = stft(in:in.s0)
        ~a.lowpass = lowpass[cutoff=@a.lowpass.cutoff](~stft(in:in.s0))
        ~b.highpass = highpass[cutoff=@b.highpass.cutoff](~stft(in:in.s0))
        ~sum:mix = ~a.lowpass + ~b.highpass
        istft(sum:mix) = istft(~sum:mix)
        output mix = istft(sum:mix)
        """,
    )


def test_share_runs_equal_effects_with_equal_controls_once() -> None:
    half = {"effect": "gain", "controls": {"gain": 0.5}}
    assert_rewrites(
        share.run,
        load(document([strip("a", [half]), strip("b", [half]), BUS])),
        """
        in:in.s0 = input
        gain × 1
          a.gain = gain[gain=0.5](in:in.s0)
        gain × 1
          b.gain = gain[gain=0.5](in:in.s0)
        sum:mix = a.gain + b.gain
        output mix = sum:mix
        """,
        """
        in:in.s0 = input
        gain × 1
          a.gain = gain[gain=0.5](in:in.s0)
        sum:mix = a.gain + a.gain
        output mix = sum:mix
        """,
    )


def test_drop_keeps_what_reaches_an_output() -> None:
    strips = [strip("a", ["gain"]), strip("b", ["gain"], stem="s1", to="other"), BUS, {"bus": "other"}]
    assert_rewrites(
        drop.run,
        load(document(strips)),
        """
        in:in.s0 = input
        in:in.s1 = input
        gain × 1
          a.gain = gain[gain=@a.gain.gain](in:in.s0)
        gain × 1
          b.gain = gain[gain=@b.gain.gain](in:in.s1)
        sum:mix = a.gain
        sum:other = b.gain
        output mix = sum:mix
        """,
        """
        in:in.s0 = input
        gain × 1
          a.gain = gain[gain=@a.gain.gain](in:in.s0)
        sum:mix = a.gain
        output mix = sum:mix
        """,
    )


def test_fuse_makes_a_region_and_takes_in_the_gain_before_it() -> None:
    strips = [strip("a", ["gain", "lowpass"]), strip("b", ["highpass"], stem="s1")]
    assert_rewrites(
        fuse.run,
        load(document([*strips, {"bus": "mix", "chain": ["gain"]}])),
        """
        in:in.s0 = input
        in:in.s1 = input
        gain × 1
          a.gain = gain[gain=@a.gain.gain](in:in.s0)
        ~stft(a.gain) = stft(a.gain)
        ~a.lowpass = lowpass[cutoff=@a.lowpass.cutoff](~stft(a.gain))
        ~stft(in:in.s1) = stft(in:in.s1)
        ~b.highpass = highpass[cutoff=@b.highpass.cutoff](~stft(in:in.s1))
        ~sum:mix = ~a.lowpass + ~b.highpass
        istft(sum:mix) = istft(~sum:mix)
        gain × 1
          mix.gain = gain[gain=@mix.gain.gain](istft(sum:mix))
        output mix = mix.gain
        """,
        """
        in:in.s0 = input
        in:in.s1 = input
        region: 4 forward transforms, 2 masks, 2 inverse transforms
          a.gain = gain[gain=@a.gain.gain](in:in.s0)
          ~stft(a.gain) = stft(a.gain)
          ~stft(in:in.s1) = stft(in:in.s1)
          ~a.lowpass = lowpass[cutoff=@a.lowpass.cutoff](~stft(a.gain))
          ~b.highpass = highpass[cutoff=@b.highpass.cutoff](~stft(in:in.s1))
          ~sum:mix = ~a.lowpass + ~b.highpass
          istft(sum:mix) = istft(~sum:mix)
        gain × 1
          mix.gain = gain[gain=@mix.gain.gain](istft(sum:mix))
        output mix = mix.gain
        """,
    )


def test_fuse_keeps_the_order_of_what_it_leaves_alone() -> None:
    strips = [strip("a", ["gain"]), strip("b", ["gain"], stem="s1"), BUS]
    text = """
        in:in.s0 = input
        in:in.s1 = input
        gain × 1
          a.gain = gain[gain=@a.gain.gain](in:in.s0)
        gain × 1
          b.gain = gain[gain=@b.gain.gain](in:in.s0)
        sum:mix = a.gain + b.gain
        output mix = sum:mix
        """
    assert_rewrites(fuse.run, load(document(strips)), text, text)


def test_fuse_moves_only_what_has_to_wait_for_the_region() -> None:
    strips = [
        strip("a", ["lowpass", "gain"]),
        strip("b", ["gain"], stem="s1"),
        strip("c", ["highpass"]),
        BUS,
    ]
    assert_rewrites(
        fuse.run,
        load(document(strips)),
        """
        in:in.s0 = input
        in:in.s1 = input
        ~s = stft(in:in.s0)
        ~a.lowpass = lowpass[cutoff=@a.lowpass.cutoff](~s)
        low = istft(~a.lowpass)
        gain × 1
          a.gain = gain[gain=@a.gain.gain](low)
        gain × 1
          b.gain = gain[gain=@b.gain.gain](in:in.s1)
        ~c.highpass = highpass[cutoff=@c.highpass.cutoff](~s)
        high = istft(~c.highpass)
        sum:mix = a.gain + b.gain + high
        output mix = sum:mix
        """,
        """
        in:in.s0 = input
        in:in.s1 = input
        gain × 1
          b.gain = gain[gain=@b.gain.gain](in:in.s1)
        region: 2 forward transforms, 2 masks, 4 inverse transforms
          ~s = stft(in:in.s0)
          ~a.lowpass = lowpass[cutoff=@a.lowpass.cutoff](~s)
          ~c.highpass = highpass[cutoff=@c.highpass.cutoff](~s)
          low = istft(~a.lowpass)
          high = istft(~c.highpass)
        gain × 1
          a.gain = gain[gain=@a.gain.gain](low)
        sum:mix = a.gain + b.gain + high
        output mix = sum:mix
        """,
    )


TWO = load(document([strip("a", ["lowpass", "gain"]), strip("b", ["gain"], stem="s1"), BUS]))
FUSED = """
    in:in.s0 = input
    in:in.s1 = input
    region: 2 forward transforms, 1 masks, 2 inverse transforms
      ~stft(in:in.s0) = stft(in:in.s0)
      ~a.lowpass = lowpass[cutoff=@a.lowpass.cutoff](~stft(in:in.s0))
      istft(a.lowpass) = istft(~a.lowpass)
    gain × 1
      a.gain = gain[gain=@a.gain.gain](istft(a.lowpass))
    gain × 1
      b.gain = gain[gain=@b.gain.gain](in:in.s1)
    sum:mix = a.gain + b.gain
    output mix = sum:mix
    """
GROUPED = """
    in:in.s0 = input
    in:in.s1 = input
    region: 2 forward transforms, 1 masks, 2 inverse transforms
      ~stft(in:in.s0) = stft(in:in.s0)
      ~a.lowpass = lowpass[cutoff=@a.lowpass.cutoff](~stft(in:in.s0))
      istft(a.lowpass) = istft(~a.lowpass)
    gain × 2
      a.gain = gain[gain=@a.gain.gain](istft(a.lowpass))
      b.gain = gain[gain=@b.gain.gain](in:in.s1)
    sum:mix = a.gain + b.gain
    output mix = sum:mix
    """
APART = """
    in:in.s0 = input  (latency 0)
    in:in.s1 = input  (latency 0)
    region: 2 forward transforms, 1 masks, 2 inverse transforms  (latency 63)
      ~stft(in:in.s0) = stft(in:in.s0)
      ~a.lowpass = lowpass[cutoff=@a.lowpass.cutoff](~stft(in:in.s0))
      istft(a.lowpass) = istft(~a.lowpass)
    gain × 1  (latency 63)
      a.gain = gain[gain=@a.gain.gain](istft(a.lowpass))
    delay(in:in.s1, 10) = in:in.s1 delayed by 10  (latency 10)
    gain × 1  (latency 10)
      b.gain = gain[gain=@b.gain.gain](delay(in:in.s1, 10))
    delay(b.gain, 53) = b.gain delayed by 53  (latency 63)
    sum:mix = a.gain + delay(b.gain, 53)  (latency 63)
    output mix = sum:mix
    """


def test_group_stacks_calls() -> None:
    assert_rewrites(group.run, TWO, FUSED, GROUPED)


def test_align_delays_what_comes_too_early() -> None:
    # The transform is of 64 samples, so that its region lags by 63.
    lags = {"a.gain": Lag(lookahead=10), "b.gain": Lag(lookahead=10)}
    assert_rewrites(
        lambda plan: align.run(plan, lags),
        TWO,
        FUSED,
        """
        in:in.s0 = input  (latency 0)
        in:in.s1 = input  (latency 0)
        region: 2 forward transforms, 1 masks, 2 inverse transforms  (latency 63)
          ~stft(in:in.s0) = stft(in:in.s0)
          ~a.lowpass = lowpass[cutoff=@a.lowpass.cutoff](~stft(in:in.s0))
          istft(a.lowpass) = istft(~a.lowpass)
        gain × 1  (latency 63)
          a.gain = gain[gain=@a.gain.gain](istft(a.lowpass))
        delay(in:in.s1, 63) = in:in.s1 delayed by 63  (latency 63)
        gain × 1  (latency 63)
          b.gain = gain[gain=@b.gain.gain](delay(in:in.s1, 63))
        sum:mix = a.gain + b.gain  (latency 63)
        output mix = sum:mix
        """,
    )


def test_group_in_a_stream_leaves_calls_of_other_times_apart() -> None:
    assert_rewrites(
        group.run,
        TWO,
        APART,
        """
        in:in.s0 = input  (latency 0)
        in:in.s1 = input  (latency 0)
        delay(in:in.s1, 10) = in:in.s1 delayed by 10  (latency 10)
        region: 2 forward transforms, 1 masks, 2 inverse transforms  (latency 63)
          ~stft(in:in.s0) = stft(in:in.s0)
          ~a.lowpass = lowpass[cutoff=@a.lowpass.cutoff](~stft(in:in.s0))
          istft(a.lowpass) = istft(~a.lowpass)
        gain × 1  (latency 10)
          b.gain = gain[gain=@b.gain.gain](delay(in:in.s1, 10))
        delay(b.gain, 53) = b.gain delayed by 53  (latency 63)
        gain × 1  (latency 63)
          a.gain = gain[gain=@a.gain.gain](istft(a.lowpass))
        sum:mix = a.gain + delay(b.gain, 53)  (latency 63)
        output mix = sum:mix
        """,
        stream=True,
    )


def test_free_drops_values_after_their_last_use() -> None:
    assert_rewrites(
        free.run,
        TWO,
        GROUPED,
        """
        in:in.s0 = input
        in:in.s1 = input
        region: 2 forward transforms, 1 masks, 2 inverse transforms
          ~stft(in:in.s0) = stft(in:in.s0)
          ~a.lowpass = lowpass[cutoff=@a.lowpass.cutoff](~stft(in:in.s0))
          istft(a.lowpass) = istft(~a.lowpass)
          free in:in.s0
        gain × 2
          a.gain = gain[gain=@a.gain.gain](istft(a.lowpass))
          b.gain = gain[gain=@b.gain.gain](in:in.s1)
          free in:in.s1, istft(a.lowpass)
        sum:mix = a.gain + b.gain
          free a.gain, b.gain
        output mix = sum:mix
        """,
    )
