"""What the training scripts take, and what they begin with."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

import djgraph
from common import judge, processes
from common.loop import Loop, Trained
from common.run import Run
from common.transitions import Transitions, senses_for, split
from djgraph import checkpoint
from djgraph.data import Corpus
from djgraph.errors import DJGraphError, InputError
from djgraph.transitions import SEES, Senses, TransitionModel


def parser(description: str) -> argparse.ArgumentParser:
    """The options that the scripts share."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = options.add_argument
    add("corpus", type=Path, help="made by djgraph dataset make")
    add("run", type=Path, help="folder for checkpoint, log and report")
    add("--sees", choices=SEES, default="plan", help="beside the stems: a plan, or the finished mix")
    add("--held-out", type=float, default=0.15, metavar="SHARE", help="last items, not trained on")
    add("--test", type=Path, metavar="CORPUS", help="judge with this corpus, too: of other tracks")
    add("--epochs", type=int, default=8, help="times that every item is heard")
    add("--batch", type=int, default=4, help="items in a batch, of all processes together")
    add("--rate", type=float, default=4e-3, help="learning rate at its highest")
    add("--hidden", type=int, default=96, help="units of the LSTM")
    add("--bands", type=int, default=8, help="mel bands that are heard of each signal")
    add("--per-beat", type=int, default=4, help="steps in a beat")
    add("--blur", type=float, default=0.2, help="random shifts of what is heard while training; 1 is 80 dB")
    add("--seed", type=int, default=0)
    add("--device", default="auto", help="cpu, cuda or auto")
    add("--workers", type=int, default=0, help="processes that read ahead")
    add("--resume", action="store_true", help="go on with the run that is there")
    add("--from", dest="start", type=Path, metavar="CHECKPOINT", help="begin with these weights")
    add("--remap", action="store_true", help="carry a checkpoint of another layout over, by control names")
    add("--other-sound", action="store_true", help="take a checkpoint of a mixer that sounds otherwise")
    return options


@dataclass
class Setup:
    """What a training begins with."""

    options: argparse.Namespace
    device: torch.device
    corpus: Corpus
    senses: Senses
    train: Transitions
    tests: list[Transitions]
    mixer: djgraph.Mixer
    model: TransitionModel
    run: Run

    def loop(self, parts: dict[str, Trained], **about: Any) -> Loop:
        """The loop over the parts, at the place where the run is. about: further settings that have to be the same
        when a run goes on."""
        options = self.options
        settings = {
            "senses": json.loads(json.dumps(asdict(self.senses))),
            "items": len(self.train),
            "hidden": options.hidden,
            "batch": options.batch,
            "rate": options.rate,
            "seed": options.seed,
            "blur": options.blur,
            **about,
        }
        loop = Loop(
            self.run,
            parts,
            self.mixer,
            settings,
            epochs=options.epochs,
            batch_size=options.batch,
            seed=options.seed,
            workers=options.workers,
            device=self.device,
        )
        if options.resume:
            loop.resume(options.remap, options.other_sound)
        return loop

    def verdict(self, loss: nn.Module) -> None:
        """Judge the model with what was held out, print it, write ``report.json``."""
        if not self.run.writer:
            return

        def model(batch: dict[str, Any]) -> torch.Tensor:
            tensors = (batch[key].to(self.device) for key in ("features", "spread", "steps"))
            params: torch.Tensor = self.model(*tensors)
            return params.cpu()

        reports = []
        for data in self.tests:
            report = judge.judge(
                {"model": model, **judge.baselines(data)},
                self.mixer,
                data,
                loss.to(self.device),
                batch_size=self.options.batch,
                device=self.device,
            )
            reports.append(report)
            print(judge.show(report))
        self.run.report({"sees": self.senses.sees, "trained_on": len(self.train), "tests": reports})


def begin(options: argparse.Namespace) -> Setup:
    """Read the corpus and build mixer and model, before any file is written."""
    device = processes.begin(options.device)
    run = Run(options.run, options.resume, writer=processes.rank() == 0)
    corpus = Corpus(options.corpus)
    senses = senses_for(corpus, options.sees, options.bands, options.per_beat)
    first, last = split(corpus, options.held_out)
    tests = [Transitions(corpus, last, senses)]
    if options.test is not None:
        other = Corpus(options.test, layout=corpus.layout)
        if other.sample_rate != corpus.sample_rate:
            raise InputError(
                f"{other.root} is at {other.sample_rate} Hz, {corpus.root} at {corpus.sample_rate} Hz"
            )
        tests.append(Transitions(other, range(len(other)), senses))
    graph = corpus.description.load_graph(corpus.root)
    mixer = djgraph.compile(graph, outputs=[next(iter(graph.outputs))]).to(device)
    torch.manual_seed(options.seed)
    model = TransitionModel(senses.size, corpus.layout, options.hidden).to(device)
    if options.start is not None:
        checkpoint.load(options.start).load_model(
            model, graph, remap=options.remap, other_sound=options.other_sound
        )
    return Setup(
        options, device, corpus, senses, Transitions(corpus, first, senses), tests, mixer, model, run
    )


def script(main: Callable[[Sequence[str]], int], arguments: Sequence[str] | None = None) -> int:
    """Run a script's main function; an error becomes a message and exit code 1, Ctrl-C 130."""
    try:
        return main(sys.argv[1:] if arguments is None else arguments)
    except DJGraphError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        processes.end()
