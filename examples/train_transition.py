"""Trains a model to play transitions: an LSTM over beats, a ControlHead, the compiled mixer, a spectral loss.

    djgraph dataset make corpus --demo --curves 0 --count 120
    python examples/train_transition.py corpus run
    torchrun --nproc-per-node 2 examples/train_transition.py corpus run

The model hears the stems of both tracks, beat by beat. With ``--sees plan`` it is told which transition is wanted,
when it begins and how long it takes, and learns from mixes how to play it. With ``--sees mix`` it hears the finished
mix instead, and learns to tell what the DJ did. Either way it never sees a control: it learns from what it hears,
through the mixer. At the end it is held against the linear crossfade on transitions that it was not trained on.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from common import processes, setup
from common.loop import Trained
from common.transitions import collate
from djgraph import losses


def main(arguments: Sequence[str]) -> int:
    """Train, or go on, and judge. Exit code 130 where Ctrl-C stopped it."""
    parser = setup.parser((__doc__ or "").partition("\n")[0])
    parser.add_argument("--neutral", type=float, default=0.3, help="weight of what stands away from neutral")
    options = parser.parse_args(arguments)
    ready = setup.begin(options)
    layout, model, mixer = ready.corpus.layout, ready.model, ready.mixer
    spectral = losses.SumAndDifference(losses.MultiResolutionSTFT(reduction="none")).to(ready.device)
    optimizer = torch.optim.Adam(model.parameters())

    def step(batch: dict[str, Any], batch_size: int) -> Mapping[str, float]:
        params = model(batch["features"], batch["spread"], batch["steps"])
        mixed = mixer(batch["inputs"], params, tempo=batch["tempo"])
        distance = spectral(mixed, batch["mix"]).mean()
        neutral = losses.neutral_sparsity(params, layout)
        loss = distance + options.neutral * neutral
        optimizer.zero_grad()
        processes.weigh(loss, len(mixed), batch_size).backward()
        processes.sum_gradients(model.parameters())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return {"loss": loss.item(), "spectral": distance.item(), "neutral": neutral.item()}

    loop = ready.loop({"model": Trained(model, optimizer, options.rate)}, neutral=options.neutral)
    if not loop.train(ready.train, collate, step):
        return 130
    ready.verdict(spectral)
    return 0


if __name__ == "__main__":
    sys.exit(setup.script(main))
