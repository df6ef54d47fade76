"""What buttons and messages do beside moving controls: play, stop, back to the start, the loop, let go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from djgraph.live.desk import Desk


class Actions:
    """Orders to a desk's player. loop: the samples between which it goes round when that is on. say: is given the
    orders instead, as messages of a studio's pages, so that these stay in step."""

    def __init__(
        self,
        desk: Desk,
        loop: tuple[int, int] | None = None,
        say: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        self.desk, self._loop, self._say = desk, loop, say

    def do(self, action: str) -> None:
        """One of :data:`djgraph.live.mapping.ACTIONS`. Raises DJGraphError for what cannot be."""
        player, transport = self.desk.player, self.desk.player.transport
        if action == "toggle":
            action = "stop" if transport.playing else "play"
        match action:
            case "play":
                self._order({"do": "play"}, player.play)
            case "stop":
                self._order({"do": "stop"}, player.stop)
            case "start":
                self.seek(0.0)
            case "loop":
                rate = player.mixer.graph.sample_rate
                region = None if transport.loop is not None else self._loop or (0, player.feed.samples)
                seconds = None if region is None else [place / rate for place in region]
                self._order({"do": "loop", "region": seconds}, lambda: player.loop(region))
            case "release":
                self.desk.release()
                self._order({"do": "release", "control": None}, lambda: None)

    def seek(self, seconds: float) -> None:
        """To a second of the clip."""
        player = self.desk.player
        place = round(min(seconds, 1e6) * player.mixer.graph.sample_rate)
        self._order({"do": "seek", "seconds": min(seconds, 1e6)}, lambda: player.seek(place))

    def lit(self, action: str) -> bool:
        """Whether a button of this action shines."""
        transport = self.desk.player.transport
        if action in ("play", "toggle"):
            return transport.playing
        if action == "stop":
            return not transport.playing
        return action == "loop" and transport.loop is not None

    def _order(self, message: dict[str, Any], alone: Callable[[], None]) -> None:
        if self._say is None:
            alone()
        else:
            self._say(message)
