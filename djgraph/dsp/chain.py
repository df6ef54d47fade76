"""Kernels one behind the other in one pass over memory, their controls drawn from frames on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from djgraph import simd
from djgraph.dsp.curve import Timeline
from djgraph.dsp.derivatives import followed
from djgraph.dsp.operators import as_operator

if TYPE_CHECKING:
    from djgraph.simd.chain import Linked, Links


@dataclass(frozen=True)
class LinkKernel:
    """A kernel with all that it is given beside a signal, curves and a state, as a link of a :class:`Chain`.

    Made by :func:`scale_link`, :func:`sweep_link` and :func:`three_bands_link`, and handed on by an effect
    (:meth:`djgraph.effects.TimeEffect.link`). name: of the compiled code in ``djgraph.simd``, as module.name. curves:
    how many it reads. states: numbers that it remembers of each signal. numbers: what else it is given.
    """

    name: str
    curves: int
    states: int
    numbers: tuple[float, ...] = ()

    def __call__(
        self, audio: Tensor, curves: Sequence[Tensor], state: Tensor | None = None
    ) -> tuple[Tensor, Tensor] | None:
        """The kernel by itself; None where compiled code does not run.

        audio: ``[batch, channels, samples]``, float32 on the CPU. curves: ``[batch, 1, samples]`` each. state:
        ``[batch, channels, states]``; None is rest. Returns the output and the state behind its last sample.
        """
        # Every sample is a frame.
        samples = audio.shape[-1]
        none = audio.new_zeros(0, len(audio), samples)
        rows = torch.cat([none, *(curve.expand(-1, -1, samples).movedim(1, 0) for curve in curves)])
        chain = Chain([(self, [ChainCurve((number,)) for number in range(len(curves))])])
        states = () if state is None else (state,)
        with torch.no_grad():
            if not chain.takes(rows, [audio], states):
                return None
            out, after = chain([audio], rows, Timeline(samples, samples), 0, [state])
        return out[0], after[0]


def scale_link() -> LinkKernel:
    """A signal times a curve, with no state: a fader."""
    return LinkKernel("scale.LINK", 1, 0)


@dataclass(frozen=True)
class ChainCurve:
    """A control of a link. rows: which row of the bank each node reads; smoothing: of its corners, in samples."""

    rows: tuple[int, ...]
    smoothing: float = 0.0


class Chain:
    """Links that several nodes run through, each node with controls of its own.

    links: a kernel, and its curves in order. Every curve has a row for each node. It computes what the kernels do when
    they are called one after the other with curves that were read before, to rounding: on CPUs, in single precision,
    and where no derivative is taken.
    """

    def __init__(self, links: Sequence[tuple[LinkKernel, Sequence[ChainCurve]]]) -> None:
        self.kernels = tuple(kernel for kernel, _ in links)
        self._curves = tuple(curve for _, curves in links for curve in curves)
        assert all(kernel.curves == len(curves) for kernel, curves in links)

    def takes(self, rows: Tensor, audio: Sequence[Tensor], states: Sequence[Tensor] = ()) -> bool:
        """Whether :meth:`__call__` computes this; else the effects do, one after the other."""
        tensors = [rows, *audio, *states]
        return (
            not as_operator(rows)
            and rows.dtype == torch.float32
            and simd.takes(rows)
            and all(
                type(one) is Tensor
                and one.dtype == torch.float32
                and one.device.type == "cpu"
                and not one.is_neg()  # a sign that its memory does not have
                for one in tensors
            )
            and not followed(tensors)
            and all(one.numel() for one in audio)
        )

    def __call__(
        self,
        audio: Sequence[Tensor],
        rows: Tensor,
        timeline: Timeline,
        start: int,
        states: Sequence[Tensor | None],
    ) -> tuple[Tensor, list[Tensor]]:
        """What comes out, ``[nodes, batch, channels, samples]``, and each link's state behind the last sample.

        audio: of each node ``[batch, channels, samples]``, or one stack of all of them. rows: of the bank, ``[rows,
        batch, frames]``. start: the clip's sample with which the audio begins. states: of each link, ``[nodes·batch,
        channels, states]``; None is rest.
        """
        from djgraph.simd import chain as compiled

        shape = audio[0].shape if audio[0].ndim == 4 else torch.Size((len(audio), *audio[0].shape))
        nodes, batch, channels, samples = shape
        count = nodes * batch * channels
        padded = -(-count // compiled.LANES) * compiled.LANES
        rows = rows.contiguous()
        whole = [one if one.stride(-1) == 1 or samples == 1 else one.contiguous() for one in audio]
        source = np.empty(padded, np.int64)
        place = 0
        for one in whole:
            offsets = _offsets(tuple(one.shape[:-1]), one.stride()[:-1], one.element_size())
            np.add(offsets, one.data_ptr(), out=source[place : place + len(offsets)])
            place += len(offsets)
        source[place:] = source[place - 1]
        out = torch.empty(shape, dtype=torch.float32, device="cpu")
        before = [
            torch.zeros(nodes * batch, channels, kernel.states, dtype=torch.float32, device="cpu")
            if state is None
            else state.contiguous()
            for kernel, state in zip(self.kernels, states)
        ]
        after = [torch.empty_like(state) for state in before]
        frames = 1 if timeline.constant else rows.shape[-1]
        compiled.run(
            compiled.Signals(source, out.data_ptr(), count, samples, compiled.LANES),
            compiled.Curves(
                rows.data_ptr(),
                rows.shape[-1],
                _rows_of(tuple(curve.rows for curve in self._curves), batch, channels, padded),
                timeline.places()[:frames],
                _halves(tuple(curve.smoothing for curve in self._curves)),
                timeline.samples,
                start,
            ),
            _links(self.kernels),
            compiled.Memory(_addresses(before), _addresses(after)),
        )
        return out, after


@lru_cache(maxsize=256)
def _offsets(lead: tuple[int, ...], strides: tuple[int, ...], size: int) -> NDArray[np.int64]:
    """Where each signal of a tensor begins, in bytes from its first."""
    offsets = np.zeros((), np.int64)
    for count, stride in zip(lead, strides):
        offsets = offsets[..., None] + np.arange(count) * (stride * size)
    return offsets.reshape(-1)


@lru_cache(maxsize=64)
def _rows_of(curves: tuple[tuple[int, ...], ...], batch: int, channels: int, lanes: int) -> NDArray[np.int64]:
    """The row of each curve and lane, of rows ``[rows·batch]``; lanes behind the signals have the last one's."""
    table = np.zeros((len(curves), lanes), np.int64)
    for number, rows in enumerate(curves):
        each = (np.array(rows)[:, None] * batch + np.arange(batch)).reshape(-1).repeat(channels)
        table[number, : len(each)] = each
        table[number, len(each) :] = each[-1]
    return table


@lru_cache(maxsize=64)
def _halves(smoothing: tuple[float, ...]) -> NDArray[np.float64]:
    return np.array(smoothing, np.float64) / 2


@cache
def _linked(name: str) -> Linked:
    module, _, attribute = name.partition(".")
    linked: Linked = getattr(import_module(f"djgraph.simd.{module}"), attribute)
    return linked


@lru_cache(maxsize=64)
def _links(kernels: tuple[LinkKernel, ...]) -> Links:
    from djgraph.simd import chain as compiled

    return compiled.links(
        [_linked(kernel.name) for kernel in kernels],
        [np.array(kernel.numbers, np.float64) for kernel in kernels],
    )


def _addresses(tensors: Sequence[Tensor]) -> NDArray[np.int64]:
    return np.array([one.data_ptr() for one in tensors], np.int64)
