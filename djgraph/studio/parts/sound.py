"""How the sound is made: which lowering, how long blocks are, meters of strips or none; and what each would take."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from djgraph.errors import DJGraphError
from djgraph.playing import Hands, Player
from djgraph.playing.handover import Setup
from djgraph.playing.line import TICK
from djgraph.playing.relay import warm
from djgraph.studio.messages import Message
from djgraph.studio.session import Part, Session

if TYPE_CHECKING:
    from djgraph.mixer import Mixer

Lowering = Literal["studio", "causal"]
BLOCKS = (512, 1024, 2048)
OVER = 0.9
"""Load from which a machine is called slow: what is left of a block's length is little for anything else."""
LOOKED = 1.0
"""Seconds after which the load is looked at."""
PATIENCE = 3
"""Times in a row that it is too high before it is told."""
OTHERS = "other work on this machine"
TRIED = 24
"""Blocks of which a choice is measured, after as many that are not counted."""
PACE = 0.25
"""Share of a core that measuring takes."""


class Make(Message):
    """How the sound is made from now on; what is left out stays."""

    do: Literal["sound"]
    lowering: Literal["studio", "causal"] | None = None
    block: Literal[512, 1024, 2048] | None = None
    meters: bool | None = None


class Weigh(Message):
    """Measure what each choice would take."""

    do: Literal["weigh"]


class Sounding(Part):
    """A choice is heard within a cross-fade, by a mixer that was warmed up beside the one that plays.

    A machine that is too slow is told so, with what takes its time. What choices would take is measured in a thread of
    its own, in processor time, at a quarter of a core.
    """

    messages: ClassVar[tuple[type[Message], ...]] = (Make, Weigh)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.lowering: Lowering = session.mixer.lowering
        self.meters = True
        self.block = TICK
        self.weights: list[dict[str, Any]] = []
        self._why_not: str | None = None
        self._lowered: tuple[Mixer, Mixer] | None = None  # of which mixer, and what
        self._over: dict[str, Any] | None = None
        self._asked, self._ended = threading.Event(), threading.Event()
        self._weighing: threading.Thread | None = None
        self._threads = [
            threading.Thread(target=job, name=f"djgraph {name}", daemon=True)
            for name, job in (("lowering", self._keep), ("load", self._watch))
        ]
        for thread in self._threads:
            thread.start()

    def handle(self, message: Make | Weigh) -> None:
        match message:
            case Make():
                if message.lowering == "causal":
                    self._other("causal")
                self.lowering = message.lowering or self.lowering
                self.meters = self.meters if message.meters is None else message.meters
                self.block = self.session.player.tick = message.block or self.block
                self._asked.set()
                self._tell()
            case Weigh():
                if self._weighing is None or not self._weighing.is_alive():
                    self._weighing = threading.Thread(target=self._weigh, name="djgraph weigh", daemon=True)
                    self._weighing.start()

    def changed(self) -> None:
        self._asked.set()

    def snapshot(self) -> dict[str, Any]:
        return {"sound": self._state()}

    def close(self) -> None:
        self._ended.set()
        self._asked.set()
        for thread in (*self._threads, *([] if self._weighing is None else [self._weighing])):
            thread.join(timeout=5)

    def _state(self) -> dict[str, Any]:
        graph = self.session.mixer.graph
        return {
            "lowering": self.lowering,
            "block": self.block,
            "meters": self.meters,
            "channels": graph.channels(next(iter(graph.outputs.values()))),
            "weights": self.weights,
            "weighing": self._weighing is not None and self._weighing.is_alive(),
            "over": self._over,
            "why_not": self._why_not,
        }

    def _tell(self) -> None:
        self.session.tell({"event": "sound", "sound": self._state()})

    def _other(self, lowering: Lowering) -> Mixer:
        """The session's mixer under a lowering. Raises CompileError where it has none."""
        mixer = self.session.mixer
        if lowering == mixer.lowering:
            return mixer
        if self._lowered is None or self._lowered[0] is not mixer:
            from djgraph.mixer import Mixer

            self._lowered = mixer, Mixer(mixer.graph, lowering=lowering)
        return self._lowered[1]

    # ── Threads of their own ────────────────────────────────────────────────────────────────────────────────

    def _keep(self) -> None:
        """What plays is what was chosen."""
        while not self._ended.is_set():
            self._asked.wait()
            self._asked.clear()
            player = self.session.player
            while not self._ended.is_set():
                setup = player.setup
                try:
                    mixer = self._other(self.lowering)
                except DJGraphError as error:  # another graph, which has none
                    self.lowering, self._why_not = "studio", str(error)
                    self._tell()
                    continue
                if setup.mixer is mixer and setup.taps == self.meters:
                    break
                if setup.mixer.layout != mixer.layout:
                    break  # another graph is about to take over
                if warm(player, replace(setup, mixer=mixer, taps=self.meters), ended=self._ended.is_set):
                    self._tell()

    def _watch(self) -> None:
        """A machine that is too slow is told so."""
        times = 0
        while not self._ended.wait(LOOKED):
            player = self.session.player
            causes = _causes(player)
            median, late = player.load
            slow = player.transport.playing and median > OVER
            times = times + 1 if slow else 0
            over = None
            if times >= PATIENCE:
                over = {
                    "load": round(median, 3),
                    "late": round(late, 3),
                    "causes": causes[:4],
                }
            if player.transport.playing:
                self.session.tell({"event": "causes", "causes": causes[:8]})
            if over is not None or self._over is not None:
                self._over = over
                self._tell()

    def _weigh(self) -> None:
        """Measure each choice beside the sound."""
        self.weights = []
        self._tell()
        for lowering, block, meters in choices(self.lowering, self.block, self.meters):
            try:
                mixer = self._other(lowering)
            except DJGraphError as error:
                self._why_not = str(error).splitlines()[0]
                continue
            setup = self.session.player.setup
            if setup.mixer.layout != mixer.layout or self._ended.is_set():
                break
            load = taken(replace(setup, mixer=mixer, taps=meters), block, self._ended)
            row = {"lowering": lowering, "block": block, "meters": meters, "load": round(load, 3)}
            self.weights = [*self.weights, row]
            self._tell()
        self._weighing = None
        self._tell()


