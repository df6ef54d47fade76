"""Conformance checks for one domain only: streams and state of time effects, masks of spectral effects."""

from __future__ import annotations

import torch
from torch import Tensor

from djgraph.effects.checks.bench import (
    Bench,
    CheckInconclusive,
    CheckSkipped,
    expect,
    expect_close,
    gradients,
)
from djgraph.effects.checks.cases import Case, spread
from djgraph.effects.checks.twin_difference import twin_difference
from djgraph.effects.contract import Effect, SpectralEffect, State, TimeEffect
from djgraph.effects.twin import twin_of

TINY = 1e-9
CLOSE = 1e-3
ROUNDING = 1e-5
"""By how much two ways in single precision may differ."""
RINGING = (32, 512)
"""Sizes of the transform in which an impulse has died away: 1.5 s at 44.1 kHz, else 24 s."""

TWIN_BOUND = 0.25
"""By how many dB the gain of a causal twin may differ from that of its effect."""


def check_state(bench: Bench) -> None:
    """Every state tensor has the batch first, and keeps key, shape, dtype and device from block to block."""
    effect, case = bench.build(), bench.case(batch=3)
    first = bench.state(effect, case)
    if isinstance(effect, TimeEffect) and effect.memoryless:
        expect(not first, f"memoryless, but has state {', '.join(first)}")
    _, then = bench.process(effect, case, 0, case.samples, first)
    expect(set(then) == set(first), f"state {sorted(first)} became {sorted(then)}")
    for name, tensor in first.items():
        expect(
            tensor.ndim > 0 and tensor.shape[0] == 3,
            f"state {name} is {tuple(tensor.shape)}, not batch first",
        )
        same = (tensor.shape, tensor.dtype, tensor.device) == (
            then[name].shape,
            then[name].dtype,
            then[name].device,
        )
        expect(
            same, f"state {name} changes shape, dtype or device: {_what(tensor)} became {_what(then[name])}"
        )


def check_streaming(bench: Bench) -> None:
    """A signal cut into blocks, each with the state that the one before left, gives what one call gives.

    So do blocks that may write to their state (``block.owned``). Where an effect holds one and the same past in several
    forms, states are compared by what follows them; where it has ``foreign_memory``, they are not.
    """
    effect = bench.build()
    told = not getattr(effect, "foreign_memory", False)  # whether a state is all that it remembers
    for samples in (bench.samples, bench.long):
        case = bench.case(batch=2, samples=samples, plateaus=True)
        with torch.no_grad():
            state = bench.state(effect, case)
            whole, last = bench.process(effect, case, 0, samples, state)
            for what, cuts in _cuts(samples):
                for owned in (False, True):
                    how = f"{what}, the state written to," if owned else what
                    streamed, state = stream(bench, effect, case, cuts, owned)
                    for name, tensor in whole.items():
                        expect_close(streamed[name], tensor, 1e-8, f"{name} {how} against one call")
                    for name in last.keys() & state.keys() if told else ():
                        expect_close(
                            state[name], last[name], 1e-8, f"last state {name} {how} against one call"
                        )
                    if told and last.keys() != state.keys() and samples == bench.place(samples):
                        _continue_alike(bench, effect, samples, last, state, how)


def _continue_alike(bench: Bench, effect: Effect, since: int, one: State, other: State, how: str) -> None:
    case = bench.case(batch=2, samples=bench.long, seed=1)
    want, got = (bench.process(effect, case, 0, bench.long, state, since)[0] for state in (one, other))
    for name, tensor in want.items():
        expect_close(got[name], tensor, 1e-8, f"{name} behind the state {how} against one call")


