"""A trained model, from a checkpoint of the training examples: it proposes a transition, or what a mix was made of."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from djgraph.errors import CheckpointError, DJGraphError, InputError, LayoutError, did_you_mean
from djgraph.studio.excerpt import lay_aside, write_signal
from djgraph.studio.folders import MODELS, file_named, files_in
from djgraph.studio.jobs import Job, JobError
from djgraph.studio.messages import Beats, Message, Name
from djgraph.studio.proposal import Proposal, lanes_of
from djgraph.studio.session import Part, Session
from djgraph.studio.work import AUTOMATION, TARGET, ModelWork, run_model

if TYPE_CHECKING:
    from djgraph.transitions import TransitionPlayer

LONGEST = 900.0
"""Seconds that a model hears."""
AROUND = 60.0
"""Of a longer clip, it hears so many seconds before a transition and after it."""
LARGEST = 1 << 30
"""Bytes of a checkpoint."""


class LoadModel(Message):
    """A checkpoint of the folders that were given. remap: carry over by name what was learned for another layout.
    other_sound: take one of a mixer that sounds otherwise."""

    do: Literal["load_model"]
    file: Annotated[str, Field(min_length=1, max_length=1000)]
    remap: bool = False
    other_sound: bool = False


class AskModel(Message):
    """Let it propose. recipe, start, length: of a transition, in beats, for a model that is told one."""

    do: Literal["ask_model"]
    recipe: Name | None = None
    start: Beats = 0.0
    length: Annotated[float, Field(ge=0, le=10_000)] = 16.0


class StopModel(Message):
    """It is no longer wanted to propose."""

    do: Literal["stop_model"]


class Models(Part):
    """``event: model`` tells which is loaded, and how far it is."""

    messages: ClassVar[tuple[type[Message], ...]] = (LoadModel, AskModel, StopModel)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._job: Job | None = None
        self._loaded: tuple[LoadModel, TransitionPlayer] | None = None
        self._state: dict[str, Any] = {"state": "none"}

    def handle(self, message: LoadModel | AskModel | StopModel) -> None:
        match message:
            case LoadModel():
                self._load(message)
            case AskModel():
                self._ask(message)
            case StopModel():
                if self._job is not None:
                    self._job.kill()

    def snapshot(self) -> dict[str, Any]:
        files = list(files_in(self.session.folders, MODELS)) if self.session.folders else []
        return {"model": self._state, "model_files": files}

    def close(self) -> None:
        if self._job is not None:
            self._job.close()

    def _load(self, message: LoadModel) -> None:
        from djgraph.transitions import load_player

        session = self.session
        path = file_named(message.file, session.folders, MODELS)
        if path.stat().st_size > LARGEST:
            raise InputError(f"{message.file} has more than {LARGEST >> 20} MiB")
        try:
            with warnings.catch_warnings(record=True) as noted:
                warnings.simplefilter("always")
                player = load_player(
                    path, session.mixer, remap=message.remap, other_sound=message.other_sound
                )
        except (LayoutError, CheckpointError) as problem:
            offer = _offer(problem, message)
            text = str(problem).replace(str(path), message.file)
            self._loaded = None
            self._tell(state="refused", file=message.file, message=text, offer=offer)
            return
        senses = player.senses
        self._loaded = message, player
        self._tell(
            state="ready",
            file=message.file,
            sees=senses.sees,
            recipes=list(senses.recipes),
            signals=list(senses.signals),
            remapped=player.remapped,
            notes=[str(one.message).replace(str(path), message.file) for one in noted],
            message="",
            offer=None,
        )

    def _ask(self, message: AskModel) -> None:
        session = self.session
        if self._loaded is None:
            raise InputError("no model is loaded")
        if self._job is not None and self._job.running:
            raise InputError("a model is at work; wait, or stop it")
        loaded, player = self._loaded
        mixer, clock, feed = session.mixer, session.project.clock, session.player.feed
        rate = mixer.graph.sample_rate
        begin, end = 0, feed.samples
        region, plan, mix = None, None, None
        if player.senses.sees == "plan":
            plan = self._plan(message, player, end / rate)
            _, start, length = plan
            region = (message.start, message.start + message.length)
            if end > LONGEST * rate:
                begin = max(0, round((start - AROUND) * rate))
                end = min(end, round((start + length + AROUND) * rate))
                plan = (plan[0], start - begin / rate, length)
        elif session.target is None:
            raise InputError("this model listens to a mix: open the studio with --target MIX")
        else:
            mix = session.target.audio
        seconds = (end - begin) / rate
        if seconds > LONGEST:
            raise InputError(f"the model would hear {seconds:.0f} s; at most {LONGEST:g}")
        path = file_named(loaded.file, session.folders, MODELS)
        first = int(clock.beat(begin / rate))
        beats = [
            clock.seconds(float(b)) - begin / rate for b in range(first, int(clock.beat(end / rate)) + 2)
        ]
        source = f"{Path(loaded.file).parent.name or loaded.file}"
        what = f"{source}: {message.recipe}" if plan is not None else f"{source}, listening"

        def prepare(folder: Path, going: Callable[[], bool]) -> ModelWork:
            channels = 0
            if mix is not None:
                sound = mix[:, begin:end]
                if abs(sound.shape[-1] - (end - begin)) > 0.1 * rate:
                    raise InputError(
                        f"the target lasts {sound.shape[-1] / rate:.2f} s, the clip {seconds:.2f} s; they have to lie "
                        "on each other"
                    )
                write_signal(_as_long(sound, end - begin), folder / TARGET)
                channels = sound.shape[0]
            signals = lay_aside(feed.aside, begin, end, folder, going)
            return ModelWork(
                mixer.graph, path, loaded.remap, loaded.other_sound, signals, channels, beats, plan
            )

        def done(_: dict[str, Any], folder: Path) -> None:
            from djgraph import automation

            found = automation.load(folder / AUTOMATION)
            lanes = lanes_of(found, session.mixer.layout, seconds, session.project.clock, begin / rate)
            self._tell(state="ready", message="")
            whole = begin == 0 and end == feed.samples
            number = session.next_proposal()
            session.propose(Proposal(number, what, "model", lanes, {}, whole, region))

        def failed(problem: JobError) -> None:
            self._tell(state="ready", message="" if problem.kind == "Stopped" else str(problem))

        self._tell(state="working", message="")
        self._job = Job(run_model, prepare, lambda news: self._tell(**news), done, failed)

    def _plan(self, message: AskModel, player: TransitionPlayer, seconds: float) -> tuple[str, float, float]:
        known, clock = player.senses.recipes, self.session.project.clock
        if message.recipe is None:
            raise InputError(f"this model plays what is planned: choose one of {', '.join(known)}")
        if message.recipe not in known:
            raise InputError(
                f"this model has not learned {message.recipe!r}{did_you_mean(message.recipe, known)}; it knows "
                f"{', '.join(known)}"
            )
        start = clock.seconds(message.start)
        length = clock.seconds(message.start + message.length) - start
        if start + length > seconds:
            raise InputError(
                f"{message.length:g} beats from {start:.1f} s on do not fit into a clip of {seconds:.1f} s"
            )
        return message.recipe, start, length

    def _tell(self, **more: Any) -> None:
        self._state = {**self._state, **more}
        self.session.tell({"event": "model", "model": self._state})


def _offer(problem: DJGraphError, message: LoadModel) -> str | None:
    """What would take a checkpoint that was refused."""
    if isinstance(problem, LayoutError) and not message.remap and "remap=True" in str(problem):
        return "remap"
    if (
        isinstance(problem, CheckpointError)
        and not message.other_sound
        and "other_sound=True" in str(problem)
    ):
        return "other_sound"
    return None


def _as_long(audio: Any, samples: int) -> Any:
    from torch.nn.functional import pad

    return pad(audio, (0, max(0, samples - audio.shape[-1])))[:, :samples]
