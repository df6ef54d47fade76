"""Conformance checks of how time effects begin and end: latency, tail, and that nothing grows by itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from djgraph.arguments import is_whole
from djgraph.effects.checks.bench import (
    Bench,
    CheckFailed,
    CheckInconclusive,
    CheckSkipped,
    expect,
    expect_close,
)
from djgraph.effects.checks.cases import Case, told
from djgraph.effects.contract import TimeEffect

TINY = 1e-9
BURST = 4096
LONGEST_TAIL = 20
"""Seconds of a tail that are waited for."""
WATCHED = 2
"""Seconds for which an effect without a declared end is watched."""
ITEMS = 6
MOVING, FEWER = 14, 8
"""Items of which half have controls that move while the input sounds; fewer where that takes more than a second."""
TOO_LONG, FAR_TOO_LONG = 2, 20
"""How many times as long as what was heard a tail may be said to be: the longest is not always among what is tried."""
CUT = (1e-6, 1e-13)
"""What ends for good falls from above the one to below the other, relative to the peak, from one sample to the next."""

STABLE_SECONDS, WINDOWS = 6, 12
GROWTH, EVENLY = 1.002, 1.05
"""A pole outside of the unit circle makes each window louder than the one before, by the same ratio."""
OUTGROWN = 30.0
LEVELS = (0.3, 30.0)
"""Of the input, one after the other: what is bounded, by saturation, does not grow from the louder one."""


def check_latency_and_tail(bench: Bench) -> None:
    """latency() and tail() are whole numbers; after the tail a time effect is silent, and not long before."""
    effect = bench.build()
    latency, tail = effect.latency(), effect.tail()
    expect(is_whole(latency) and latency >= 0, f"latency() is {latency!r}; a number of samples from 0")
    expect(tail is None or (is_whole(tail) and tail >= 0), f"tail() is {tail!r}; a number of samples or None")
    if isinstance(effect, TimeEffect) and effect.memoryless:
        expect(latency == 0, f"memoryless, but latency() is {latency}: a graph with it is refused")
    if bench.spectral or not effect.inputs:
        return
    rate = bench.environment.sample_rate
    if tail is not None and tail > LONGEST_TAIL * rate:
        raise CheckInconclusive(f"its tail is longer than {LONGEST_TAIL} s")
    # What is played slower or later, as a platter that stops, lags by no more than what was heard before.
    burst = max(BURST, tail or 0)
    began = burst + latency
    samples = began + (WATCHED * rate if tail is None else tail + bench.long)
    items = MOVING if burst < rate else FEWER
    case, _ = bench.corners(items, (burst // 2, burst - 64), samples=samples, channels=bench.fewest)
    _end(case, burst)
    with torch.no_grad():
        outputs = bench.run(effect, case)
    if tail is None:
        ends = [_cut(sound) for tensor in outputs.values() for sound in tensor.abs().amax(1)]
        last = max((end for end in ends if end is not None), default=0)
        if None not in ends and last and last <= samples - bench.long:
            # It may be a line longer than that is watched, or what another library does not tell.
            raise CheckInconclusive(
                f"tail() is None, but with all controls tried it is silent {max(last - began, 0)} samples after its "
                f"input has ended, {WATCHED} s long; say how many samples go on sounding at most, if that is known"
            )
        return
    heard = 0
    for name, tensor in outputs.items():
        rest = tensor[..., began + tail :]
        expect_close(
            rest,
            torch.zeros_like(rest),
            TINY,
            f"{name} after the input and {tail} samples of tail have ended",
        )
        sounding = (tensor.abs() > TINY).flatten(0, 1).any(0).nonzero()
        heard = max(heard, int(sounding[-1]) + 1 - began if len(sounding) else 0)
    if effect.uses_clock:  # a tempo slower than those tried may need it
        return
    found = f"tail() is {tail} samples, but with all controls tried it is silent after {heard}"
    expect(tail <= FAR_TOO_LONG * heard + rate // 20, found)
    if tail > TOO_LONG * heard + rate // 20:
        raise CheckInconclusive(found)


def _end(case: Case, samples: int) -> None:
    for tensor in case.audio.values():
        tensor[..., samples:] = 0


def _cut(sound: Tensor) -> int | None:
    """The sample at which a sound, [samples], ends for good; 0 where there is none, None where it dies away."""
    peak = float(sound.max())
    if not peak > 0:
        return 0
    end = int((sound > CUT[0] * peak).nonzero()[-1]) + 1
    after = sound[end:]
    return end if not len(after) or float(after.max()) < CUT[1] * peak else None


def check_lag(bench: Bench) -> None:
    """Where no neutral value tells its latency, the output is most like the input as late as latency() says."""
    cls, effect = bench.effect_class, bench.build()
    if bench.spectral or not cls.inputs:
        raise CheckSkipped("it has no input" if not cls.inputs else "it has no latency of its own")
    if isinstance(effect, TimeEffect) and effect.memoryless:
        raise CheckSkipped("it is memoryless")
    if cls.controls and all(control.neutral is not None for control in cls.controls):
        raise CheckSkipped("its latency is seen at neutral (check_identity_at_neutral)")
    latency = effect.latency()
    case, _ = bench.corners(ITEMS, samples=bench.long + latency, channels=bench.fewest)
    with torch.no_grad():
        out = bench.run(effect, case)[cls.outputs[0].name].mean(1)
    sound = case.audio[cls.inputs[0].name].mean(1)
    size = 2 * sound.shape[-1]
    alike = torch.fft.irfft(torch.fft.rfft(out, size) * torch.fft.rfft(sound, size).conj(), size)
    energy = (out.square().sum(-1) * sound.square().sum(-1)).sqrt()
    best, lags = alike[..., : size // 2].abs().max(-1)
    alikeness = best / energy.clamp(min=1e-30)
    clear = alikeness > 0.5
    lags = lags[clear]
    if not len(lags) or bool((lags != lags[0]).any()):
        if latency:
            raise CheckInconclusive(
                f"its output is like its input at no lag, or at several, so nothing tells whether latency() {latency} "
                "is right"
            )
        return
    lag, sharp = int(lags[0]), float(alikeness[clear].max()) > 0.95
    if latency:
        expect(
            abs(lag - latency) <= (0 if sharp else max(8, latency // 20)),
            f"latency() is {latency}, but its output is most like its input {lag} samples late",
        )
    elif lag and sharp:
        raise CheckInconclusive(
            f"its output is its input {lag} samples late whatever its controls, and latency() is 0: right where that "
            "delay is what it is for, else latency() has to tell it"
        )


def check_stability(bench: Bench) -> None:
    """After its input has ended the sound of a time effect does not grow without bounds, whatever its controls."""
    effect = bench.build(torch.float32)
    if not effect.inputs:
        raise CheckSkipped("it has no input")
    if isinstance(effect, TimeEffect) and effect.memoryless:
        raise CheckSkipped("it is memoryless: nothing is carried on")
    rate = bench.environment.sample_rate
    for level in LEVELS:
        case, values = bench.corners(
            ITEMS, samples=STABLE_SECONDS * rate, channels=bench.fewest, dtype=torch.float32
        )
        for tensor in case.audio.values():
            tensor.mul_(level / LEVELS[0])
        _end(case, rate // 4)
        with torch.no_grad():
            outputs = bench.run(effect, case)
        grows = {}
        for name, tensor in outputs.items():
            for item, sound in enumerate(tensor.double().abs().amax(1)):
                where = f"{name} with {told(values[item])}"
                if not bool(sound.isfinite().all()):
                    raise CheckFailed(f"{where} grows beyond all bounds after its input has ended")
                if ratio := _growth(sound):
                    grows[where] = ratio
        if not grows:
            return
    where, ratio = max(grows.items(), key=lambda one: one[1])
    seconds = STABLE_SECONDS / WINDOWS
    raise CheckFailed(
        f"{where} grows by {20 * math.log10(ratio) / seconds:.2g} dB a second after its input has ended: "
        "a pole lies outside of the unit circle"
    )


def _growth(sound: Tensor) -> float | None:
    """The ratio by which a sound, [samples], grows from window to window; None where it does not keep growing."""
    windows = sound[: len(sound) // WINDOWS * WINDOWS].view(WINDOWS, -1).square().mean(-1).sqrt()
    late = windows[WINDOWS // 2 :]
    if not float(late.min()) > 1e-6:
        return None
    ratios = late[1:] / late[:-1]
    low, high = float(ratios.min()), float(ratios.max())
    evenly = low > GROWTH and high < EVENLY * low
    outgrown = low >= 1 and float(late[-1]) > OUTGROWN * float(windows[: WINDOWS // 4].max())
    return high if evenly or outgrown else None
