"""A training from its configuration: corpus, mixer and model, the steps, the verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from djgraph import checkpoint
from djgraph.data import Corpus
from djgraph.errors import InputError
from djgraph.mixer import Mixer, compile_graph
from djgraph.training import processes, verdict
from djgraph.training.clips import Transitions, collate, senses_for, split
from djgraph.training.config import TrainingModel
from djgraph.training.loop import Loop, Place, Step, Trained, moved
from djgraph.training.objective import Objective
from djgraph.training.progress import Progress, Silent
from djgraph.training.run import Run
from djgraph.transitions import FlowModel, Senses, build_model


@dataclass(frozen=True)
class Start:
    """How a training begins: resume the run that is there; carry a checkpoint of another layout over by names (remap);
    take one of a mixer that sounds otherwise (other_sound)."""

    resume: bool = False
    remap: bool = False
    other_sound: bool = False


@dataclass
class Session:
    """What a training begins with. training: the items that are learned from; tests: those that are judged with. place:
    how far it is."""

    config: TrainingModel
    start: Start
    device: torch.device
    corpus: Corpus
    senses: Senses
    training: Transitions
    tests: list[Transitions]
    mixer: Mixer
    model: nn.Module
    run: Run
    progress: Progress = field(default_factory=Silent)
    place: Place = field(default_factory=Place)

    def params(self, batch: Mapping[str, Any]) -> Tensor:
        """What the model plays, ``[batch, frames, controls]`` in plain units and single precision.

        The network runs under autocast where the configuration's precision is bfloat16, or where the caller is under
        it. The mixer is never a part of that.
        """
        with self.autocast():
            params: Tensor = self.model(batch["features"], batch["spread"], batch["steps"])
        return params.float()

    def autocast(self) -> AbstractContextManager[Any]:
        """What the network runs under: autocast where the configuration says bfloat16, else what a Trainer set up."""
        if self.config.precision == "bfloat16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def guided(self, loss: Callable[[Tensor, Tensor], Tensor], batch: Mapping[str, Any]) -> Tensor:
        """What a flow plays that is guided through the mixer by the loss to the batch's mix, as :meth:`params`."""
        assert isinstance(self.model, FlowModel)

        def wrong(params: Tensor) -> Tensor:
            return loss(self.mix(batch, params), batch["mix"]).flatten(1).mean(1)

        with self.autocast():
            params = self.model.sample(batch["features"], batch["spread"], batch["steps"], guide=wrong)
        return params.float()

    def players(self, loss: Callable[[Tensor, Tensor], Tensor]) -> dict[str, verdict.Player]:
        """The model as a player of batches; a flow that hears the mix also guided by it."""

        def model(batch: dict[str, Any]) -> Tensor:
            given = {key: batch[key].to(self.device) for key in ("features", "spread", "steps")}
            return self.params(given).cpu()

        def guided(batch: dict[str, Any]) -> Tensor:
            return self.guided(loss, moved(batch, self.device)).cpu()

        if isinstance(self.model, FlowModel) and self.senses.sees == "mix":
            return {"model": model, "model, guided": guided}
        return {"model": model}

    def mix(self, batch: Mapping[str, Any], params: Tensor) -> Tensor:
        """The batch's stems with these controls, ``[batch, channels, samples]``."""
        mixed: Tensor = self.mixer(batch["inputs"], params, tempo=batch["tempo"])
        return mixed

    def loop(self, parts: dict[str, Trained], **about: Any) -> Loop:
        """The loop over the parts, at the place where the run is. about: further settings that have to be the same
        when a run goes on."""
        config = self.config
        settings = {
            "senses": json.loads(json.dumps(asdict(self.senses))),
            "items": len(self.training),
            "hidden": config.hidden,
            "batch": config.batch,
            "rate": config.rate,
            "seed": config.seed,
            "blur": config.blur,
            **about,
        }
        # What has been added since keeps quiet while it is as it was: older runs go on.
        for name, usual in (("model", "lstm"), ("layers", 1), ("precision", "float32")):
            if getattr(config, name) != usual:
                settings[name] = getattr(config, name)
        loop = Loop(
            self.run,
            parts,
            self.mixer,
            settings,
            epochs=config.epochs,
            batch_size=config.batch,
            seed=config.seed,
            workers=config.workers,
            device=self.device,
            progress=self.progress,
        )
        if self.start.resume:
            loop.resume(self.start.remap, self.start.other_sound)
        self.place = loop.place
        return loop

    def verdict(
        self, loss: Callable[[Tensor, Tensor], Tensor], say: Callable[[str], None] = print
    ) -> dict[str, Any] | None:
        """Judge the model with what was held out, say it, write ``report.json``; None where another process does."""
        if not self.run.writer:
            return None

        reports = []
        self.model.eval()
        for data in self.tests:
            report = verdict.judge(
                {**self.players(loss), **verdict.baselines(data)},
                self.mixer,
                data,
                loss,
                batch_size=self.config.batch,
                device=self.device,
                progress=self.progress,
            )
            reports.append(report)
            say(verdict.show(report))
        self.model.train()
        found = {"sees": self.senses.sees, "trained_on": len(self.training), "tests": reports}
        self.run.report(found)
        return found


