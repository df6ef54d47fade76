"""Play, stop, seek, loop, tempo."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from djgraph.errors import InputError
from djgraph.playing.player import SHORTEST
from djgraph.studio.messages import Message, Seconds
from djgraph.studio.session import Part, Session


class Play(Message):
    do: Literal["play"]


class Stop(Message):
    do: Literal["stop"]


class Seek(Message):
    do: Literal["seek"]
    seconds: Seconds


class Loop(Message):
    """Go round between two times; None: no more."""

    do: Literal["loop"]
    region: tuple[Seconds, Seconds] | None


class Tempo(Message):
    """The tempo of the whole project, BPM."""

    do: Literal["tempo"]
    bpm: Annotated[float, Field(ge=20, le=400)]


class Transporting(Part):
    messages: ClassVar[tuple[type[Message], ...]] = (Play, Stop, Seek, Loop, Tempo)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._clock = session.project.clock
        self._region: list[float] | None = None

    def handle(self, message: Play | Stop | Seek | Loop | Tempo) -> None:
        session, player, rate = self.session, self.session.player, self.session.mixer.graph.sample_rate
        match message:
            case Play():
                prepared = player.prepared
                if not prepared:
                    session.tell(
                        {"event": "say", "message": "getting ready to play this for the first time …"}
                    )
                player.play()
                if not prepared:
                    session.tell({"event": "say", "message": ""})
                session.tell({"event": "playing", "playing": True})
            case Stop():
                player.stop()
                session.tell({"event": "playing", "playing": False})
            case Seek():
                session.seek(round(message.seconds * rate))
            case Loop():
                clock, region = session.project.clock, message.region
                if region is not None and round(region[1] * rate) - round(region[0] * rate) < SHORTEST:
                    raise InputError(f"a loop is at least {1000 * SHORTEST / rate:.0f} ms long")
                beats = None if region is None else (clock.beat(region[0]), clock.beat(region[1]))
                session.change(session.project.model_copy(update={"loop": beats}), "set the loop", "loop")
            case Tempo():
                if why := self._tempo_is():
                    raise InputError(why)
                self._fits(message.bpm)
                tempo = ((0.0, message.bpm, "hold"),)
                session.change(session.project.model_copy(update={"tempo": tempo}), "set the tempo", "tempo")

    def changed(self) -> None:
        """The loop lies at beats, and so does what is heard where decks play all of it; audio stays where it is."""
        session, player, rate = self.session, self.session.player, self.session.mixer.graph.sample_rate
        clock, loop, graph = session.project.clock, session.project.loop, session.mixer.graph
        if clock.points != self._clock.points or clock.ramps != self._clock.ramps:
            follows = session.opened is not None and session.opened.retimed is not None
            if graph.sources and not follows and all(name in graph.sources for name in graph.inputs):
                beat = self._clock.beat(session.position / rate)
                session.seek(round(clock.seconds(beat) * rate))
            self._clock = clock
        region = None if loop is None else tuple(round(clock.seconds(beat) * rate) for beat in loop)
        if region is not None:
            begin, end = (min(place, player.feed.samples) for place in region)
            region = (begin, end) if end - begin >= SHORTEST else None
        player.loop(region)
        self._region = None if region is None else [place / rate for place in region]
        session.tell({"event": "loop", "region": self._region})

    def snapshot(self) -> dict[str, Any]:
        return {"transport": {**self.session.transport(), "loop": self._region}, "tempo_is": self._tempo_is()}

    def _fits(self, bpm: float) -> None:
        """Raises InputError where a recipe would end behind a clip that is so many beats shorter."""
        session = self.session
        if session.opened is not None and session.opened.retimed is not None:  # as long in beats as before
            return
        beats = session.seconds * bpm / 60
        for clip in session.project.clips:
            if clip not in session.resting and clip.start + clip.length > beats + 1e-6:
                end = clip.start + clip.length
                raise InputError(
                    f"at {bpm:g} BPM the clip is {beats:g} beats long, and {clip.recipe} goes from beat "
                    f"{clip.start:g} to {end:g}: move it or shorten it first"
                )

    def _tempo_is(self) -> str | None:
        """Why it is not changed here."""
        a_set = self.session.opened is not None and self.session.opened.plan is not None
        return (
            "the tempo is the set file's, at which its tracks are placed: change it there" if a_set else None
        )
