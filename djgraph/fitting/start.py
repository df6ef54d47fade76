"""A first guess: for each second of the clip, the fewest moves of controls that explain most of what is heard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

from djgraph.fitting.priors import Rest
from djgraph.fitting.sketch import Sketch

VALUES = 11
"""Positions that are tried for each control."""
ROUNDS = 24
"""Most moves in a block."""
WORTH = 2e-3
"""Least worth of a move in a first guess, when much is still unexplained."""


def cost(sketch: Sketch, u: Tensor, rest: Rest, worth: float = WORTH) -> float:
    """What a guess leaves unexplained, and the price of its moves, both as shares of the target's energy."""
    return float(_Search(sketch, u, rest, worth).best.double().sum())


def search(sketch: Sketch, start: Tensor, rest: Rest, worth: float = WORTH) -> Tensor:
    """Positions ``[blocks, controls]``, one row for each block of the sketch, by matching pursuit.

    start: positions to begin with, ``[controls]`` or ``[blocks, controls]``. rest: where controls are at rest.
    worth: the share of a block's energy that a move across the whole range has to explain.
    In each round every control is tried at several positions in every block at once, and for each block and input the
    best move is made, if it is worth its distance. When no move helps any more, moves are tried that put the strip's
    other controls to rest (all of them, or all but one): a low-pass instead of the two EQ bands that first stood in
    for it. Blocks do not know of each other; what follows draws lines through them.
    """
    state = _Search(sketch, start, rest, worth)
    for _ in range(2):
        for _ in range(ROUNDS):
            if not state.step(state.additions()):
                break
        if not state.step(state.replacements()):
            break
    return state.u


def simplify(sketch: Sketch, u: Tensor, rest: Rest, worth: float) -> Tensor:
    """Positions like ``u``, ``[blocks, controls]``, with a plain gain instead of all moves of a strip where it does.

    A stem that is filtered until nothing is left is faded out instead. Arguments as for :func:`search`.
    """
    state = _Search(sketch, u, rest, worth)
    state.step(state.plain())
    return state.u


