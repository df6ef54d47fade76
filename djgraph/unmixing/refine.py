"""Start and rate of every passage to a fraction of a sample, from where they nearly are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.alignment import Passage
from djgraph.decks import Warp
from djgraph.fitting.bands import Bands
from djgraph.unmixing.cells import FRAMES, Cells
from djgraph.unmixing.material import Tracks, passages_of
from djgraph.unmixing.presence import trimmed
from djgraph.unmixing.stretches import Told, stretches


@dataclass(frozen=True)
class Stage:
    """A round of looking: so far either way and at such steps, in samples at 44.1 kHz; up to so many Hz.

    whole: the stems of a track as one, which is quicker.
    """

    reach: float
    step: float
    highest: float
    whole: bool


STAGES = (
    Stage(160, 2, 1400, True),
    Stage(14, 0.7, 4500, True),
    Stage(2, 0.125, 14000, True),
    Stage(0.3, 0.03, 16000, False),
)
"""Each reach is more than what the round before it errs by, and in a step the highest frequency turns by less than a
seventh of a cycle."""


def refine(
    tracks: Tracks,
    warp: Warp,
    recording: Tensor,
    bands: Bands,
    told: Told | None = None,
    trim: bool = False,
    stages: Sequence[Stage] = STAGES,
) -> Warp:
    """A warp whose passages that are resampled have start and rate to a fraction of a sample.

    warp: off by 3 ms at most anywhere in a passage. recording: ``[channels, samples]``. Each round reads the tracks
    where they lie so far, and looks for the straight line of small delays in each passage that explains most, whatever
    the gains of the stems are in each half second and band. Passages with key lock are left as they are: their phases
    say nothing. trim: leave out passages that are not heard (:func:`djgraph.unmixing.presence.trimmed`), before the
    last round.
    """
    scale = bands.sample_rate / 44100
    for number, stage in enumerate(stages):
        if trim and number == len(stages) - 1:
            warp = trimmed(tracks, warp, recording, bands, told)
        offsets = _measure(tracks, warp, recording, bands, stage, scale, told, (number, len(stages)))
        for name, lines in offsets.items():
            passages = list(passages_of(warp, name))
            for index, line in lines.items():
                passages[index] = line.applied(passages[index])
            warp = warp.with_passages(name, passages)
    return dataclasses.replace(warp, refined=True)


@dataclass(frozen=True)
class Line:
    """How late a passage sounds: ``delay + slope·(n − middle)`` samples at sample n of the mix.

    spread: standard deviation of the delay. evidence: how much likelier than no delay.
    """

    delay: float
    slope: float
    middle: float
    spread: float
    evidence: float

    def applied(self, passage: Passage) -> Passage:
        """The passage read that much earlier."""
        late = self.delay + self.slope * (passage.begins - self.middle)
        return dataclasses.replace(
            passage.shifted(-passage.rate * late),
            rate=passage.rate * (1 - self.slope),
            spread=self.spread,
        )


def _measure(
    tracks: Tracks,
    warp: Warp,
    recording: Tensor,
    bands: Bands,
    stage: Stage,
    scale: float,
    told: Told | None,
    number: tuple[int, int],
) -> dict[str, dict[int, Line]]:
    """The line of each passage, by track and index."""
    reach, step = stage.reach * scale, stage.step * scale
    count = math.ceil(reach / step)
    delays = torch.arange(-count, count + 1, dtype=torch.float64, device="cpu") * step
    highest = int((bands.frequencies <= stage.highest).sum())
    chosen = slice(min(2, highest - 1), max(highest, 3))  # not DC
    wanted = {
        name: [i for i, one in enumerate(passages_of(warp, name)) if not one.key_locked] for name in tracks
    }
    profiles: dict[tuple[str, int], list[Tensor]] = {}
    places: dict[tuple[str, int], list[Tensor]] = {}
    what = f"refining where tracks lie, {number[0] + 1} of {number[1]}"
    for cells, members in stretches(tracks, warp, recording, bands, stage.whole, told, what):
        for name, own in members.items():
            inside = {}
            for index in wanted[name]:
                one = passages_of(warp, name)[index]
                half = FRAMES * bands.transform.hop / 2
                here = (cells.middle - half >= one.begins) & (cells.middle + half <= one.ends)
                if not bool(here.any()):
                    # A passage that is shorter than a cell has the one that it is the most of.
                    here = (cells.middle >= one.begins) & (cells.middle < one.ends)
                if bool(here.any()):
                    inside[index] = here
            if inside:
                any_here = torch.stack(list(inside.values())).any(0)
                evidence = torch.zeros(len(any_here), len(delays), dtype=torch.float64, device="cpu")
                evidence[any_here] = _of(cells, any_here).evidence(own, delays, chosen)
                for index, here in inside.items():
                    profiles.setdefault((name, index), []).append(evidence[here])
                    places.setdefault((name, index), []).append(cells.middle[here])
    found: dict[str, dict[int, Line]] = {}
    for (name, index), parts in profiles.items():
        line = straight(torch.cat(parts), torch.cat(places[name, index]), delays)
        if line is not None:
            found.setdefault(name, {})[index] = line
    return found


def _of(cells: Cells, here: Tensor) -> Cells:
    return dataclasses.replace(
        cells,
        gram=cells.gram[here],
        cross=cells.cross[here],
        energy=cells.energy[here],
        middle=cells.middle[here],
    )


def straight(evidence: Tensor, middle: Tensor, delays: Tensor) -> Line | None:
    """The line ``delay + slope·(n − middle)`` along which the evidence ``[cells, delays]`` is greatest.

    middle: sample of each cell, ``[cells]``. Every pair of delays at both ends of the passage is tried, and then a
    parabola laid through the best and its neighbours. None where no line is better than others.
    """
    cells, count = evidence.shape
    step = float(delays[1] - delays[0])
    centre = float(middle.mean())
    half = float((middle - centre).abs().max())
    share = (middle - centre) / half if half > 0 and cells > 2 else torch.zeros_like(middle)
    ends = torch.arange(count, dtype=torch.float64, device="cpu") - (count - 1) / 2
    tilts = ends if bool((share != 0).any()) else ends.new_zeros(1)

    def total(offset: Tensor, tilt: Tensor) -> Tensor:
        """Evidence along lines, whose delays are steps from the middle of the range; broadcast."""
        at = offset[..., None] + tilt[..., None] * share + (count - 1) / 2
        at = at.clamp(0, count - 1)
        low = at.floor().clamp(max=count - 2).long()
        part = at - low
        index = torch.arange(cells, device="cpu").expand(at.shape)
        return (evidence[index, low] * (1 - part) + evidence[index, low + 1] * part).sum(-1)

    best = (-math.inf, 0.0, 0.0)
    for tilt in tilts.tolist():
        values = total(ends, torch.full_like(ends, tilt))
        top = int(values.argmax())
        if float(values[top]) > best[0]:
            best = (float(values[top]), float(ends[top]), tilt)
    flat = float(evidence.mean(1).sum())
    if not best[0] > flat:
        return None
    offset, tilt, spread = _peak(evidence, share, best[1], best[2], len(tilts) > 1)
    slope = tilt * step / half if half > 0 else 0.0
    still = ends.new_zeros(1)
    zero = float(total(still, still))
    return Line(offset * step, slope, centre, spread * step, best[0] - zero)


def _peak(
    evidence: Tensor, share: Tensor, offset: float, tilt: float, tilted: bool
) -> tuple[float, float, float]:
    """The line to a fraction of a step: of the paraboloid that the evidence is near its top, by Newton's method on each
    cell's own parabola. Returns offset, tilt and the offset's standard deviation, in steps."""
    cells, count = evidence.shape
    spread = math.inf
    for _ in range(8):
        at = (offset + tilt * share + (count - 1) / 2).clamp(1, count - 2)
        near = at.round().long().clamp(1, count - 2)
        index = torch.arange(cells, device="cpu")
        left, mid, right = (evidence[index, near + k] for k in (-1, 0, 1))
        bend = left - 2 * mid + right
        slope = (right - left) / 2 + bend * (at - near)
        columns = torch.stack((torch.ones_like(share), share), -1)[:, : 2 if tilted else 1]
        matrix = -(columns.T * bend) @ columns
        gradient = columns.T @ slope
        eigenvalues = torch.linalg.eigvalsh(matrix)
        if float(eigenvalues[0]) <= 1e-9 * float(eigenvalues[-1].abs().clamp(min=1e-30)):
            break
        move = torch.linalg.solve(matrix, gradient).clamp(-1, 1)
        offset += float(move[0])
        tilt += float(move[1]) if tilted else 0.0
        spread = float(torch.linalg.inv(matrix)[0, 0].clamp(min=0).sqrt())
        if float(move.abs().max()) < 1e-4:
            break
    return offset, tilt, spread if math.isfinite(spread) else float(count)
