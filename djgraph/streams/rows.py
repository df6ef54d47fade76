"""Some of the nodes that share an effect's call, with what the effect remembers of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from djgraph.dsp.derivatives import unwatched
from djgraph.effects import State


@dataclass
class Rows:
    """Nodes by their numbers in the call, in the order of the state's rows: each has as many as the stream's batch.

    owned: nobody else reads the state's tensors. What an effect began with, or a caller gave, may be somebody's.
    """

    lanes: tuple[int, ...]
    state: State
    owned: bool = False

    def own(self) -> bool:
        """Whether the effect may write to its state in the next call. What autograd or a caller may hold is copied.

        An effect may hand back the very tensors it was given: what a call with gradients has kept stays kept after
        calls without.
        """
        owned = unwatched()
        # Outside of inference mode its tensors can neither be written to nor be saved for a backward pass.
        foreign = not torch.is_inference_mode_enabled() and any(
            one.is_inference() for one in self.state.values()
        )
        if foreign or (owned and not self.owned):
            self.state = {name: one.clone() for name, one in self.state.items()}
        self.owned = owned
        return owned

    def state_of(self, lane: int, batch: int) -> State:
        """The state of one node, as views."""
        if len(self.lanes) == 1:
            return self.state
        place = self.lanes.index(lane) * batch
        return {name: one[place : place + batch] for name, one in self.state.items()}

    def without(self, lanes: Collection[int], batch: int) -> Rows:
        """The others."""
        kept = [place for place, lane in enumerate(self.lanes) if lane not in lanes]
        return Rows(
            tuple(self.lanes[place] for place in kept),
            {name: _chosen(one, kept, batch) for name, one in self.state.items()} if kept else {},
            self.owned,
        )


def joined(some: Sequence[Rows], batch: int) -> list[Rows]:
    """Nodes whose states are of one form share a call again; those of another, as after blocks of another length,
    keep one of their own. In the order of the nodes."""
    forms: dict[object, list[Rows]] = {}
    for rows in some:
        form = tuple((name, one.shape[1:], one.dtype) for name, one in sorted(rows.state.items()))
        forms.setdefault(form, []).append(rows)
    return [_one_of(alike, batch) for alike in forms.values()]


def _one_of(alike: Sequence[Rows], batch: int) -> Rows:
    if len(alike) == 1:
        return alike[0]
    lanes = [lane for rows in alike for lane in rows.lanes]
    order = sorted(range(len(lanes)), key=lanes.__getitem__)
    state = {
        name: _chosen(torch.cat([rows.state[name] for rows in alike]), order, batch)
        for name in alike[0].state
    }
    return Rows(tuple(lanes[place] for place in order), state)


def _chosen(rows: Tensor, places: Sequence[int], batch: int) -> Tensor:
    chosen: Tensor = rows.unflatten(0, (-1, batch))[list(places)]
    return chosen.flatten(0, 1)
