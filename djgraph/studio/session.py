"""What is open in a studio: a project, its mixer, its player, and what all pages that look at it know."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, Union

from pydantic import Field, TypeAdapter

from djgraph.errors import InputError
from djgraph.playing import Feed, FeedBlocks, Player
from djgraph.studio.console import console_of
from djgraph.studio.curves import course_of, playable
from djgraph.studio.history import History
from djgraph.studio.messages import LONGEST, Message
from djgraph.studio.project import Clip, Project

if TYPE_CHECKING:
    from pathlib import Path

    from djgraph.mixer import Mixer
    from djgraph.studio.keeping import Keep
    from djgraph.studio.opening import Opened
    from djgraph.studio.peaks import Peaks
    from djgraph.studio.proposal import Proposal
    from djgraph.studio.target import Target

Event = dict[str, Any]
Listener = Callable[[Event], None]


class Part:
    """What a session can do of one subject; base of all. messages: those it answers, each with a ``do`` of its own."""

    messages: ClassVar[tuple[type[Message], ...]] = ()

    def __init__(self, session: Session) -> None:
        self.session = session

    def handle(self, message: Any) -> None:
        """Do what a page says. Raises DJGraphError, and changes nothing, for what cannot be."""
        raise NotImplementedError

    def snapshot(self) -> dict[str, Any]:
        """What a page has to know when it opens, under keys of its own."""
        return {}

    def changed(self) -> None:
        """The project has changed, or the mixer."""

    def let_go(self) -> None:
        """Nobody waits for anything any more: the studio is about to end."""

    def close(self) -> None:
        """The studio ends."""


P = TypeVar("P", bound=Part)


class Session:
    """One open project. Messages come from any page's thread, one at a time; what they change is told to all listeners.

    mixer, feed: of the project's graph. parts: what it can do. target: a mix to compare with. peaks: waveforms that
    pages may ask for, by the digest of their content. opened: where the material comes from; keep: where the project
    is saved, the session's to close. Without them nothing is saved or written. folders: those of which a page may
    choose files. proposal: what a fit or a model proposes. args: of the graph's own arguments, those that were given.
    resting: recipes that the graph cannot play.
    """

    def __init__(
        self,
        mixer: Mixer,
        feed: Feed,
        project: Project | None = None,
        parts: Sequence[type[Part]] = (),
        opened: Opened | None = None,
        keep: Keep | None = None,
    ) -> None:
        self.mixer, self.opened, self.keep = mixer, opened, keep
        self.history = History(Project(name=mixer.graph.name) if project is None else project)
        self.player = Player(mixer, feed)
        self.target: Target | None = None
        self.peaks: dict[str, Peaks] = {}
        self.folders: tuple[Path, ...] = ()
        self.proposal: Proposal | None = None
        self._proposals = 0
        self.args: dict[str, Any] = {} if opened is None else dict(opened.origin.args)
        self.resting: tuple[Clip, ...] = ()
        self._listeners: list[Listener] = []
        self._lock = threading.RLock()
        self.parts = [part(self) for part in parts]
        self._by_message = {message: part for part in self.parts for message in part.messages}
        kinds: Any = Union[tuple(self._by_message)]  # noqa: UP007  # of classes known only here
        self._said: TypeAdapter[Any] = TypeAdapter(Annotated[kinds, Field(discriminator="do")])
        self.refresh()

    @property
    def project(self) -> Project:
        return self.history.project

    # ── For pages ───────────────────────────────────────────────────────────────────────────────────────────

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Be told of every event from now on; what is returned ends that."""
        with self._lock:
            self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def snapshot(self) -> Event:
        """All that a page needs to know when it opens."""
        with self._lock:
            event: Event = {
                "event": "snapshot",
                "console": console_of(self.mixer.graph, self.mixer.layout),
                **self._state(),
            }
            for part in self.parts:
                event |= part.snapshot()
            return event

    def take(self, text: str) -> Message:
        """Read a message and do what it says; returns it. Raises pydantic's ValidationError for what is no message,
        DJGraphError for what cannot be done; both leave everything as it was."""
        message = self.read(text)
        self.do(message)
        return message

    def read(self, text: str) -> Message:
        """A message, of its text. Raises as :meth:`take`."""
        if len(text) > LONGEST:
            raise InputError(f"a message of {len(text)} characters; at most {LONGEST}")
        message: Message = self._said.validate_json(text)
        return message

    def do(self, message: Message) -> None:
        """What a message says. Raises as :meth:`take`."""
        with self._lock:
            self._by_message[type(message)].handle(message)

    # ── For parts ───────────────────────────────────────────────────────────────────────────────────────────

    def change(self, project: Project, what: str, gesture: str = "") -> None:
        """Go on with an edited project. Raises DJGraphError for one that cannot be played, and keeps the old one."""
        opened = self._retimed(project)
        course = self._course(project, opened)
        self.history.change(project, what, gesture)
        self._follow(course, opened)

    def go_back(self) -> None:
        """Undo."""
        if self.history.undo() is not None:
            self.refresh()

    def go_forth(self) -> None:
        """Redo."""
        if self.history.redo() is not None:
            self.refresh()

    def refresh(self) -> None:
        """Play the project as it is now."""
        opened = self._retimed(self.project)
        self._follow(self._course(self.project, opened), opened)

    def propose(self, proposal: Proposal | None) -> None:
        """Show lanes as ghosts, in place of those that were shown; None: no more."""
        with self._lock:
            self.proposal = proposal
            self.refresh()
            self.tell({"event": "proposal", "proposal": None if proposal is None else proposal.told()})

    def next_proposal(self) -> int:
        """A number that no other proposal has."""
        with self._lock:
            self._proposals += 1
            return self._proposals

    def adopt(self, mixer: Mixer, feed: Feed, project: Project, resting: tuple[Clip, ...] = ()) -> None:
        """Go on with another mixer, which the player plays already, and the project as it is with it; all pages begin
        anew. feed: the material as its graph takes it. resting: recipes that it cannot play."""
        with self._lock:
            if self.opened is not None:
                blocks = self.opened.blocks
                if mixer.graph.inputs != self.mixer.graph.inputs:
                    blocks = partial(FeedBlocks, feed)
                self.opened = replace(self.opened, graph=mixer.graph, blocks=blocks)
            self.mixer, self.resting = mixer, resting
            if project is not self.project:
                self.history.change(project, "edit the graph")
            self.player.follow(self._course(self.project))
            for part in self.parts:
                part.changed()
            self.tell({**self.snapshot(), "anew": True})

    def moving(self) -> Iterator[tuple[str, list[float]]]:
        """The controls that are automated, each with its values over the clip, to draw."""
        for lane in self.project.lanes:
            if lane.control in self.mixer.layout:
                yield lane.control, [point.value for point in lane.points]

    @property
    def position(self) -> int:
        """The clip's sample that is heard next."""
        return self.player.position

    def seek(self, sample: int) -> None:
        """Go on from a sample of the clip."""
        self.player.seek(sample)
        self._sent()

    def _sent(self) -> None:
        """The player goes on from elsewhere."""
        seconds = self.position / self.mixer.graph.sample_rate
        self.tell({"event": "sought", "seconds": seconds, "values": self.moved()})

    def released(self, names: Sequence[str]) -> None:
        """Tell that hands have let go, and where controls that are automated stand without them."""
        moved = self.moved()
        values = {name: moved[name] for name in names if name in moved}
        self.tell({"event": "released", "controls": list(names), "values": values})

    def moved(self) -> dict[str, float]:
        """Where the controls that are automated stand now."""
        course = self.player.course
        row, layout = course.row(self.position), course.layout
        return {name: float(row[layout.index(name)]) for name in course.moving}

    def tell(self, event: Event) -> None:
        """All pages."""
        for listener in list(self._listeners):
            listener(event)

    @property
    def seconds(self) -> float:
        """How long the clip is."""
        return self.player.feed.samples / self.mixer.graph.sample_rate

    def part(self, kind: type[P]) -> P | None:
        """The part of a kind, where the session has one."""
        return next((part for part in self.parts if isinstance(part, kind)), None)

    def transport(self) -> dict[str, Any]:
        now, rate = self.player.transport, self.mixer.graph.sample_rate
        return {
            "playing": self.player.playing,
            "seconds": self.position / rate,
            "loop": None if now.loop is None else [place / rate for place in now.loop],
            "tempo": self.player.course.bpm(self.position),
        }

    def let_go(self) -> None:
        """What pages wait for is given up: the studio is about to end."""
        for part in self.parts:
            part.let_go()

    def close(self) -> None:
        for part in self.parts:
            part.close()
        self.player.close()
        if self.keep is not None:
            self.keep.close()

    def _retimed(self, project: Project) -> Opened | None:
        """What is played, where a project has another tempo that it follows. Raises InputError where it cannot."""
        return None if self.opened is None else self.opened.at_tempo(project.clock, self.mixer.graph)

    def _course(self, project: Project, opened: Opened | None = None) -> Any:
        graph = self.mixer.graph
        samples = (self.player.feed if opened is None else opened.feed).samples
        project = playable(project, self.resting)
        return course_of(project, self.mixer.layout, samples, graph.sample_rate)

    def _follow(self, course: Any, opened: Opened | None = None) -> None:
        if opened is None:
            self.player.follow(course)
        elif self.opened is not None and self.opened.tempo is not None and opened.tempo is not None:
            # What is heard stays at its beat.
            rate = self.mixer.graph.sample_rate
            place = round(opened.tempo.seconds(self.opened.tempo.beat(self.position / rate)) * rate)
            self.opened = opened
            self.player.refeed(opened.feed, course, place)
            self._sent()
        if (
            self.player.mixer.layout == self.mixer.layout
        ):  # else one takes over right now, and all is told anew
            for part in self.parts:
                part.changed()
        self.tell({"event": "project", **self._state()})

    def _state(self) -> dict[str, Any]:
        undo, redo = self.history.labels
        row = self.player.course.row(self.position)
        return {
            "project": self.project.model_dump(mode="json", exclude={"other"}),
            "values": [float(value) for value in row],
            "seconds": self.seconds,
            "undo": undo,
            "redo": redo,
        }
