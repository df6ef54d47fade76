"""The training loop: epochs, processes, checkpoints, a log, time left, Ctrl-C."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset

from djgraph import checkpoint
from djgraph.arguments import shown
from djgraph.data import random_state
from djgraph.errors import CheckpointError, DJGraphError, InputError
from djgraph.mixer import Mixer
from djgraph.text import time_left
from djgraph.training import processes
from djgraph.training.progress import Progress, Silent
from djgraph.training.run import Run

SAVE_EVERY = 60.0
"""Seconds after which a checkpoint is written, beside those at the end of every epoch."""

Step = Callable[[dict[str, Any], int], Mapping[str, float]]
"""Learns from this process's items of a batch, given how many there are in all; returns means over its items."""


@dataclass
class Trained:
    """A network and the optimiser of its weights."""

    module: nn.Module
    optimizer: Optimizer
    rate: float


@dataclass
class Place:
    """How far a training is: batches that are done in the epoch, steps in all, sums of what is logged."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)


class Loop:
    """Trains networks with batches in a seeded order.

    What is done depends on the settings and the seed, and not on where it was stopped: a run that goes on from a
    checkpoint has, on the same machine's CPU, the weights of one that was not stopped, bit by bit.

    parts: name → network, the first one called ``model``. mixer: what they play. about: what has to be the
    same when a run goes on, as JSON can hold it. seed: of the order of the items. progress: whom it tells how far
    it is.
    """

    def __init__(
        self,
        run: Run,
        parts: Mapping[str, Trained],
        mixer: Mixer,
        about: Mapping[str, Any],
        *,
        epochs: int,
        batch_size: int,
        seed: int,
        workers: int,
        device: torch.device,
        progress: Progress | None = None,
    ) -> None:
        for name, value, low in (("epochs", epochs, 1), ("batch", batch_size, 1), ("workers", workers, 0)):
            if value < low:
                raise InputError(f"--{name} is {value}; expected a whole number from {low}")
        if batch_size < processes.count():
            raise InputError(
                f"--batch is {batch_size}, fewer than the {processes.count()} processes that share it"
            )
        self.run, self.parts, self.mixer, self.about = run, parts, mixer, dict(about)
        self.epochs, self.batch_size, self.seed, self.workers = epochs, batch_size, seed, workers
        self.device, self.progress = device, progress or Silent()
        self.place = Place()
        for part in parts.values():
            processes.same_start(part.module)

    # ── Checkpoints ─────────────────────────────────────────────────────────────────────────────────────────

    def resume(self, remap: bool = False, other_sound: bool = False) -> None:
        """Go on from the run's checkpoint. LayoutError, CheckpointError or InputError where it does not fit."""
        saved = checkpoint.load(self.run.checkpoint)
        if not remap:
            saved.check_layout(self.mixer)
        before = saved.part("about")
        wrong = [
            f"{name}: {before.get(name)} → {value}"
            for name, value in self.about.items()
            if before.get(name) != value
        ]
        moved = saved.layout.fingerprint != self.mixer.layout.fingerprint
        if wrong and not moved:  # another graph comes with another corpus
            raise InputError(
                f"{self.run.checkpoint} is of a run with other settings; from it to what is asked for:\n  "
                + "\n  ".join(wrong)
                + "\n  a new run can begin with its weights: --from"
            )
        for name, part in self.parts.items():
            saved.load_model(part.module, self.mixer, key=name, remap=remap, other_sound=other_sound)
            if not moved:
                try:
                    part.optimizer.load_state_dict(saved.part(f"{name}_optimizer"))
                except (KeyError, TypeError, ValueError) as problem:
                    raise CheckpointError(
                        f"{saved.path} holds the state of another optimiser: {problem}"
                    ) from problem
        self.place = _place(saved)
        random = saved.part("random")
        try:
            torch.set_rng_state(random["torch"])
            if self.device.type == "cuda" and random["cuda"] is not None:
                torch.cuda.set_rng_state(random["cuda"], self.device)
        except (KeyError, TypeError, RuntimeError) as problem:
            raise CheckpointError(f"{saved.path} holds no state of random numbers: {problem}") from problem

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        if not self.run.writer:
            return
        cuda = torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None
        state: dict[str, Any] = {
            "about": self.about,
            "progress": vars(self.place),
            "random": {"torch": torch.get_rng_state(), "cuda": cuda},
        }
        for name, part in self.parts.items():
            state[name] = part.module.state_dict()
            state[f"{name}_optimizer"] = part.optimizer.state_dict()
        checkpoint.save(self.run.checkpoint, state, self.mixer)

    # ── Training ────────────────────────────────────────────────────────────────────────────────────────────

    def train(
        self,
        data: Dataset[dict[str, Any]],
        collate: Callable[[Sequence[dict[str, Any]]], dict[str, Any]],
        step: Step,
    ) -> bool:
        """Train to the last epoch, or until Ctrl-C; whether it came to the end. The checkpoint is written."""
        items = len(data)  # type: ignore[arg-type]
        batch_size = min(self.batch_size, items)
        if batch_size < processes.count():
            raise InputError(
                f"{items} items are fewer than the {processes.count()} processes that share them"
            )
        batches = items // batch_size
        total = self.epochs * batches
        self.run.open(self.place.step)
        clock = _Clock(total - self.place.step)
        with contextlib.closing(self.run), _Interrupts() as interrupts, self.progress as bar:
            bar.begin("training", total, self.place.step)
            while self.place.epoch < self.epochs:
                order = self._order(items, batch_size)[self.place.batch :]
                for batch in self._load(data, collate, order):
                    self._step(step, moved(batch, self.device), batch_size, total)
                    clock.tick()
                    mean = self.place.sums["loss"] / self.place.batch
                    bar.say(f"epoch {self.place.epoch + 1} of {self.epochs}, loss {mean:.4f}")
                    bar.advance()
                    if processes.any_of(interrupts.came, self.device):
                        self._stop(clock)
                        return False
                    if self.place.batch < batches and clock.since_save() > SAVE_EVERY:
                        self.save()
                        clock.saved()
                self._end_epoch(batches, clock)
        return True

    def _order(self, items: int, batch_size: int) -> list[list[int]]:
        """The batches of an epoch; what is left over after the last whole one waits for the next epoch."""
        order = random_state(self.seed, self.place.epoch).permutation(items).tolist()
        return [order[i : i + batch_size] for i in range(0, items - batch_size + 1, batch_size)]

    def _load(self, data: Any, collate: Any, order: list[list[int]]) -> Iterator[dict[str, Any]]:
        loader = DataLoader(
            data,
            batch_sampler=[[(self.place.epoch, i) for i in processes.share(batch)] for batch in order],
            collate_fn=collate,
            num_workers=self.workers,
            # Its own, so that it takes no numbers from the one that the checkpoint keeps.
            generator=torch.Generator().manual_seed(self.seed),
            multiprocessing_context="spawn" if self.workers else None,
        )
        yield from loader

    def _step(self, step: Step, batch: dict[str, Any], batch_size: int, total: int) -> None:
        began = time.monotonic()
        for part in self.parts.values():
            for group in part.optimizer.param_groups:
                group["lr"] = part.rate * _warm_then_cosine(self.place.step / total)
        share = len(batch["steps"]) / batch_size
        found = step(batch, batch_size)
        names = list(found)
        values = torch.tensor([found[name] * share for name in names], dtype=torch.float64, device="cpu")
        means = dict(zip(names, processes.total(values.to(self.device)).tolist()))
        if not all(math.isfinite(value) for value in means.values()):
            raise DJGraphError(
                f"the loss is no longer finite at step {self.place.step + 1}: {means}; a smaller --rate may do"
            )
        self.place.step += 1
        self.place.batch += 1
        self.place.seconds += time.monotonic() - began
        for name, value in means.items():
            self.place.sums[name] = self.place.sums.get(name, 0.0) + value
        self.run.log(self.place.step, {"epoch": self.place.epoch + 1, **means})

    def _end_epoch(self, batches: int, clock: _Clock) -> None:
        means = {name: value / batches for name, value in self.place.sums.items()}
        self.place.epoch, self.place.batch, self.place.sums = self.place.epoch + 1, 0, {}
        self.save()
        clock.saved()
        shown = ", ".join(f"{name} {value:.4f}" for name, value in means.items())
        if self.run.writer:
            print(
                f"epoch {self.place.epoch} of {self.epochs}: {shown}, {clock.left()}",
                file=sys.stderr,
                flush=True,
            )

    def _stop(self, clock: _Clock) -> None:
        self.save()
        if self.run.writer:
            print(
                f"stopped at step {self.place.step}; {self.run.checkpoint} holds all of it, and the same command with"
                f" --resume goes on ({clock.left()})",
                file=sys.stderr,
            )


