"""A spectral region in operations that autograd knows, on a whole clip: what its other derivatives are taken of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.controls.reader import read_at, read_control
from djgraph.dsp import stft
from djgraph.effects import Block
from djgraph.region.clip import Clip
from djgraph.region.prologue import run_prologue
from djgraph.region.schedule import Prologue, PrologueStep, Scale


def mix_plainly(clip: Clip, rows: Tensor, sources: Sequence[Tensor]) -> Tensor:
    """The region's results, ``[results, batch, channels, samples]``; rows: ``[rows, batch, frames]`` of the bank."""
    schedule, transform = clip.schedule, clip.schedule.transform
    size, hop = transform.size, transform.hop
    start, stop = clip.first * hop - size // 2, (clip.frames - 1) * hop - size // 2 + size
    windows = clip.windows(rows)
    places = stft.reflect_index(torch.arange(start, stop, device=rows.device), clip.samples) - clip.origin
    values: dict[str, Tensor] = {}
    position = 0
    for prologue in schedule.prologues:
        names = schedule.sources[position : position + prologue.strips]
        strips = _strips(clip, prologue, rows, sources[position : position + prologue.strips])
        spectra = torch.fft.rfft(strips[..., places].unfold(-1, size, hop) * windows.analysis)
        values.update(zip(names, spectra.unbind(0)))
        position += prologue.strips
    gains = _gains(clip, rows)
    for step in schedule.steps:
        if isinstance(step, Scale):
            for row, (source, out) in enumerate(zip(step.ins, step.outs)):
                values[out] = values[source]
                for group, low, _ in step.factors:
                    values[out] = values[out] * gains[group][low + row].unsqueeze(1)
        else:
            values[step.out] = torch.stack([values[name] for name in step.ins]).sum(0)
    results = torch.stack([values[name] for name in schedule.results])
    padded = stft.overlap_add(torch.fft.irfft(results, n=size), windows.synthesis, hop)
    first, last = clip.out
    ends = windows.correct(torch.ones(last - first, dtype=padded.dtype, device=padded.device), first)
    return padded[..., first - start : last - start] * ends


def _strips(clip: Clip, prologue: Prologue, rows: Tensor, sources: Sequence[Tensor]) -> Tensor:
    """Strips behind their effects without memory, ``[strips, batch, channels, samples]``."""
    schedule, hop = clip.schedule, clip.schedule.transform.hop
    length = sources[0].shape[-1]
    span = clip.origin, clip.origin + length

    def read(step: PrologueStep) -> dict[str, Tensor]:
        controls = {}
        for control, number in step.controls:
            _, index, held = schedule.curves[number]
            values = rows[index.to(rows.device)]
            curve = read_control(control, values, held, clip.timeline, span, schedule.sample_rate, hop)
            controls[control.id] = curve.flatten(0, 1).unsqueeze(1)
        return controls

    return run_prologue(prologue, sources, read, Block(clip.origin, length, schedule.sample_rate))


def _gains(clip: Clip, rows: Tensor) -> list[Tensor]:
    """For each group of spectral nodes their gains, ``[nodes, batch, frames, bins]``."""
    schedule = clip.schedule
    centres = stft.frame_positions(clip.samples, schedule.transform.hop, clip.first, clip.frames, rows.device)
    values = rows[schedule.mask_rows.to(rows.device)]
    curves = read_at(values, schedule.mask_held, clip.timeline, centres)
    made = []
    for group in schedule.masks:
        read = {}
        for control, low, high in group.controls:
            once = group.constant or control.rate == "clip"
            read[control.id] = (values[..., :1] if once else curves)[low:high].flatten(0, 1).unsqueeze(-1)
        shape = (group.nodes * clip.batch, clip.frames - clip.first, schedule.transform.bins)
        made.append(group.call.mask(read, shape).unflatten(0, (group.nodes, clip.batch)))
    return made
