"""Listening: where a target lies against its stems, which way round it is, and whether it is a mix of them at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from djgraph.errors import InputError
from djgraph.fitting.align import advance
from djgraph.fitting.bands import Bands
from djgraph.fitting.behind import Found
from djgraph.fitting.clipping import Clipping, find_clipping, undo
from djgraph.fitting.distorted import Distorted
from djgraph.fitting.level import explained
from djgraph.fitting.losses import noise, weights
from djgraph.fitting.master import SETTINGS, Master, Settings, find_master, unsteady
from djgraph.fitting.orient import Signs, describe, excerpt, half_turned, orientations, swapped
from djgraph.fitting.prepare import Prepared
from djgraph.fitting.statistics import Statistics, gather

RELATED = 0.1
"""Least share of the target that gains of the stems have to explain for a fit to begin."""
COVERED = 0.05
"""Least share of the stems' time that has to lie in the target."""


class UnrelatedError(InputError):
    """The target is no mix of the stems, or the tracks do not lie where they were played."""


@dataclass(frozen=True)
class Heard:
    """target: aligned and the right way round, ``[channels, samples]``; valid: 1 where it is known, ``[samples]``.

    statistics: of it and the sources, as the mixer at rest turns their phases. sources: of all that the response has
    gains for. weights: of blocks and bands. explained: the share of it that gains of the stems explain. delay:
    samples. peak: the correlation at that, 0…1. inverted: names of the channels that were; swapped: whether left and
    right were. master: what turned all of the recording down where it is loud; the sums, the weights and ``explained``
    are of sources that are turned down likewise. clipping: the curve that its samples went through behind that;
    unclipped: the target without it, ``[channels, samples]``, of which the sums are. own: the mixer turns itself down.
    behind: what follows the faders: the sums are of sources as it leaves them.
    """

    target: Tensor
    valid: Tensor
    statistics: Statistics
    sources: Statistics
    weights: Tensor
    explained: float
    delay: float
    peak: float
    inverted: list[str]
    swapped: bool
    master: Master | None = None
    clipping: Clipping | None = None
    unclipped: Tensor | None = None
    own: bool = False
    behind: Found | Distorted | None = None

    def followed(self, material: Prepared) -> Prepared:
        """The material as what follows the faders leaves it."""
        return material if self.behind is None else self.behind.behind(material)

    @property
    def linear(self) -> Tensor:
        """The target as it was before it was clipped."""
        return self.target if self.unclipped is None else self.unclipped

    def turned(self, audio: Tensor) -> Tensor:
        """``[…, samples]`` of a source, turned down as the recording was."""
        return audio if self.master is None else audio * self.master.gain

    def through(self, mix: Tensor, level: float = 1.0) -> Tensor:
        """A mix ``[…, samples]`` at the recording's level, turned down and clipped as the recording was."""
        heard = (mix if self.own else self.turned(mix)) * level
        return heard if self.clipping is None else self.clipping(heard)

    def turned_by(self, gain: Tensor, material: Prepared, bands: Bands, pool: int, per_second: int) -> Heard:
        """The same with sources that the mixer itself turns down by ``gain`` ``[1, samples]``."""
        settings = Settings(math.nan, 1.0, 0.0, 0.0) if self.master is None else self.master.settings
        found = replace(self, master=Master(settings, gain[0].float(), 1.0), own=True)
        signals = [found.turned(signal) for signal in material.sources]
        sources = gather(signals, found.linear, found.valid, bands, pool)
        counts = weights(sources.energy, bands, noise(sources, per_second))
        return replace(
            found, sources=sources, statistics=sources, weights=counts, explained=explained(sources, counts)
        )

    def described(self) -> dict[str, Any] | None:
        """What the master did, for the report; None where it did nothing."""
        if self.master is None and self.clipping is None:
            return None
        turned = dict.fromkeys(SETTINGS) if self.master is None else self.master.described()
        if self.own:  # the settings are controls, and stand there
            turned |= dict.fromkeys(SETTINGS[:4])
        curve = None if self.clipping is None else self.clipping.described()
        return {**turned, "own": self.own, "clipping": curve}


