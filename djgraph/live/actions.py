"""What buttons and messages do beside moving controls: play, stop, back to the start, the loop, let go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from djgraph.live.desk import Desk


class Actions:
    """Orders to a desk's player. loop: the samples between which it goes round when that is on. tell: is given the
    events of which a studio's pages are told."""

    def __init__(
        self,
        desk: Desk,
        loop: tuple[int, int] | None = None,
        tell: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.desk, self._loop, self._tell = desk, loop, tell or (lambda event: None)

    def do(self, action: str) -> None:
        """One of :data:`djgraph.live.mapping.ACTIONS`."""
        player = self.desk.player
        match action:
            case "play":
                self._play(True)
            case "stop":
                self._play(False)
            case "toggle":
                self._play(not player.transport.playing)
            case "start":
                self.seek(0.0)
            case "loop":
                region = self._loop or (0, player.feed.samples)
                player.loop(None if player.transport.loop is not None else region)
            case "release":
                self.desk.release()
                self._tell({"event": "released", "controls": list(self.desk.layout.names)})

    def seek(self, seconds: float) -> None:
        rate = self.desk.player.mixer.graph.sample_rate
        self.desk.player.seek(round(seconds * rate))
        self._tell({"event": "sought", "seconds": seconds})

    def lit(self, action: str) -> bool:
        """Whether a button of this action shines."""
        transport = self.desk.player.transport
        if action in ("play", "toggle"):
            return transport.playing
        if action == "stop":
            return not transport.playing
        return action == "loop" and transport.loop is not None

    def _play(self, playing: bool) -> None:
        player = self.desk.player
        (player.play if playing else player.stop)()
        self._tell({"event": "playing", "playing": playing})
