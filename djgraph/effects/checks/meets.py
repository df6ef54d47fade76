"""Conformance checks of what an effect meets in graphs: how many channels, which sample rates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from djgraph.effects.checks.any_effect import check_identity_of
from djgraph.effects.checks.bench import (
    Bench,
    CheckFailed,
    CheckInconclusive,
    CheckSkipped,
    WrongReturn,
    expect,
    expect_close,
    gradients,
)
from djgraph.effects.checks.cases import told
from djgraph.effects.checks.domain import compare_magnitude, stream
from djgraph.effects.contract import TimeEffect
from djgraph.errors import EffectError

STEREO = 2
"""Channels up to which every other check tries an effect."""
RATES = (22050, 44100, 48000, 96000)
"""Hz. Every other check is made at one of them."""
BEYOND = 1e6
"""How many times as large as its input an output may be: what lies past half the sample rate grows faster."""
ENDS = 6
ALIKE = 1e-6
"""What blocks may be off by, in float64: a line in a loop magnifies the rounding of where it is read."""


def check_channels(bench: Bench) -> None:
    """Signals of four and six channels keep their shape, come through at neutral, and stream, with gradients.

    An effect that takes fewer says so: by its ports (``Port("in", 2)``), or by ``conflicts()`` where settings decide.
    """
    if len(bench.channel_options) == 1:
        raise CheckSkipped(f"it takes {bench.channels} channels only, which all other checks try")
    wide = [count for count in bench.channel_options if count > STEREO]
    if not wide:
        raise CheckSkipped("conflicts() says that it takes no more than two channels")
    for channels in wide:
        with _in_words(f"with {channels} channels", lambda: _check_width(bench, bench.channels)):
            _check_width(bench, channels)


def check_sample_rates(bench: Bench) -> None:
    """At 22.05, 44.1, 48 and 96 kHz it can be built, controls have a range, and within it, ends included, output and
    gradients are finite, what is neutral is, and streams are what one call is.

    A cutoff of 20 kHz is none at 22.05 kHz: ``Control(below_rate=…)`` ends its range there. An effect that is not for
    some rate refuses it, by ``conflicts()`` or by an EffectError in ``__init__``.
    """
    others = [rate for rate in RATES if rate != bench.environment.sample_rate]
    refused = {}
    for rate in others:
        other = bench.at(rate)
        with _in_words(f"at {rate} Hz", lambda: _check_rate(bench)):
            if why := _refused(other):
                refused[rate] = why
            else:
                _check_rate(other)
    if len(refused) == len(others):
        raise CheckSkipped(f"it refuses all other sample rates: {refused[others[0]]}")


def _check_width(bench: Bench, channels: int) -> None:
    check_identity_of(bench, channels, f"{channels} channels")
    _check_stream(bench, channels)
    _check_finite(bench, channels)
    _check_dtypes(bench, channels)


def _check_rate(bench: Bench) -> None:
    channels = bench.fewest
    check_identity_of(bench, channels, f"{bench.environment.sample_rate} Hz")
    _check_bounded(bench, channels)
    _check_finite(bench, channels)
    if not bench.spectral:
        _check_stream(bench, channels)
    _check_magnitude(bench)


def _refused(bench: Bench) -> str | None:
    """Why the effect is not for the bench's sample rate, in its own words; None where it is."""
    for conflict in bench.conflicts(bench.use(bench.fewest)):
        return conflict.message
    try:
        bench.build()
    except CheckFailed:
        raise
    except EffectError as error:
        return str(error)
    return None


def _check_stream(bench: Bench, channels: int) -> None:
    """The whole against blocks, those that may write to their state among them."""
    effect = bench.build()
    if isinstance(effect, TimeEffect) and effect.memoryless:
        return
    samples = bench.long
    case = bench.case(batch=2, channels=channels, samples=samples, plateaus=True)
    cuts = [1, samples // 3, samples // 3 + 5, samples // 2]
    with torch.no_grad():
        whole = bench.run(effect, case)
        for owned in (False, True):
            streamed, state = stream(bench, effect, case, cuts, owned)
            for name, tensor in whole.items():
                expect_close(streamed[name], tensor, ALIKE, f"{name} in uneven blocks against one call")
    for name, tensor in state.items():
        expect(
            tensor.ndim > 0 and tensor.shape[0] == 2,
            f"state {name} is {tuple(tensor.shape)}, not batch first",
        )


def _check_finite(bench: Bench, channels: int) -> None:
    """Output and gradients of noise with controls at random and at ends of their ranges."""
    effect = bench.build(torch.float32)
    still, values = bench.corners(ENDS, channels=channels, dtype=torch.float32)
    case = still.leaves()
    outputs = bench.run(effect, case)
    for name, tensor in outputs.items():
        _expect_of_all(tensor.isfinite(), f"{name} is not finite", values)
    for name, gradient in gradients(bench.loss(outputs), case).items():
        _expect_of_all(gradient.isfinite(), f"gradient of {name} is not finite", values)


def _check_bounded(bench: Bench, channels: int) -> None:
    """A tenth of a second of noise and what rings on, in float32."""
    if bench.spectral or not bench.effect_class.inputs:
        return
    samples = bench.environment.sample_rate // 2
    case, values = bench.corners(ENDS, channels=channels, samples=samples, dtype=torch.float32)
    for tensor in case.audio.values():
        tensor[..., samples // 5 :] = 0
    with torch.no_grad():
        outputs = bench.run(bench.build(torch.float32), case)
    for name, tensor in outputs.items():
        _expect_of_all(tensor.abs() < BEYOND, f"{name} grows beyond all bounds", values)


def _check_dtypes(bench: Bench, channels: int) -> None:
    results: dict[torch.dtype, dict[str, Tensor]] = {}
    for dtype in (torch.float32, torch.float64):
        with torch.no_grad():
            results[dtype] = bench.run(bench.build(dtype), bench.case(channels=channels, dtype=dtype))
    for name, tensor in results[torch.float32].items():
        expect(tensor.dtype == torch.float32, f"{name} is {tensor.dtype} for torch.float32 input")
        expect_close(tensor, results[torch.float64][name], 1e-3, f"{name} in float32 against float64")


def _check_magnitude(bench: Bench) -> None:
    """The gain that it tells, where it tells one."""
    if isinstance(bench.build(), TimeEffect):
        try:
            compare_magnitude(bench, 1)
        except CheckSkipped:
            return


def _expect_of_all(good: Tensor, otherwise: str, values: list[dict[str, float]]) -> None:
    """Raise CheckFailed, with the controls of the first item that is not, unless all is good.

    good: ``[batch, …]``, of the cases of :meth:`Bench.corners` with these values, or of weights.
    """
    bad = (~good.flatten(1).all(1)).nonzero().flatten().tolist() if good.ndim else []
    if bad:
        raise CheckFailed(f"{otherwise} with {told(values[bad[0]])}")


@contextmanager
def _in_words(where: str, usual: Callable[[], None]) -> Iterator[None]:
    """What is found or raised inside says where: the number of channels, the sample rate.

    usual: the same where all other checks are made. Where that fails, too, it is for them to tell.
    """
    try:
        yield
    except CheckFailed as fault:
        try:
            usual()
        except CheckFailed as also:
            if not isinstance(fault, WrongReturn):
                raise CheckInconclusive(f"it fails not only {where}: {also}") from fault
        fault.args = (f"{where}: {fault}",)
        raise
    except Exception as error:
        error.add_note(where)
        raise
