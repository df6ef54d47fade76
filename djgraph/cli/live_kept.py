"""What ``djgraph live`` keeps: what was heard, and what the controls did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from djgraph.errors import InputError
from djgraph.guard import claim

if TYPE_CHECKING:
    from djgraph.graph.ir import Graph
    from djgraph.live.engine import Sink
    from djgraph.live.recording import ControlRecorder, Recorder
    from djgraph.playing import Player


class Kept:
    """record: where what is heard goes; controls: where automation goes. Claims both before inputs are read, so that
    neither is one of them. recorder: of the sound, once it plays."""

    def __init__(self, record: Path | None, controls: Path | None) -> None:
        claim(record, controls)
        self._record, self._path = record, controls
        self.recorder: Recorder | None = None
        self._controls: ControlRecorder | None = None

    def check(self, graph: Graph) -> None:
        """Whether both can be written: told before it is played, for it cannot be played again. Raises InputError and
        AudioFileError."""
        from djgraph.atomic import check_target
        from djgraph.automation.model import AUTOMATION
        from djgraph.rendering import check_outputs

        if self._record is not None:
            check_outputs({next(iter(graph.outputs)): self._record}, graph)
        if self._path is not None:
            if self._path.suffix.lower() not in AUTOMATION.suffixes:
                raise InputError(f"{self._path}: controls are written as {', '.join(AUTOMATION.suffixes)}")
            check_target(self._path, InputError)

    def sinks(self, player: Player) -> list[Sink]:
        """What listens to an engine."""
        from djgraph.live.recording import ControlRecorder, Recorder

        graph = player.mixer.graph
        made: list[Sink] = []
        if self._path is not None:
            self._controls = ControlRecorder(player)
            made.append(self._controls.count)
        if self._record is not None:
            channels = graph.channels(next(iter(graph.outputs.values())))
            self.recorder = Recorder(self._record, graph.sample_rate, channels)
            made.append(self.recorder)
        return made

    def complete(self, rate: int, clock: Any) -> None:
        """Write all, whatever ended the sound; a second Ctrl-C waits until that is done. rate: Hz. clock: of the
        automation."""
        from djgraph.signals import held

        with held():
            try:
                if self._controls is not None and self._path is not None:
                    self._controls.automation(rate, tempo=clock).save(self._path)
            finally:
                if self.recorder is not None:
                    self.recorder.close()
