"""A graph's text becomes the mixer that plays: checked aside, compiled in the background, warmed up, faded in."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from djgraph.errors import DJGraphError
from djgraph.graph import load
from djgraph.mixer import Mixer, compile_graph
from djgraph.playing import Fitted, Hands
from djgraph.playing.handover import Setup
from djgraph.playing.relay import LEAD, warm
from djgraph.studio.checking import document_of
from djgraph.studio.curves import course_of, playable, points_of_clip
from djgraph.studio.opening import all_material
from djgraph.studio.project import Clip, Project

if TYPE_CHECKING:
    from djgraph.studio.session import Session

SWITCH = 0.0005
"""Seconds after which Python lets the sound's thread go on while a graph is compiled, a tenth of what it is else."""
NAMED = 12
"""Names that a note tells."""


@dataclass(frozen=True)
class Wish:
    """A text to be played. file: where it is kept, or None. seen: the number of this wish."""

    text: str
    file: str | None
    seen: int


class Reloading:
    """A thread that makes what was asked for last the mixer of a session; what is asked for meanwhile takes its place.

    ask: as :meth:`djgraph.studio.worker.Worker.ask`. tell: hears ``stage`` (``checking``, ``compiling``, ``warming``,
    ``done`` or ``failed``), ``problems`` and ``notes`` and the number of the wish. done: is called once a text is what
    plays, before pages are told of its console.
    """

    def __init__(
        self,
        session: Session,
        ask: Callable[..., dict[str, Any]],
        tell: Callable[[dict[str, Any]], None],
        done: Callable[[Wish], Project],
        lead: float = LEAD,
    ) -> None:
        self._session, self._check, self._tell, self._done, self._lead = session, ask, tell, done, lead
        self._wish: Wish | None = None
        self._seen = 0
        self._closed = False
        self._more = threading.Condition()
        self._thread: threading.Thread | None = None

    def ask(self, text: str, file: str | None) -> int:
        """Play another text as soon as may be; the number of the wish."""
        with self._more:
            self._seen += 1
            self._wish = Wish(text, file, self._seen)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="djgraph reload", daemon=True)
                self._thread.start()
            self._more.notify()
            return self._seen

    def close(self) -> None:
        with self._more:
            self._closed = True
            self._more.notify()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while True:
            with self._more:
                while self._wish is None and not self._closed:
                    self._more.wait()
                if self._closed or self._wish is None:
                    return
                wish, self._wish = self._wish, None
            try:
                self._reload(wish)
            except DJGraphError as error:
                self._say(wish, "failed", problems=[_problem(str(error))])

    def _stale(self) -> bool:
        """Whether something else has been asked for meanwhile."""
        return self._closed or self._wish is not None

    def _say(self, wish: Wish, stage: str, **more: Any) -> None:
        self._tell({"stage": stage, "wish": wish.seen, "problems": [], "notes": [], **more})

    def _reload(self, wish: Wish) -> None:
        session, player = self._session, self._session.player
        self._say(wish, "checking")
        found = self._check("check", text=wish.text, file=wish.file, args=dict(session.args))
        if any(one["level"] == "error" for one in found["problems"]):
            self._say(wish, "failed", problems=found["problems"])
            return
        if self._stale():
            return
        self._say(wish, "compiling")
        with _yielding():
            graph = load(document_of(wish.text, wish.file), **session.args)
            mixer = compile_graph(graph, lowering=session.mixer.lowering)
        before, after = session.mixer.graph.sample_rate, mixer.graph.sample_rate
        if before != after:
            raise DJGraphError(
                f"the graph plays at {after} Hz now, and what is open at {before} Hz: open it anew"
            )
        if self._stale():
            return
        self._say(wish, "warming")
        hands, feed = player.hands, player.feed
        setup, resting, notes = self._setup(mixer)
        try:
            taken = warm(player, setup, self._lead, lambda: self._stale() or player.feed is not feed)
        finally:
            hands.hand_on(None)
        if player.feed is not feed and not taken and not self._stale():  # other material, meanwhile
            self._reload(wish)
        elif taken:
            session.adopt(mixer, setup.feed, self._done(wish), resting)
            self._say(wish, "done", problems=found["problems"], notes=notes)

    def _setup(self, mixer: Mixer) -> tuple[Setup, tuple[Clip, ...], list[str]]:
        """What is going to be played: automation and hands by name, inputs as far as they are there."""
        session, layout, graph = self._session, mixer.layout, mixer.graph
        project, seconds = session.project, session.seconds
        feed = Fitted(session.player.feed, graph, all_material(graph, session.player.feed.material))
        old = session.mixer.layout
        notes = _said("silent, for nothing plays it", "silent, for nothing plays them", feed.silent, "input")
        notes += _said("new", "new", [n for n in layout.names if n not in old], "control")
        notes += _said("gone", "gone", [n for n in old.names if n not in layout], "control")
        gone = [lane.control for lane in project.lanes if lane.control not in layout]
        notes += _said(
            "resting until its control is there again",
            "resting until their controls are there again",
            gone,
            "lane",
        )
        resting: list[Clip] = []
        for clip in project.clips:
            try:
                points_of_clip(clip, project, layout, seconds)
            except DJGraphError as error:
                resting.append(clip)
                notes.append(f"recipe {clip.recipe} rests: {str(error).splitlines()[0]}")
        project = playable(project, tuple(resting))
        samples = session.player.feed.samples
        course = course_of(project, layout, samples, graph.sample_rate)
        hands = Hands(layout)
        session.player.hands.hand_on(hands)
        setup = replace(session.player.setup, mixer=mixer, course=course, hands=hands, feed=feed)
        return setup, tuple(resting), notes


@contextmanager
def _yielding() -> Iterator[None]:
    """While there is much to compute in Python, the sound's thread has its turn soon."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _said(one: str, many: str, names: Any, noun: str) -> list[str]:
    """A note about some names, if there are some."""
    names = list(names)
    if not names:
        return []
    shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    return [f"{noun} {shown}: {one}" if len(names) == 1 else f"{noun}s {shown}: {many}"]


def _problem(message: str) -> dict[str, Any]:
    keys = ("line", "column", "file", "guess", "hint")
    return {"level": "error", "message": message, "at": "", "allowed": [], "more": 0, **dict.fromkeys(keys)}
