"""A fit of the open graph to a mix: begun, watched, stopped; what it finds is proposed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from djgraph.errors import InputError
from djgraph.studio.excerpt import lay_aside, write_signal
from djgraph.studio.folders import SOUND, file_named, files_in
from djgraph.studio.jobs import Job, JobError
from djgraph.studio.messages import Beats, Message
from djgraph.studio.proposal import Proposal, lanes_of
from djgraph.studio.session import Part, Session
from djgraph.studio.work import AUTOMATION, INTERVALS, TARGET, FitWork, run_fit

LONGEST = 900.0
"""Seconds of a fit: five minutes of two tracks of four stems take some 8 GB."""
SHORTEST = 0.5
DRAWN = 1000
"""Points of a loss curve, at most."""
CONTROL = ("moves", "audible", "cannot_be_told", "why_not", "sounds_like", "interval")
REPORT = (
    "si_sdr_db",
    "level_db",
    "delay_ms",
    "mixer_steps",
    "fit_seconds",
    "interrupted",
    "notes",
    "warnings",
)


class FitBegin(Message):
    """Fit the graph to a mix. target: a file of the folders that were given; empty: the mix of the command line.
    steps: at most so many through the mixer. region: between two beats; of the target, too. None: the whole clip.
    level: the target's, in dB; None: found."""

    do: Literal["fit"]
    target: Annotated[str, Field(max_length=1000)] = ""
    steps: Annotated[int, Field(ge=0, le=200)] = 20
    region: tuple[Beats, Beats] | None = None
    level: Annotated[float, Field(ge=-100, le=100)] | None = None


class FitStop(Message):
    """What was found so far is proposed. A second one ends it at once."""

    do: Literal["fit_stop"]


class Fitting(Part):
    """``event: fit`` tells how far it is."""

    messages: ClassVar[tuple[type[Message], ...]] = (FitBegin, FitStop)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._job: Job | None = None
        self._state: dict[str, Any] = {"state": "idle"}
        self._losses: list[tuple[str, float]] = []

    def handle(self, message: FitBegin | FitStop) -> None:
        if isinstance(message, FitBegin):
            self._begin(message)
        elif self._job is None or not self._job.running:
            raise InputError("no fit is under way")
        elif self._state["state"] == "stopping":
            self._job.kill()
        else:
            self._job.stop()
            self._tell(state="stopping")

    def snapshot(self) -> dict[str, Any]:
        target = self.session.target
        files = list(files_in(self.session.folders, SOUND)) if self.session.folders else []
        return {
            "fit": self._state,
            "fit_targets": {
                "given": None if target is None else target.name,
                "files": files,
                "why_not": self._why_not(),
            },
        }

    def close(self) -> None:
        if self._job is not None:
            self._job.close()

    def _why_not(self) -> str | None:
        """What no fit can be made of."""
        sources = list(self.session.mixer.graph.sources)
        if not sources:
            return None
        some = f"{sources[0]} is" if len(sources) == 1 else f"{', '.join(sources)} are"
        return (
            f"{some} played by sources of the graph, and a fit takes tracks as they are heard: "
            "djgraph fit --warp find, with a graph of plain inputs, finds where they lie"
        )

    def _begin(self, message: FitBegin) -> None:
        session = self.session
        if self._job is not None and self._job.running:
            raise InputError("a fit is under way; stop it first")
        mixer, clock = session.mixer, session.project.clock
        rate, feed = mixer.graph.sample_rate, session.player.feed
        if why := self._why_not():
            raise InputError(why)
        begin, end = 0, feed.samples
        if message.region is not None:
            begin, end = (min(end, round(clock.seconds(beat) * rate)) for beat in message.region)
        seconds = (end - begin) / rate
        if not SHORTEST <= seconds <= LONGEST:
            raise InputError(
                f"a fit of {seconds:.1f} s: at least {SHORTEST} s, and at most {LONGEST:g} s; choose a region with the "
                "loop"
            )
        name, audio = _target(session, message.target)

        def prepare(folder: Path, going: Callable[[], bool]) -> FitWork:
            sound = audio()[:, begin:end]
            if sound.shape[-1] < SHORTEST * rate:
                raise InputError(f"{name} has ended before the region begins")
            write_signal(sound, folder / TARGET)
            signals = lay_aside(feed.aside, begin, end, folder, going)
            channels, steps, tempo = sound.shape[0], message.steps, clock.bpm(0.0)
            return FitWork(mixer.graph, mixer.lowering, signals, channels, steps, tempo, message.level)

        def done(report: dict[str, Any], folder: Path) -> None:
            self._found(report, folder, name, begin / rate, seconds, message.region)

        def failed(problem: JobError) -> None:
            self._tell(state="stopped" if problem.kind == "Stopped" else "failed", message=str(problem))

        self._losses = []
        self._state = {}
        self._tell(state="preparing", target=name, steps=message.steps, stage="", losses=[], message="")
        self._job = Job(run_fit, prepare, self._news, done, failed)

    def _news(self, news: dict[str, Any]) -> None:
        state = "stopping" if self._state.get("state") == "stopping" else "running"
        if "loss" in news:
            self._losses.append((news["stage"], news["loss"]))
            # The curve keeps its shape where there are many.
            several = self._losses[:: 1 + len(self._losses) // DRAWN]
            news = {**news, "losses": several}
        self._tell(state=state, **news)

    def _found(
        self, report: dict[str, Any], folder: Path, name: str, start: float, seconds: float, region: Any
    ) -> None:
        from djgraph import automation
        from djgraph.studio.target import Band, read_bands

        session = self.session
        layout, clock = session.mixer.layout, session.project.clock
        lanes = lanes_of(automation.load(folder / AUTOMATION), layout, seconds, clock, start)
        bands = {
            control: Band(band.seconds + start, band.low, band.high, band.told)
            for control, band in read_bands(folder / INTERVALS, layout).items()
        }
        told = {key: report[key] for key in REPORT}
        told["controls"] = {
            control: {key: entry[key] for key in CONTROL} for control, entry in report["controls"].items()
        }
        self._tell(state="done", report=told, message="")
        session.propose(
            Proposal(
                session.next_proposal(),
                f"the fit of {name}",
                "fit",
                lanes,
                bands,
                region is None,
                region,
                told,
            )
        )

    def _tell(self, **more: Any) -> None:
        self._state = {**self._state, **more}
        self.session.tell({"event": "fit", "fit": self._state})


def _target(session: Session, name: str) -> tuple[str, Any]:
    """A mix by its name, and what reads it: ``[channels, samples]`` at the graph's rate."""
    if name:
        path = file_named(name, session.folders, SOUND)

        def read() -> Any:
            from djgraph.audio import load_signal

            return load_signal(path, session.mixer.graph.sample_rate)

        return name, read
    target = session.target
    if target is None:
        raise InputError("there is no target: choose a file, or open the studio with --target MIX")
    return target.name, lambda: target.audio
