"""A spectral region in operations that autograd knows, all frames at once.

Its derivatives other than the first are taken of this. Few frames, as in the blocks of a stream, run the quickest so:
the work is little, and there is nothing to arrange.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph.controls.reader import read_at, read_control
from djgraph.dsp import stft
from djgraph.dsp.resident import resident
from djgraph.effects import Block
from djgraph.region.clip import Clip
from djgraph.region.prologue import run_prologue
from djgraph.region.schedule import Prologue, PrologueStep, RegionSchedule, ScaleStep
from djgraph.region.stacks import Stacks


def mix_plainly(clip: Clip, rows: Tensor, sources: Sequence[Tensor] | Tensor) -> Tensor:
    """The region's results, ``[results, batch, channels, samples]``; rows: ``[rows, batch, frames]`` of the bank.

    sources: ``[batch, channels, samples]`` each, from sample ``clip.origin`` on; also as one tensor.
    """
    schedule, transform = clip.schedule, clip.schedule.transform
    size, hop = transform.size, transform.hop
    start, stop = clip.first * hop - size // 2, (clip.frames - 1) * hop - size // 2 + size
    windows = clip.windows(rows)
    if start >= 0 and stop <= clip.samples:
        audio = _strips(clip, rows, sources, (start, stop))
    else:
        given = clip.origin, clip.origin + sources[0].shape[-1]
        places = stft.reflect_index(torch.arange(start, stop, device=rows.device), clip.samples)
        audio = _strips(clip, rows, sources, given)[..., places - clip.origin]
    spectra = torch.fft.rfft(audio.unfold(-1, size, hop) * windows.analysis)
    mixed = _mix(schedule, spectra, _gains(clip, rows))
    padded = stft.overlap_add(torch.fft.irfft(mixed, n=size), windows.synthesis, hop)
    first, last = clip.out
    if (first, last) != (start, stop):
        padded = padded[..., first - start : last - start]
    if windows.ends:
        padded = padded * windows.correct(padded.new_ones(last - first), first)
    return padded


def _mix(schedule: RegionSchedule, spectra: Tensor, gains: Sequence[Tensor]) -> Tensor:
    """The results' spectra from the strips', ``[…, batch, channels, frames, bins]``."""
    values = Stacks()
    values.put(schedule.sources, spectra)
    for step in schedule.steps:
        taken = values.gather(step.ins)
        if isinstance(step, ScaleStep):
            product, *factors = (gains[group][low:high] for group, low, high in step.factors)
            for factor in factors:
                product = product * factor
            values.put(step.outs, taken * product.unsqueeze(2))
        else:
            values.put((step.out,), taken.sum(0, keepdim=True))
        values.drop(step.forgets)
    return values.gather(schedule.results)


def _strips(clip: Clip, rows: Tensor, sources: Sequence[Tensor] | Tensor, span: tuple[int, int]) -> Tensor:
    """All strips behind their effects without memory, on a span of samples: ``[strips, batch, channels, samples]``."""
    low, high = span[0] - clip.origin, span[1] - clip.origin
    stacked = sources if isinstance(sources, Tensor) else torch.stack(list(sources))
    audio = stacked[..., low:high]
    parts = []
    position = 0
    for prologue in clip.schedule.prologues:
        strips = audio[position : position + prologue.strips] if prologue.strips < len(audio) else audio
        parts.append(_processed(clip, prologue, rows, strips, span) if prologue.steps else strips)
        position += prologue.strips
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _processed(clip: Clip, prologue: Prologue, rows: Tensor, strips: Tensor, span: tuple[int, int]) -> Tensor:
    """Strips ``[strips, batch, channels, samples]`` behind one prologue's effects."""
    schedule, hop = clip.schedule, clip.schedule.transform.hop

    def read(step: PrologueStep) -> dict[str, Tensor]:
        controls = {}
        for control, number in step.controls:
            _, index, held = schedule.curves[number]
            values = rows[resident(index, rows.device)]
            curve = read_control(control, values, held, clip.timeline, span, schedule.sample_rate, hop)
            controls[control.id] = curve.flatten(0, 1).unsqueeze(1)
        return controls

    block = Block(span[0], span[1] - span[0], schedule.sample_rate)
    return run_prologue(prologue, strips, read, block).to(strips.dtype)


def _gains(clip: Clip, rows: Tensor) -> list[Tensor]:
    """For each group of spectral nodes their gains, ``[nodes, batch, frames, bins]``."""
    schedule, batch = clip.schedule, clip.batch
    if not schedule.masks:
        return []
    centres = stft.frame_positions(clip.samples, schedule.transform.hop, clip.first, clip.frames, rows.device)
    values = rows[resident(schedule.mask_rows, rows.device)]
    curves = read_at(values, schedule.mask_held, clip.timeline, centres).flatten(0, 1).unsqueeze(-1)
    once = values[..., :1].flatten(0, 1).unsqueeze(-1)
    gains = []
    for group in schedule.masks:
        read = {
            control.id: (once if group.constant or control.rate == "clip" else curves)[
                low * batch : high * batch
            ]
            for control, low, high in group.controls
        }
        shape = (group.nodes * batch, clip.frames - clip.first, schedule.transform.bins)
        gains.append(group.call.mask(read, shape).unflatten(0, (group.nodes, batch)))
    return gains
