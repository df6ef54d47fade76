"""A mix to compare with: seen below the stems, heard in place of one's own, its fit's controls taken over."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from djgraph.errors import InputError
from djgraph.playing import MemoryFeed
from djgraph.studio.curves import course_points, lane_points
from djgraph.studio.messages import Message, Name
from djgraph.studio.peaks import peaks_of
from djgraph.studio.project import Lane
from djgraph.studio.session import Part, Session
from djgraph.studio.target import Target, wide


class Hear(Message):
    """Which of two is heard: one's own mix, or the target at the same place."""

    do: Literal["hear"]
    what: Literal["mix", "target"]


class Adopt(Message):
    """What a fit found becomes lanes: of these controls, or of all."""

    do: Literal["adopt"]
    controls: Annotated[tuple[Name, ...], Field(max_length=10_000)] | None = None


class Comparing(Part):
    messages: ClassVar[tuple[type[Message], ...]] = (Hear, Adopt)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._told: tuple[Target, dict[str, Any]] | None = None
        self._heard = "mix"

    def handle(self, message: Hear | Adopt) -> None:
        session, target = self.session, self.session.target
        if target is None:
            raise InputError("there is no target: open the studio with --target MIX")
        if isinstance(message, Hear):
            self._hear(message.what, target)
            return
        fitted = self._fitted(target)
        wanted = (
            fitted if message.controls is None else {name: fitted.get(name, ()) for name in message.controls}
        )
        if missing := [name for name, points in wanted.items() if not points]:
            raise InputError(f"the fit has nothing for {missing[0]}")
        lanes = [Lane(control=name, points=points) for name, points in wanted.items()]
        if not lanes:
            raise InputError("there is no fit of the target: open the studio with --fitted AUTOMATION")
        session.change(session.project.with_lanes(lanes), "take over what the fit found")

    def snapshot(self) -> dict[str, Any]:
        target = self.session.target
        if target is None:
            return {"target": None}
        layout = self.session.mixer.layout
        fitted = {
            name: [point.model_dump(exclude_defaults=True) for point in points]
            for name, points in self._fitted(target).items()
        }
        bands = [name for name in target.bands if name in layout]
        return {"target": {**self._wave(target), "fitted": fitted, "bands": bands, "heard": self._heard}}

    def bands(self) -> dict[str, Any]:
        """Error bands, to draw."""
        target, layout = self.session.target, self.session.mixer.layout
        few = {} if target is None else {n: b.fewer() for n, b in target.bands.items() if n in layout}
        return {
            name: {
                "seconds": band.seconds.round(4).tolist(),
                "low": band.low.tolist(),
                "high": band.high.tolist(),
                "told": band.told.astype(int).tolist(),
            }
            for name, band in few.items()
        }

    def _hear(self, what: str, target: Target) -> None:
        graph, player = self.session.mixer.graph, self.session.player
        channels = graph.channels(next(iter(graph.outputs.values())))
        feed = MemoryFeed({"target": wide(target.audio, channels)})
        player.instead = feed if what == "target" else None
        self._heard = what
        self.session.tell({"event": "heard", "what": what})

    def _fitted(self, target: Target) -> Any:
        layout, project = self.session.mixer.layout, self.session.project
        if target.found is None:
            return {}
        seconds = target.audio.shape[-1] / self.session.mixer.graph.sample_rate
        found = course_points(target.found, layout, seconds, project.clock)
        return {name: lane_points(points, layout, name) for name, points in found.items()}

    def _wave(self, target: Target) -> dict[str, Any]:
        if self._told is None or self._told[0] is not target:
            peaks = peaks_of([target.audio.numpy()])
            told = {"name": target.name, "digest": peaks.digest, "samples": peaks.samples, "peak": peaks.peak}
            self._told = target, told
            self.session.peaks[peaks.digest] = peaks
        return self._told[1]
