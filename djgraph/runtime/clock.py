"""Musical time: tempo and beats at every sample, from frames of tempo.

Between frames the tempo is a straight line. The beats at sample n are the sum of tempo(m)/(60·rate) over the samples
before it, so that each sample's tempo leads to the next one's beat. That sum has a closed form in every segment, and
is computed with it: the beats at a sample depend on the frames before it and on nothing else, not on how long the clip
is nor on where a block begins. All of it is float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.arguments import FASTEST, SLOWEST, is_real, shown
from djgraph.dsp.curve import Timeline
from djgraph.dsp.hold import hold_frames
from djgraph.dsp.placed import PlacedTimeline, timeline_of
from djgraph.effects import Clock
from djgraph.errors import InputError
from djgraph.runtime.outputs import reads_values


def make_clock(
    tempo: float | Tensor | None,
    batch: int,
    samples: int,
    sample_rate: int,
    like: Tensor,
    positions: Tensor | None = None,
) -> Clock | None:
    """The clock of a clip from a tempo in BPM: a number, ``[batch]``, or ``[batch, frames]``. Beat 0 is sample 0.

    Frames are spread over the clip, or lie at ``positions``, ``[frames]``. Both results are ``[batch, 1, samples]`` in
    float64: in float32 the beats of a long clip would be off by hundredths of a beat. Raises InputError for tempos
    outside 0.1…100,000 BPM and shapes that do not fit.
    """
    if tempo is None:
        return None
    bpm = check_tempo(tempo, batch, like, None if positions is None else len(positions)).expand(batch, -1)
    timeline = timeline_of(samples, bpm.shape[1], None if bpm.shape[1] == 1 else positions)
    first = bpm.new_zeros(batch)
    if isinstance(timeline, PlacedTimeline):
        first = -beats_at(timeline, bpm, torch.zeros_like(timeline.positions[:1]), sample_rate, first)[:, 0]
    return clock_span(timeline, bpm, 0, samples, sample_rate, first)


def clock_span(
    timeline: Timeline, tempo: Tensor, start: int, stop: int, sample_rate: int, first: Tensor
) -> Clock:
    """The clock on samples ``start…stop−1``, without a look at those before.

    tempo: BPM, ``[batch, frames]``, float64. first: the beats at the first frame's sample, ``[batch]``, float64. So a
    stream that drops frames keeps the beats at the first one that is left: :func:`beats_at` its position. The beats are
    the same to the last bit, whichever blocks they are read in. Returns tempo and beats, ``[batch, 1, stop − start]``.
    """
    curve = timeline.read_samples(tempo, start, stop)
    places = torch.arange(start, stop, device=tempo.device)
    index = timeline.last_frames(start, stop, tempo.device)
    beats = _beats(_segments(timeline, tempo, sample_rate, first), index, places, sample_rate)
    return Clock(curve.unsqueeze(1), beats.unsqueeze(1))


def beats_at(timeline: Timeline, tempo: Tensor, places: Tensor, sample_rate: int, first: Tensor) -> Tensor:
    """The beats at samples ``places``, ``[points]``, int64, ascending: ``[batch, points]``.

    The other arguments are those of :func:`clock_span`.
    """
    segments = _segments(timeline, tempo, sample_rate, first)
    return _beats(segments, timeline.last_frame(places), places, sample_rate)


@dataclass(frozen=True)
class _Segments:
    """Between one frame and the next. start: the first sample on or behind each frame, ``[frames]``. rows: tempo at
    the frame, its change per sample, the tempo's lead (what it has changed from the frame to ``start``), and the
    beats at ``start``: ``[4, batch, frames]``.
    """

    start: Tensor
    rows: Tensor


def _segments(timeline: Timeline, tempo: Tensor, sample_rate: int, first: Tensor) -> _Segments:
    steps, length = timeline.frames - 1, timeline.samples - 1
    if timeline.constant:
        tempo = tempo[:, :1]
        start = timeline.last_frame(torch.zeros(1, dtype=torch.int64, device=tempo.device))
        if isinstance(timeline, PlacedTimeline):
            start = timeline.positions[:1].to(tempo.device)
        gap, late = tempo.new_ones(0), tempo.new_zeros(1)
    elif isinstance(timeline, PlacedTimeline):
        start = timeline.positions.to(tempo.device)
        gap, late = start.diff().to(tempo.dtype), tempo.new_zeros(timeline.frames)
    else:
        exact = torch.arange(timeline.frames, device=tempo.device) * length
        start = -torch.div(-exact, steps, rounding_mode="floor")
        gap = tempo.new_full((steps,), length / steps)
        late = (start * steps - exact).to(tempo.dtype) / steps
    slope = torch.nn.functional.pad(tempo.diff(dim=-1) / gap, (0, 1))
    count = start.diff().to(tempo.dtype)
    lead = slope * late
    passed = (tempo + lead)[:, :-1] * count + slope[:, :-1] * (count * (count - 1) / 2)
    begun = torch.cat((first[:, None], passed / (60 * sample_rate)), dim=-1).cumsum(-1)
    return _Segments(start, torch.stack((tempo, slope, lead, begun)))


def _beats(segments: _Segments, index: Tensor, places: Tensor, sample_rate: int) -> Tensor:
    """The beats at samples ``places`` whose last frame ``index`` says."""
    tempo, slope, lead, begun = hold_frames(segments.rows, index)
    count = (places - segments.start.index_select(0, index)).to(tempo.dtype)
    # Before the first frame its tempo holds.
    sloping = count.clamp(min=0)
    return begun + (tempo * count + lead * sloping + slope * (sloping * (sloping - 1) / 2)) / (
        60 * sample_rate
    )


def check_tempo(tempo: float | Tensor, batch: int, like: Tensor, placed: int | None = None) -> Tensor:
    """The tempo as ``[batch or 1, frames]`` in float64; ``placed``: how many positions its frames have.

    Raises InputError for tempos outside 0.1…100,000 BPM and shapes that do not fit.
    """
    expected = f"expected {SLOWEST:g} to {FASTEST:,.0f} BPM"
    number = not isinstance(tempo, Tensor) and is_real(tempo)
    if number and not SLOWEST <= tempo <= FASTEST:
        raise InputError(f"tempo is {shown(tempo)}; {expected}")
    try:
        if number:  # filled in there: a copy from the CPU would have to be waited for
            bpm = torch.full((), float(tempo), dtype=torch.float64, device=like.device)
        else:
            bpm = torch.as_tensor(tempo, dtype=torch.float64, device=like.device)
    except (TypeError, ValueError, RuntimeError) as problem:
        raise InputError(
            f"tempo must be a number, [batch] or [batch, frames], not {shown(tempo)}; where its frames lie, "
            "positions= says"
        ) from problem
    if bpm.ndim == 0:
        bpm = bpm.expand(batch)
    if bpm.ndim == 1:
        bpm = bpm.unsqueeze(-1)
    if bpm.ndim != 2 or bpm.shape[0] not in (1, batch) or bpm.shape[1] == 0:
        raise InputError(
            f"tempo must be a number, [batch] or [batch, frames], but has the shape {list(bpm.shape)}"
        )
    if placed is not None and bpm.shape[1] not in (1, placed):
        raise InputError(
            f"tempo has {bpm.shape[1]} frames, but there are {placed} positions; give one tempo for each, or one"
        )
    if reads_values(like.device):
        wrong = ~((bpm >= SLOWEST) & (bpm <= FASTEST))
        if bool(wrong.any()):
            raise InputError(f"tempo is {float(bpm[wrong][0]):g}; {expected}")
    return bpm