def _place(saved: checkpoint.Checkpoint) -> Place:
    """Where the run stands. CheckpointError where the checkpoint does not say."""
    found = saved.part("progress")
    known = {"epoch": int, "batch": int, "step": int, "seconds": float, "sums": dict}
    if set(found) != set(known) or any(type(found[key]) is not kind for key, kind in known.items()):
        raise CheckpointError(f"{saved.path} does not say how far the training is: {shown(found)}")
    return Place(**found)


def _warm_then_cosine(share: float) -> float:
    """The learning rate's course: up in the first 2 %, then down to 0 along half a cosine."""
    return min(1.0, (share + 1e-3) / 0.02) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def moved(value: Any, device: torch.device) -> Any:
    """A batch on a device."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: moved(item, device) for key, item in value.items()}
    return value


class _Clock:
    """How long it will take."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.done = 0
        self.began = self.last_save = time.monotonic()

    def tick(self) -> None:
        self.done += 1

    def since_save(self) -> float:
        return time.monotonic() - self.last_save

    def saved(self) -> None:
        self.last_save = time.monotonic()

    def left(self) -> str:
        if not self.done:
            return "time left unknown"
        return time_left((time.monotonic() - self.began) / self.done * (self.steps - self.done))


class _Interrupts:
    """Notes Ctrl-C and a polite kill; a second one ends at once."""

    def __enter__(self) -> _Interrupts:
        self.came = False
        self._before = {kind: signal.signal(kind, self._note) for kind in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for kind, handler in self._before.items():
            signal.signal(kind, handler)

    def _note(self, kind: int, frame: FrameType | None) -> None:
        if self.came:
            raise KeyboardInterrupt
        self.came = True
