"""Who plays in ``djgraph live``, and whose hands are on it: a controller's, OSC's, a page's."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from djgraph.errors import InputError

if TYPE_CHECKING:
    from djgraph.live.desk import Heard
    from djgraph.live.mapping import Bindings
    from djgraph.mixer import Mixer
    from djgraph.playing import Player
    from djgraph.studio.opening import Opened
    from djgraph.studio.project import Project
    from djgraph.studio.session import Session


class Rig(contextlib.ExitStack):
    """A player, by itself or in the session of a page, and the desk that all hands share. Leaving it closes all that
    was opened, the last one first. region: the samples between which it goes round."""

    def __init__(
        self, mixer: Mixer, opened: Opened, project: Project, region: tuple[int, int] | None, page: bool
    ) -> None:
        from djgraph.live import Desk
        from djgraph.live.actions import Actions

        super().__init__()
        self._session: Session | None = None
        say = None
        try:
            if page:
                self._session = session = self._in_session(mixer, opened, project, region)
                self.player, say = session.player, _said_to(session)
            else:
                self.player = self._alone(mixer, opened, project, region)
            self.desk = Desk(self.player)
            self.callback(self.desk.close)
            self._actions = Actions(self.desk, region, say)
            if self._session is not None:
                self.desk.listen(_told_to(self._session))
        except BaseException:
            self.close()
            raise

    def controller(self, path: str, bindings: Bindings, port: str | None) -> str:
        """Open the MIDI port of a mapping, or ``port``; what it is called. Raises InputError where neither is named,
        DeviceError where there is no such port."""
        from djgraph.live.midi import Port, Surface

        wanted = port or bindings.model.port
        if not wanted:
            raise InputError(f"{path} does not name a MIDI port (port: …); give --midi-port")
        heard: list[Any] = []
        opened = Port(wanted, lambda message: heard[0].take(message) if heard else None)
        self.callback(opened.close)
        surface = Surface(bindings, self.desk, self._actions, opened.send)
        heard.append(surface)
        self.desk.listen(surface.show)
        return f"{opened.name}, {len(bindings.entries)} mapped by {path}"

    def osc(self, port: int, host: str) -> str:
        """Listen there; the address. Raises DeviceError where that cannot be."""
        from djgraph.live.osc import Osc

        server = Osc(self.desk, self._actions, port, host)
        self.callback(server.close)
        self.desk.listen(server.show)
        return f"{server.host}:{server.port}"

    def page(self, port: int, no_browser: bool) -> str:
        """Serve the console, and open it; its address. For a rig with a page."""
        import threading

        from djgraph.studio.serve import Serving

        assert self._session is not None
        serving = Serving(self._session, port, sound=False)
        thread = threading.Thread(target=serving.run, name="djgraph page", daemon=True)
        thread.start()
        self.callback(thread.join, 5)
        self.callback(serving.stop)
        if not no_browser:
            import webbrowser

            webbrowser.open(serving.url)
        return serving.url

    def _in_session(
        self, mixer: Mixer, opened: Opened, project: Project, region: tuple[int, int] | None
    ) -> Session:
        from djgraph.studio.parts import PARTS
        from djgraph.studio.session import Session

        if region is not None:
            begin, end = (project.clock.beat(place / mixer.graph.sample_rate) for place in region)
            project = project.model_copy(update={"loop": (begin, end)})
        session = Session(mixer, opened.feed, project, PARTS, opened=opened)
        self.callback(session.close)
        return session

    def _alone(
        self, mixer: Mixer, opened: Opened, project: Project, region: tuple[int, int] | None
    ) -> Player:
        from djgraph.playing import Player
        from djgraph.studio.curves import course_of

        course = course_of(project, mixer.layout, opened.feed.samples, mixer.graph.sample_rate)
        player = Player(mixer, opened.feed, course)
        self.callback(player.close)
        player.loop(region)
        return player


def _told_to(session: Session) -> Heard:
    """Pages see what hands at MIDI and OSC do."""

    def heard(moved: Mapping[str, float], turned: Mapping[str, float]) -> None:
        for name, value in turned.items():
            session.tell({"event": "held", "control": name, "value": value})

    return heard


def _said_to(session: Session) -> Callable[[dict[str, Any]], object]:
    """Orders go the way of a page's."""
    return lambda message: session.take(json.dumps(message))
