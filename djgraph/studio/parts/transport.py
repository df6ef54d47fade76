"""Play, stop, seek, loop, tempo."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from djgraph.studio.messages import Message, Seconds
from djgraph.studio.session import Part


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

    def handle(self, message: Play | Stop | Seek | Loop | Tempo) -> None:
        session, player, rate = self.session, self.session.player, self.session.mixer.graph.sample_rate
        match message:
            case Play():
                player.play()
                session.tell({"event": "playing", "playing": True})
            case Stop():
                player.stop()
                session.tell({"event": "playing", "playing": False})
            case Seek():
                player.seek(round(message.seconds * rate))
                session.tell({"event": "sought", "seconds": message.seconds})
            case Loop():
                clock, region = session.project.clock, message.region
                beats = None if region is None else (clock.beat(region[0]), clock.beat(region[1]))
                session.change(session.project.model_copy(update={"loop": beats}), "set the loop", "loop")
            case Tempo():
                tempo = ((0.0, message.bpm, "hold"),)
                session.change(session.project.model_copy(update={"tempo": tempo}), "set the tempo", "tempo")

    def changed(self) -> None:
        project, player, rate = (
            self.session.project,
            self.session.player,
            self.session.mixer.graph.sample_rate,
        )
        clock = project.clock
        player.at_tempo(clock.bpm(0.0))
        loop = project.loop
        player.loop(
            None
            if loop is None
            else (round(clock.seconds(loop[0]) * rate), round(clock.seconds(loop[1]) * rate))
        )

    def snapshot(self) -> dict[str, Any]:
        return {"transport": self.session.transport()}