def _causes(player: Player) -> list[tuple[str, float]]:
    """What takes how much of a block's length, the most first; what others take from it among them."""
    rows = [*player.causes().items(), (OTHERS, player.waiting)]
    return [(name, round(share, 3)) for name, share in sorted(rows, key=lambda row: -row[1])]


def choices(lowering: Lowering, block: int, meters: bool) -> list[tuple[Lowering, int, bool]]:
    """As it is, and with one thing changed at a time."""
    rows: list[tuple[Lowering, int, bool]] = [
        (lowering, block, meters),
        ("causal" if lowering == "studio" else "studio", block, meters),
    ]
    rows += [(lowering, length, meters) for length in BLOCKS if length != block]
    return [*rows, (lowering, block, not meters)]


def taken(setup: Setup, block: int, ended: threading.Event) -> float:
    """The share of a block's length that it takes, in processor time of the thread that makes it: the median. Nobody's
    hands are on it, and nothing of it is heard."""
    rate = setup.mixer.graph.sample_rate
    line = replace(setup, hands=Hands(setup.mixer.layout)).line(0, loop=(0, setup.feed.samples))
    loads = []
    for number in range(2 * TRIED):
        if ended.is_set():
            break
        began = time.thread_time()
        line.block(block)
        spent = time.thread_time() - began
        if number >= TRIED:
            loads.append(spent / block * rate)
        time.sleep(spent / PACE)
    return sorted(loads)[len(loads) // 2] if loads else 0.0
