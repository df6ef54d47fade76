"""A whole training step: a two-layer LSTM, the mixer, the loss, all backwards; and what each of them takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

import djgraph
from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, Spread, ratio
from benchmarks.work import make_params, make_stems
from djgraph import losses

PARTS = ("model", "mixer", "loss")
FEATURES, HIDDEN = 128, 96

Loss = Callable[[Tensor, Tensor], Tensor]


class Step:
    """``step_clips`` clips of ``step_seconds``, a step of Adam. ``seconds``: of the last step, by parts."""

    def __init__(self, context: Context, loss: Loss) -> None:
        scale, self.mixer, self.loss = context.scale, context.mixer, loss
        layout, clips = self.mixer.layout, scale.step_clips
        samples = scale.samples_of(scale.step_seconds)
        self.stems = make_stems(self.mixer.graph, samples, batch=clips)
        played = make_params(layout, scale.frames, batch=clips)
        with torch.no_grad():
            self.target = self.mixer(self.stems, played)
        generator = torch.Generator().manual_seed(2)
        self.features = torch.randn(clips, scale.frames, FEATURES, generator=generator)
        torch.manual_seed(0)
        self.lstm = nn.LSTM(FEATURES, HIDDEN, num_layers=2, batch_first=True)
        self.head = djgraph.nn.ControlHead(HIDDEN, layout)
        self.optimizer = torch.optim.Adam([*self.lstm.parameters(), *self.head.parameters()], lr=1e-4)
        self.seconds: dict[str, float] = {}

    def __call__(self) -> None:
        """Each part's gradient is taken by itself, so that the clock can stand between them."""
        clock = [time.perf_counter()]

        def lap() -> None:
            clock.append(time.perf_counter())

        self.optimizer.zero_grad()
        params = self.head(self.lstm(self.features)[0])
        lap()
        controls = params.detach().requires_grad_()
        mixed = self.mixer(self.stems, controls)
        lap()
        heard = mixed.detach().requires_grad_()
        self.loss(heard, self.target).backward()
        lap()
        mixed.backward(heard.grad)
        lap()
        params.backward(controls.grad)
        self.optimizer.step()
        lap()
        model, mixer, loss, mixer_back, model_back = (b - a for a, b in pairwise(clock))
        self.seconds = {"model": model + model_back, "mixer": mixer + mixer_back, "loss": loss}


def run(context: Context) -> CaseReport:
    losses_of: dict[str, Loss] = {
        "djgraph's loss": losses.SumAndDifference(),
        "the same by PyTorch's operators": by_operators,
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in losses_of}
    programs = {}
    for name, loss in losses_of.items():
        step = Step(context, loss)

        def measured(step: Step = step, name: str = name) -> None:
            step()
            found[name].append(step.seconds)

        programs[name] = Program(measured)
    times = context.time(programs, slow=True)
    results = [
        Result(
            "a step, operators' loss against djgraph's",
            ratio(*(times[name] for name in reversed(programs))),
            "×",
        )
    ]
    kept = {name: parts[1:] for name, parts in found.items()}  # the first one warms up
    for name, rounds in kept.items():
        for part in PARTS:
            share = Spread.of(row[part] / sum(row.values()) for row in rounds)
            results.append(Result(f"{name}: share of the {part}", share, ""))
    ours = kept["djgraph's loss"]
    results.append(
        Result("loss against mixer", Spread.of(row["loss"] / row["mixer"] for row in ours), "×", "step")
    )
    before = (row["loss"] for row in kept["the same by PyTorch's operators"])
    halves = Spread.of(ours_now["loss"] / then for ours_now, then in zip(ours, before))
    results.append(Result("djgraph's loss, of the time by operators", halves, "×", "step_loss"))
    scale = context.scale
    return CaseReport(
        "step",
        CASES["step"],
        tuple(results),
        tuple(Timed(name, times[name], scale.step_clips * scale.step_seconds) for name in programs),
        (
            f"{scale.step_clips} clips of {scale.step_seconds:g} s. Loss: SumAndDifference of MultiResolutionSTFT.",
        ),
    )  # fmt: skip


def by_operators(mix: Tensor, target: Tensor) -> Tensor:
    """The shipped loss as version 0.1 had it: all of the batch at once, by autograd."""
    total = mix.new_zeros(())
    for side in (1, -1):
        a, b = (x[:, 0] + side * x[:, 1] for x in (mix, target))
        for size in (512, 1024, 2048):
            window = torch.hann_window(size)
            floor = size / 4 * 1e-4
            made, wanted = (
                (spectrum.real.square() + spectrum.imag.square() + floor**2).sqrt()
                for spectrum in (
                    torch.stft(x, size, size // 4, window=window, pad_mode="constant", return_complex=True)
                    for x in (a, b)
                )
            )
            apart = torch.linalg.vector_norm(wanted - made, dim=(-2, -1))
            quotient = apart / torch.linalg.vector_norm(wanted, dim=(-2, -1))
            total = total + quotient.mean() + (wanted.log() - made.log()).abs().mean()
    return total / 6
