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
from collections.abc import Sequence

import torch

import common
from djgraph.training import Objective, Trained
from djgraph.training.clips import collate
from djgraph.training.session import step_of


def main(arguments: Sequence[str]) -> int:
    """Train, or go on, and judge. Exit code 130 where Ctrl-C stopped it."""
    parser = common.parser((__doc__ or "").partition("\n")[0])
    parser.add_argument("--neutral", type=float, default=0.3, help="weight of what stands away from neutral")
    options = parser.parse_args(arguments)
    ready = common.session(options, neutral=options.neutral)
    objective = Objective(ready.config.losses, ready.corpus.layout, ready.corpus.sample_rate)
    optimizer = torch.optim.Adam(ready.model.parameters())
    loop = ready.loop({"model": Trained(ready.model, optimizer, options.rate)}, neutral=options.neutral)
    if not loop.train(ready.training, collate, step_of(ready, objective.to(ready.device), optimizer)):
        return 130
    ready.verdict(objective.spectral)
    return 0


if __name__ == "__main__":
    sys.exit(common.script(main))
