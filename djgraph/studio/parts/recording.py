"""What is played on the console, recorded as lanes."""

from __future__ import annotations

import logging
import threading
from typing import Any, ClassVar, Literal

from pydantic import ValidationError

from djgraph.errors import DJGraphError
from djgraph.playing import Hands, Run, Tape
from djgraph.studio.curves import base_of
from djgraph.studio.messages import Message
from djgraph.studio.project import Lane
from djgraph.studio.recording import ERROR, recorded
from djgraph.studio.session import Part, Session

LOOKED = 0.1
"""Seconds after which runs that have ended are looked for."""


class Record(Message):
    """What hands do is recorded from now on; None: no more."""

    do: Literal["record"]
    mode: Literal["touch", "latch", "write"] | None


class Keep(Message):
    """What has been played since becomes lanes."""

    do: Literal["keep"]


class Recording(Part):
    """While it is armed, what hands do while it plays becomes lanes as soon as they let go, and where playing ends."""

    messages: ClassVar[tuple[type[Message], ...]] = (Record, Keep)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._hands: Hands | None = None
        self._tape: Tape | None = None
        self._ended = threading.Event()
        self._watch: threading.Thread | None = None

    def handle(self, message: Record | Keep) -> None:
        if isinstance(message, Keep):
            self._keep()
            return
        if self._tape is not None:
            self.session.player.hands.tape = None
            self._tape.stop(self.session.player.transport.position)
            self._keep(ended=True)
            self._tape = None
        if message.mode is not None:
            self._arm(message.mode)
            if self._watch is None:
                self._watch = threading.Thread(target=self._look, name="djgraph recording", daemon=True)
                self._watch.start()
        self.session.tell({"event": "recording", "recording": self._mode})

    def changed(self) -> None:
        tape, hands = self._tape, self.session.player.hands
        if tape is not None and hands is not self._hands:  # another mixer has taken over
            mode = tape.mode
            self._keep()
            self._arm(mode)

    def snapshot(self) -> dict[str, Any]:
        return {"recording": self._mode}

    def close(self) -> None:
        self._ended.set()
        if self._watch is not None:
            self._watch.join(timeout=2)

    @property
    def _mode(self) -> str | None:
        return None if self._tape is None else self._tape.mode

    def _arm(self, mode: Any) -> None:
        session = self.session
        written = [lane.control for lane in session.project.lanes if lane.control in session.mixer.layout]
        self._hands = session.player.hands
        self._tape = self._hands.tape = Tape(session.mixer.layout, mode, written)

    def _keep(self, ended: bool = False) -> None:
        if self._tape is None or not (runs := self._tape.collect()):
            return
        session, layout = self.session, self.session.mixer.layout
        project = session.project
        for run in runs:
            if run.control in layout and run.samples:
                base = base_of(run.control, project, layout, session.seconds)
                control, rate = layout[run.control].control, session.mixer.graph.sample_rate
                points = recorded(base, run, control, project.clock, rate, ERROR)
                project = project.with_lane(Lane(control=run.control, points=points))
        session.change(project, f"record {_names(runs)}")
        if ended or not session.player.transport.playing:
            self._let_go({run.control for run in runs})

    def _let_go(self, names: set[str]) -> None:
        """Hands leave what was recorded, so that it is heard the next time."""
        hands = self.session.player.hands
        if held := [name for name in hands.held if name in names]:
            for name in held:
                hands.release(name)
            self.session.released(held)

    def _look(self) -> None:
        """Keeps what has ended, soon after it has."""
        while not self._ended.wait(LOOKED):
            tape = self._tape
            if tape is not None and tape.ended:
                try:
                    self.session.take('{"do": "keep"}')
                except (DJGraphError, ValidationError) as error:
                    logging.getLogger("djgraph").warning("a recording was not kept: %s", error)
                    self.session.tell({"event": "refused", "id": 0, "message": str(error)})


def _names(runs: list[Run]) -> str:
    names = list(dict.fromkeys(run.control for run in runs))
    return names[0] if len(names) == 1 else f"{len(names)} controls"