class _Search:
    def __init__(self, sketch: Sketch, start: Tensor, rest: Rest, worth: float) -> None:
        self.sketch, self.rest = sketch, rest
        self.price = worth * sketch.statistics.energy.sum(1)
        self.u = start.expand(len(self.price), -1).clone()
        self.best = self._cost(self.u)
        families = defaultdict(list)
        for column, reached in enumerate(sketch.response.reach):
            if reached:
                families[reached].append(column)
        self.families = list(families.values())

    def additions(self) -> Iterable[tuple[list[int], Tensor]]:
        """Trials that set one control of each group: the columns that are set, and the positions
        ``[values, blocks, controls]``."""
        for group in self.sketch.response.groups:
            yield group, self._sweep(self.u, group)

    def replacements(self) -> Iterable[tuple[list[int], Tensor]]:
        """Trials that set one control of each strip and put its others to rest, but for one."""
        for group in self.sketch.response.groups:
            chosen = set(group)
            families = [f for f in self.families if chosen & set(f)]
            for kept in range(-1, max(len(f) for f in families)):
                # The control that is set needs no keeping.
                if kept >= 0 and all(kept >= len(f) or f[kept] in chosen for f in families):
                    continue
                base = self.u.clone()
                for family in families:
                    dropped = [c for i, c in enumerate(family) if i != kept]
                    base[:, dropped] = self.rest.position[dropped]
                yield group, self._sweep(base, group)

    def plain(self) -> Iterable[tuple[list[int], Tensor]]:
        """Trials that set a gain of each strip and put everything else to rest."""
        for group in self.sketch.response.groups:
            gains = [column for column in group if float(self.rest.cost[column]) == 1]
            families = [f for f in self.families if set(gains) & set(f)]
            if families:
                base = self.u.clone()
                members = [column for family in families for column in family]
                base[:, members] = self.rest.position[members]
                yield gains, self._sweep(base, gains)

    def _sweep(self, base: Tensor, group: list[int]) -> Tensor:
        trials = base.repeat(VALUES, 1, 1)
        trials[..., group] = torch.linspace(0, 1, VALUES, dtype=base.dtype, device="cpu")[:, None, None]
        return trials

    def step(self, trials: Iterable[tuple[list[int], Tensor]]) -> bool:
        """Makes the best moves; False where none is worth it."""
        sketch, s = self.sketch, self.sketch.statistics
        reach = sketch.response.reach
        now = self._gains(self.u)
        m = sketch.level * now.transpose(1, 2)
        pull = torch.einsum("tbij,tbj->tbi", s.gram, m) - s.cross
        blocks = torch.arange(len(self.u), device="cpu")
        change = torch.zeros(len(self.u), self.u.shape[1], dtype=self.u.dtype, device="cpu")
        place = self.u[:, None].repeat(1, self.u.shape[1], 1)  # where each move leads, in all controls
        before = self._distance(self.u)
        members = {c: family for family in self.families for c in family}
        for group, trial in trials:
            moved = sketch.level * (self._gains(trial.flatten(0, 1)).unflatten(0, trial.shape[:2]) - now)
            distance = self._distance(trial)
            for column in group:
                inputs, family = list(reach[column]), members[column]
                d = moved[:, :, inputs].transpose(2, 3)
                delta = torch.einsum("vtbi,tbij,vtbj->vt", d, s.gram[:, :, inputs][..., inputs], d)
                delta = delta + 2 * (d * pull[..., inputs]).sum((2, 3))
                delta = delta + self.price * (distance[..., family] - before[:, family]).sum(2)
                least, value = delta.min(0)
                improved = least < change[:, column]
                change[:, column] = torch.where(improved, least.to(change), change[:, column])
                target = place[:, column]
                tried = trial[value, blocks][:, family]
                target[:, family] = torch.where(improved[:, None], tried, target[:, family])
        many = self._one_for_each_input(place, change, members)
        chosen = change.argmin(1)
        single = place[torch.arange(len(self.u), device="cpu"), chosen]
        after_many, after_single = self._cost(many), self._cost(single)
        winner = torch.where((after_many < after_single)[:, None], many, single)
        after = torch.minimum(after_many, after_single)
        taken = after < self.best - 1e-3 * self.price
        self.u = torch.where(taken[:, None], winner, self.u)
        self.best = torch.where(taken, after, self.best)
        return bool(taken.any())

    def _one_for_each_input(self, place: Tensor, change: Tensor, members: dict[int, list[int]]) -> Tensor:
        """In every block the best move of each input, as long as no two of them touch the same input."""
        reach = self.sketch.response.reach
        inputs = self.sketch.response.sources
        result = self.u.clone()
        busy = torch.zeros(len(result), inputs, dtype=torch.bool, device="cpu")
        for column in change.min(0).values.argsort().tolist():
            # Columns in order of their best block: not always the best order within a block, but no move is lost.
            reached = list(reach[column])
            if not reached:
                continue
            rivals = [c for c in range(len(reach)) if set(reach[c]) & set(reached)]
            ok = (change[:, column] < 0) & ~busy[:, reached].any(1)
            ok &= change[:, column] <= change[:, rivals].min(1).values
            family = members[column]
            result[:, family] = torch.where(ok[:, None], place[:, column][:, family], result[:, family])
            busy[:, reached] |= ok[:, None]
        return result

    def _gains(self, positions: Tensor) -> Tensor:
        response = self.sketch.response
        return response(response.layout.from_unit(positions).float())

    def _distance(self, positions: Tensor) -> Tensor:
        return (positions - self.rest.position).abs() * self.rest.weight

    def _cost(self, positions: Tensor) -> Tensor:
        return self.sketch.error(self._gains(positions)) + self.price * self._distance(positions).sum(1)