def check_streaming_gradients(bench: Bench) -> None:
    """Gradients that flow back through the blocks of a stream are those of one call."""
    effect = bench.build()
    case = bench.case(batch=2, samples=bench.long, plateaus=True).leaves()
    whole = gradients(bench.loss(bench.run(effect, case)), case)
    streamed, _ = stream(bench, effect, case, [1000, 1001, bench.long // 2])
    for name, gradient in gradients(bench.loss(streamed), case).items():
        expect_close(gradient, whole[name], 1e-8, f"gradient of {name} in blocks against one call")


def check_memoryless(bench: Bench) -> None:
    """A time effect that says ``memoryless`` gives for any stretch alone what it gives there in the whole."""
    effect = bench.build()
    if not (isinstance(effect, TimeEffect) and effect.memoryless):
        raise CheckSkipped("it does not say that it is memoryless")
    case = bench.case(plateaus=True)
    whole = bench.run(effect, case)
    for start, end in ((0, 1), (1, 700), (500, case.samples), (case.samples - 1, case.samples)):
        part, _ = bench.process(effect, case, start, end, {})
        for name, tensor in whole.items():
            expect_close(part[name], tensor[..., start:end], TINY, f"{name} of samples {start}…{end} alone")


def check_link(bench: Bench) -> None:
    """The kernel that an effect says it is, with its controls and its state, gives what process() gives."""
    effect = bench.build(torch.float32)
    link = effect.link() if isinstance(effect, TimeEffect) else None
    if not isinstance(effect, TimeEffect) or link is None:
        raise CheckSkipped("it is no single kernel")
    case = bench.case(dtype=torch.float32, plateaus=True)
    first = bench.state(effect, case)
    expect(
        set(first) == {link.state} - {None}, f"its state is {sorted(first)}, and link() says {link.state!r}"
    )
    expect(not any(bool(part.any()) for part in first.values()), "its first state is not all zeros")
    unknown = set(link.controls) - {control.id for control in effect.controls if control.rate == "sample"}
    expect(not unknown, f"link() reads {sorted(unknown)}, no controls of rate sample")
    audio, state = case.audio["in"], None
    for start, end in ((0, 700), (700, case.samples)):
        curves = [case.controls[name][..., start:end] for name in link.controls]
        made = link.kernel(audio[..., start:end], curves, state)
        if made is None:
            raise CheckInconclusive("compiled code does not run here")
        out, state = made
        want, first = bench.process(effect, case, start, end, first)
        expect_close(out, want["out"], ROUNDING, "what its kernel makes against what process() makes")
        for name, part in first.items():
            expect_close(state, part, ROUNDING, f"the state of its kernel against {name}")


def check_magnitude(bench: Bench) -> None:
    """magnitude(), where an effect has one, is the spectrum of what it makes of an impulse; and frequency_response(),
    where it has that, with its phase."""
    compare_magnitude(bench, 4)


def compare_magnitude(bench: Bench, tries: int) -> None:
    """The same for so many settings of the controls."""
    effect = bench.build()
    random = torch.Generator().manual_seed(0)
    size, bins = bench.environment.transform.size, bench.environment.transform.bins
    for seed in range(tries):
        units = torch.rand(len(bench.controls), generator=random, dtype=torch.float64, device="cpu")
        values = {c.id: float(spread(c, unit)) for c, unit in zip(bench.controls, units)}
        resting = {
            name: torch.full((1, 1, 1), value, dtype=torch.float64, device="cpu")
            for name, value in values.items()
        }
        gain = effect.magnitude(resting)
        if gain is None:
            raise CheckSkipped("it has no magnitude()")
        want = gain.detach().expand(1, 1, bins)
        expect(not bool((want < 0).any()), f"magnitude() is below 0 with {values}")
        scale = want.max().clamp(min=1)
        method, response = "magnitude()", effect.frequency_response(resting)
        if response is not None:
            method = "frequency_response()"
            response = response.detach().expand(1, 1, bins)
            expect_close(
                response.abs(), want, TINY, f"magnitude() against frequency_response() with {values}"
            )
            want = response
        for ringing in RINGING:
            case = bench.case(batch=1, samples=ringing * size, values=values, audio="impulse", seed=seed)
            with torch.no_grad():
                (out,) = bench.run(effect, case).values()
            got = torch.fft.rfft(out)[..., ::ringing]
            got = got if want.is_complex() else got.abs()
            if float(((got - want) / scale).abs().max()) < CLOSE:
                break
        else:
            what = f"spectrum of an impulse against {method} with {values}"
            expect_close((got - want).abs() / scale, torch.zeros_like(got.real), CLOSE, what)


def check_mask_range(bench: Bench) -> None:
    """The mask is real and never negative, anywhere in range."""
    effect = bench.build()
    assert isinstance(effect, SpectralEffect)
    ends = [{}, *({c.id: end} for c in bench.controls for end in (c.min, c.max))]
    for seed, values in enumerate([*ends, *({} for _ in range(4))]):
        case = bench.case(values=values, seed=seed)
        mask = effect.mask(case.controls).detach()
        expect(not mask.is_complex(), "the mask is complex; a spectral effect is a real gain")
        lowest = float(mask.min())
        expect(
            lowest >= 0, f"the mask goes down to {lowest:.6g}; a gain is 0 or more ({values or 'at random'})"
        )


def check_mask_frames(bench: Bench) -> None:
    """Frame t of the mask depends on frame t of the controls only."""
    effect = bench.build()
    assert isinstance(effect, SpectralEffect)
    per_frame = [control.id for control in effect.controls if control.rate == "frame"]
    if not per_frame:
        raise CheckSkipped("it reads no control per frame")
    case = bench.case()
    whole = bench.run(effect, case)["mask"]
    for frame in range(whole.shape[1]):
        one = {name: t[:, frame : frame + 1] if name in per_frame else t for name, t in case.controls.items()}
        part = effect.mask(one).expand(case.batch, 1, bench.environment.transform.bins)
        expect_close(
            part, whole[:, frame : frame + 1], TINY, f"frame {frame} of the mask, alone against in the clip"
        )


def check_causal_twin(bench: Bench) -> None:
    """Its causal twin has the gain of the mask to 0.25 dB, from 20 Hz to 16 kHz where that is above -30 dB."""
    effect = bench.effect_class
    assert issubclass(effect, SpectralEffect)
    twin = twin_of(effect)
    if twin is None:
        raise CheckSkipped("it has no causal twin")
    if fault := twin.fault(bench.settings, bench.environment):
        raise CheckSkipped(f"it has no causal twin with these settings: {fault}")
    difference = twin_difference(effect, bench.settings, bench.environment)
    expect(
        difference.decibels <= TWIN_BOUND,
        f"the causal twin's gain is {difference.causal:.2f} dB instead of {difference.studio:.2f} dB"
        f" at {difference.frequency:.0f} Hz"
        f" with {', '.join(f'{name} {value:g}' for name, value in difference.controls.items()) or 'no controls'}",
    )


def stream(
    bench: Bench, effect: Effect, case: Case, cuts: list[int], owned: bool = False
) -> tuple[dict[str, Tensor], State]:
    """owned: the effect may write to its state. What it gave before must not change by that."""
    cuts = sorted({bench.place(cut) for cut in cuts} - {0})
    state = bench.state(effect, case)
    parts: list[dict[str, Tensor]] = []
    for start, end in zip([0, *cuts], [*cuts, case.samples], strict=True):
        outputs, state = bench.process(effect, case, start, end, state, owned=owned)
        parts.append(outputs)
    return {name: torch.cat([part[name] for part in parts], -1) for name in parts[0]}, state


def _cuts(samples: int) -> list[tuple[str, list[int]]]:
    return [
        ("in two halves", [samples // 2]),
        ("one sample, one sample, the rest", [1, 2]),
        ("all but the last sample, then that", [samples - 1]),
        ("in blocks of 512", list(range(512, samples, 512))),
        ("in uneven blocks", [samples // 7, samples // 7 + 3, samples // 2, samples - samples // 5]),
    ]


def _what(tensor: Tensor) -> str:
    return f"{tensor.dtype} {tuple(tensor.shape)} on {tensor.device}"