def hear(
    material: Prepared,
    bands: Bands,
    pool: int,
    per_second: int,
    rate: int,
    delay: float | None,
    reference: Tensor | None = None,
    turns: Tensor | None = None,
    mastered: bool = False,
    bent: bool = False,
    behind: Callable[[Tensor, Tensor], Found | Distorted | None] | None = None,
) -> Heard:
    """What gains of the stems explain best, of all ways round that the target may be.

    pool: STFT frames in a block. per_second: blocks that gains are free in, for noise. delay: seconds; found where left
    out, against ``reference`` ``[samples]`` (default: the sum of the sources). turns: of a mixer that turns phases, the
    gains at rest ``[2·sources, bands]``, of magnitude 1. mastered: whether a compressor on all of it is looked for;
    bent: whether a clipper is. behind: finds what follows the faders, for the aligned target and what of it is valid.
    """
    total = torch.stack([signal.mean(0) for signal in material.sources]).sum(0)
    total = total if reference is None else reference

    def attempt(signs: Signs, lag: float, peak: float) -> Heard:
        place = lag if delay is None else delay * rate
        turned = material.target * material.target.new_tensor(signs)[:, None]
        target, valid = advance(turned, place, material.samples)
        exchanged = swapped(material.sources, target, valid, bands, pool)
        target = target.flip(0) if exchanged else target
        sources, statistics, counts, share = measured(material.sources, target, valid)
        return Heard(
            target, valid, statistics, sources, counts, share, place, peak, describe(signs), exchanged
        )

    def measured(
        signals: list[Tensor], target: Tensor, valid: Tensor
    ) -> tuple[Statistics, Statistics, Tensor, float]:
        turning = 0 if turns is None else len(signals)
        sources = gather(signals, target, valid, bands, pool, turning)
        statistics = sources if turns is None else sources.combined(turns)
        counts = weights(sources.energy, bands, noise(sources, per_second))
        return sources, statistics, counts, explained(statistics, counts)

    compared = (material.target, total)
    if delay is not None:
        compared = excerpt(*compared, round(delay * rate))
    tried = [attempt(*candidate) for candidate in orientations(*compared)]
    if max(one.explained for one in tried) < RELATED:
        tried += [attempt(*candidate) for candidate in half_turned(*compared)]
    found = max(tried, key=lambda one: one.explained)
    turning = 0 if turns is None else len(material.sources)

    def turned_down(by: Heard) -> Heard:
        if not mastered:
            return by
        master = find_master(by.sources, by.weights, by.linear, material.sources, rate)
        return by if master is None else with_sums(replace(by, master=master))

    def clipped(by: Heard) -> Heard:
        if not bent:
            return by
        sources = [by.turned(signal) for signal in material.sources]
        clipping = find_clipping(sources, by.target, by.valid, bands, turning)
        if clipping is None:
            return by
        straight = undo(clipping, sources, by.target, bands, turning)
        return with_sums(replace(by, clipping=clipping, unclipped=straight))

    def with_sums(by: Heard) -> Heard:
        signals = [by.turned(signal) for signal in by.followed(material).sources]
        sources, statistics, counts, share = measured(signals, by.linear, by.valid)
        return replace(by, sources=sources, statistics=statistics, weights=counts, explained=share)

    def through_a_master() -> Heard:
        # What explains more comes first; then whether the other is there as well.
        one, other = clipped(found), turned_down(found)
        if one.clipping is not None and (other.master is None or one.clipping.left <= other.master.left):
            return turned_down(one)
        return other if other.master is None else clipped(other)

    follows = None if behind is None else behind(found.target, found.valid)
    whole = through_a_master()
    if follows is None:
        return whole
    each = with_sums(replace(found, behind=follows))
    if whole.master is None and whole.clipping is None:
        return each
    # One on the whole recording and one behind each fader do the same while a single track plays.
    return min((whole, each), key=lambda one: unsteady(one.sources, found.weights))


def remarks(heard: Heard, material: Prepared, rate: int) -> list[str]:
    """What a person should know of it. Raises UnrelatedError for what is no mix of the stems."""
    covered, samples, notes = float(heard.valid.mean()), material.samples, []
    if covered < COVERED:
        raise UnrelatedError(
            f"only {100 * covered:.0f} % of the stems' time lies in the target, which lags them by "
            f"{heard.delay / rate:.2f} s: is it the right part of the mix?"
        )
    if covered < 0.999:
        notes.append(
            f"the target covers {covered * samples / rate:.2f} s of {samples / rate:.2f} s "
            f"(it lags the stems by {heard.delay / rate:.3f} s); controls elsewhere are held"
        )
    if heard.explained < RELATED:
        raise UnrelatedError(
            f"the target does not sound like a mix of these stems: at its best alignment (correlation "
            f"{heard.peak:.3f}) gains of all stems explain {100 * heard.explained:.1f} % of it, and at least "
            f"{100 * RELATED:.0f} % are expected. Nothing was fitted. Are these the right tracks, at the same "
            "tempo and pitch, cut to where they play in the mix?"
        )
    if heard.master is not None and not heard.own:
        found = heard.master.described()
        notes.append(
            "the recording seems to have gone through a compressor or limiter: all of it is turned down where it is "
            f"loud, by {found['turned_down_db']:.1f} dB in the median, {found['most_db']:.1f} dB at most (as by a "
            f"ratio of {found['ratio']:.1f} above {found['threshold_db']:.0f} dB); that is not taken for moves"
        )
    if heard.clipping is not None:
        curve = heard.clipping.described()
        notes.append(
            f"the recording seems to have gone through a {curve['kind']} clipper: its loudest samples are turned down "
            f"by {curve['most_db']:.1f} dB, and none is above {curve['peak_db']:.1f} dB; that is not taken for moves"
        )
    if heard.behind is not None:
        notes.append(heard.behind.remark())
    if material.offset:
        notes.append(f"the target has a DC offset of {material.offset:+.4g}, which was taken out")
    if heard.inverted:
        which = "" if len(heard.inverted) == len(heard.target) else f" {heard.inverted[0]} channel's"
        notes.append(f"the target's{which} polarity is inverted; it was turned round")
    if heard.swapped:
        notes.append("left and right are exchanged in the target; they were put back")
    return notes