def begin(config: TrainingModel, start: Start | None = None, progress: Progress | None = None) -> Session:
    """Read the corpus and build mixer and model, before any file is written.

    Raises CorpusError, InputError, CheckpointError or LayoutError for what does not fit.
    """
    start = Start() if start is None else start
    device = processes.begin(config.device)
    run = Run(config.run, start.resume, writer=processes.rank() == 0)
    corpus = Corpus(config.corpus)
    senses = senses_for(corpus, config.sees, config.bands, config.per_beat)
    first, last = split(corpus, config.held_out)
    tests = [Transitions(corpus, last, senses)]
    if config.test is not None:
        other = Corpus(config.test, layout=corpus.layout)
        if other.sample_rate != corpus.sample_rate:
            raise InputError(
                f"{other.root} is at {other.sample_rate} Hz, {corpus.root} at {corpus.sample_rate} Hz"
            )
        tests.append(Transitions(other, range(len(other)), senses))
    graph = corpus.description.load_graph(corpus.root)
    mixer = compile_graph(graph, outputs=[next(iter(graph.outputs))]).to(device)
    torch.manual_seed(config.seed)
    model = build_model(config.model, senses.size, corpus.layout, config.hidden, config.layers).to(device)
    if config.start is not None:
        checkpoint.load(Path(config.start)).load_model(
            model, graph, remap=start.remap, other_sound=start.other_sound
        )
    training = Transitions(corpus, first, senses, config.blur, config.seed)
    return Session(
        config,
        start,
        device,
        corpus,
        senses,
        training,
        tests,
        mixer,
        model,
        run,
        progress or Silent(),
    )


def step_of(session: Session, objective: Objective, optimizer: torch.optim.Optimizer) -> Step:
    """A step of gradient descent through the mixer, of this process's share of a batch."""
    model = session.model

    def step(batch: dict[str, Any], batch_size: int) -> Mapping[str, float]:
        found = losses_of(session, objective, batch)
        optimizer.zero_grad()
        processes.weigh(found["loss"], len(batch["mix"]), batch_size).backward()
        processes.sum_gradients(model.parameters())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return {name: value.item() for name, value in found.items()}

    return step


def losses_of(session: Session, objective: Objective, batch: dict[str, Any]) -> dict[str, Tensor]:
    """The loss of a batch, and the terms of it."""
    if isinstance(session.model, FlowModel):  # it learns from controls, and draws them
        given = (batch[key] for key in ("params", "features", "spread", "steps"))
        with session.autocast():
            return {"loss": session.model.matching_loss(*given)}
    params = session.params(batch)
    return objective(session.mix(batch, params), params, batch)


def learn(session: Session, objective: Objective) -> bool:
    """Train, or go on, to the last epoch or until Ctrl-C; whether it came to the end."""
    config = session.config
    optimizer = torch.optim.Adam(session.model.parameters())
    about: dict[str, Any] = {"neutral": config.losses.neutral}
    if others := {k: v for k, v in config.losses.written().items() if k != "neutral"}:
        about["losses"] = others
    loop = session.loop({"model": Trained(session.model, optimizer, config.rate)}, **about)
    return loop.train(session.training, collate, step_of(session, objective, optimizer))


def train(
    config: TrainingModel,
    start: Start | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any] | None:
    """Train, or go on, and judge; the report, or None where Ctrl-C stopped it or another process writes it.

    Raises the errors of :func:`begin`, and DJGraphError where the loss is no longer finite. Every process that joined
    others has to leave them afterwards: :func:`djgraph.training.processes.end`.
    """
    session = begin(config, start, progress)
    objective = Objective(config.losses, session.corpus.layout, session.corpus.sample_rate).to(session.device)
    if not learn(session, objective):
        return None
    return session.verdict(objective.spectral, say)
