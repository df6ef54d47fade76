"""``djgraph live``: a mixer on a sound card, played with MIDI, OSC and a page."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.live_learn import learn_mapping
from djgraph.cli.live_told import list_devices, told_begin, told_end, watch
from djgraph.cli.options import Args, load_graph, pairs
from djgraph.cli.plans import LoweringName
from djgraph.cli.played import Bpm, KeyLock, Sync
from djgraph.cli.progress import Steps
from djgraph.cli.studio import automation_of, origin_of
from djgraph.errors import InputError, did_you_mean
from djgraph.guard import claim
from djgraph.rendering import check_outputs

if TYPE_CHECKING:
    from djgraph.graph.ir import Graph
    from djgraph.live import Card
    from djgraph.live.capture import Capture, Key
    from djgraph.live.desk import Heard
    from djgraph.live.mapping import Bindings
    from djgraph.studio.opening import Opened
    from djgraph.studio.project import Origin

GRAPH = "dj_mixer_live"


def live(
    graph: Annotated[
        str | None,
        typer.Argument(
            metavar="GRAPH|SET", help="A graph's name or file, or a set file.  [default: dj_mixer_live]"
        ),
    ] = None,
    input: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="NAME=PATH",
            help="A folder of stems, a file, or the card's inputs: NAME=card:1,2; repeated.  [default: the demo's "
            "tracks]",
        ),
    ] = None,
    automation: Annotated[
        str | None,
        typer.Option("--automation", "-a", metavar="FILE", help="What the controls do by themselves."),
    ] = None,
    sync: Sync = None,
    tempo: Bpm = None,
    key_lock: KeyLock = False,
    loop: Annotated[
        str | None,
        typer.Option("--loop", metavar="all|FROM:TO", help="Go round: all of it, or between two seconds."),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="NAME",
            help="The sound card: a part of its name, its number, or none.  [default: the system's own]",
        ),
    ] = None,
    block: Annotated[
        int, typer.Option("--block", metavar="N", min=64, max=1024, help="Samples of a block.")
    ] = 256,
    ahead: Annotated[
        int, typer.Option("--ahead", metavar="N", min=1, max=16, help="Blocks that lie ready for the card.")
    ] = 2,
    outputs: Annotated[
        str, typer.Option("--outputs", metavar="L,R", help="The card's outputs, counted from 1.")
    ] = "1,2",
    midi: Annotated[
        list[str] | None,
        typer.Option("--midi", metavar="FILE", help="The mapping of a MIDI controller; repeated."),
    ] = None,
    learn: Annotated[
        Path | None,
        typer.Option("--learn", metavar="FILE", help="Ask for controls one by one, and write a mapping."),
    ] = None,
    port: Annotated[
        str | None,
        typer.Option("--midi-port", metavar="NAME", help="The MIDI port, where the mapping does not say."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--control", metavar="PATTERN", help="With --learn: these controls alone; repeated."),
    ] = None,
    osc: Annotated[
        int | None,
        typer.Option("--osc", metavar="PORT", min=1, max=65535, help="Listen for OSC on this UDP port."),
    ] = None,
    osc_host: Annotated[
        str,
        typer.Option("--osc-host", metavar="ADDRESS", help="Whom OSC may come from: 0.0.0.0 for anybody."),
    ] = "127.0.0.1",
    studio: Annotated[bool, typer.Option("--studio", help="Open the console on a page, too.")] = False,
    page_port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Of the page.  [default: a free one]")
    ] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the page's address only.")] = False,
    record: Annotated[
        Path | None, typer.Option("--record", metavar="FILE", help="Keep what is heard: flac, wav, ogg, mp3.")
    ] = None,
    record_controls: Annotated[
        Path | None,
        typer.Option("--record-controls", metavar="FILE", help="Keep what the controls did, as automation."),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", metavar="S", min=0.0, help="End by itself.  [default: with Ctrl-C]"),
    ] = None,
    stopped: Annotated[bool, typer.Option("--stopped", help="Wait for play.")] = False,
    devices: Annotated[
        bool, typer.Option("--devices", help="List sound cards and MIDI ports, and end.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Check graph, inputs, automation and mappings, and end.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object a line: what it is, its state each second, its end.")
    ] = False,
    args: Args = None,
) -> None:
    """Play a graph on a sound card: with a MIDI controller, with OSC, with a page.

    \b
    Examples:
      djgraph live
      djgraph live dj_mixer_live -i track_a=one -i track_b=two --block 128 --studio
      djgraph live --learn nano.yaml --control "track_a.*.gain"
      djgraph live --midi nano.yaml --osc 9000 --record set.flac --record-controls set.yaml
      djgraph live fx.yaml -i input=card:1,2 --block 64
    """
    from djgraph.live import Desk, Engine
    from djgraph.live.actions import Actions
    from djgraph.live.engine import undisturbed
    from djgraph.live.mapping import load_mapping
    from djgraph.live.recording import ControlRecorder, Recorder
    from djgraph.mixer import compile_graph
    from djgraph.playing import Player
    from djgraph.studio.begin import new_project
    from djgraph.studio.curves import course_of

    if devices:
        list_devices(as_json)
        return
    given = pairs("--input", input, "PATH")
    places = {
        name: _channels(text[5:], "--input") for name, text in given.items() if text.startswith("card:")
    }
    files = [f"{name}={text}" for name, text in given.items() if name not in places]
    to = _channels(outputs, "--outputs")
    origin = origin_of(graph or GRAPH, args, files, sync, key_lock, tempo, {}, LoweringName.causal)
    if learn is not None:
        learn_mapping(origin, learn, port, only or [])
        return
    claim(record, record_controls)
    opened, capture = _open(origin, places, block, ahead)
    loaded, rate = opened.graph, opened.graph.sample_rate
    _check_written(loaded, record, record_controls)
    mixer = compile_graph(loaded, lowering="causal")
    mappings = [load_mapping(Path(one), mixer.layout) for one in midi or []]
    if check:
        new_project(opened, None if automation is None else automation_of(automation), mixer.layout)
        entries = sum(len(one.entries) for one in mappings)
        typer.echo(f"{loaded.name}: {len(mixer.layout)} controls; {entries} mapped")
        return
    card = _card(device, rate, block, max(to) + 1, max(map(max, places.values())) + 1 if places else 0)
    project = new_project(opened, None if automation is None else automation_of(automation), mixer.layout)
    region = _region(loop, opened.feed.samples, rate)
    with contextlib.ExitStack() as stack:
        session = None
        if studio:
            from djgraph.studio.parts import PARTS
            from djgraph.studio.session import Session

            if region is not None:
                beats = project.clock.beat(region[0] / rate), project.clock.beat(region[1] / rate)
                project = project.model_copy(update={"loop": beats})
            session = Session(mixer, opened.feed, project, PARTS, opened=opened)
            stack.callback(session.close)
            player = session.player
        else:
            course = course_of(project, mixer.layout, opened.feed.samples, rate)
            player = Player(mixer, opened.feed, course)
            stack.callback(player.close)
            player.loop(region)
        desk = Desk(player)
        stack.callback(desk.close)
        actions = Actions(desk, region, None if session is None else _said_to(session))
        if session is not None:
            desk.listen(_told_to(session))
        sinks: list[Any] = []
        controls = ControlRecorder(player) if record_controls is not None else None
        if controls is not None:
            sinks.append(controls.count)
        recorder = None
        if record is not None:
            recorder = Recorder(record, rate, loaded.channels(next(iter(loaded.outputs.values()))))
            sinks.append(recorder)
        engine = Engine(player, desk, card, ahead=ahead, to=to, capture=capture, sinks=sinks)
        told: dict[str, Any] = {"graph": loaded.name, "card": card.name, "rate": card.rate, "block": block}
        for one, bindings in zip(midi or [], mappings):
            told.setdefault("midi", []).append(_surface(one, bindings, port, desk, actions, stack))
        if osc is not None:
            from djgraph.live.osc import Osc

            server = Osc(desk, actions, osc, osc_host)
            stack.callback(server.close)
            desk.listen(server.show)
            told["osc"] = f"{server.host}:{server.port}"
        if session is not None:
            told["page"] = _page(session, page_port, no_browser, stack)
        try:
            if not stopped:
                player.play()
            with undisturbed():
                engine.start()
                told["latency"] = engine.latency()
                told_begin(told, as_json)
                watch(engine, recorder, seconds, as_json)
        finally:
            engine.stop()
            _keep(recorder, controls, record_controls, rate, project.clock)
        if engine.error is not None:
            raise engine.error
        told_end(engine, recorder, record_controls, as_json)


def _told_to(session: Any) -> Heard:
    """Pages see what hands at MIDI and OSC do."""

    def heard(moved: Mapping[str, float], turned: Mapping[str, float]) -> None:
        for name, value in turned.items():
            session.tell({"event": "held", "control": name, "value": value})

    return heard


def _said_to(session: Any) -> Callable[[dict[str, Any]], None]:
    """Orders go the way of a page's."""
    return lambda message: session.take(json.dumps(message))


def _check_written(graph: Graph, record: Path | None, controls: Path | None) -> None:
    """Whether what is played can be kept: told before it is played, for it cannot be played again."""
    from djgraph.atomic import check_target
    from djgraph.automation.model import AUTOMATION

    if record is not None:
        check_outputs({next(iter(graph.outputs)): record}, graph)
    if controls is not None:
        if controls.suffix.lower() not in AUTOMATION.suffixes:
            raise InputError(f"{controls}: controls are written as {', '.join(AUTOMATION.suffixes)}")
        check_target(controls, InputError)


def _keep(recorder: Any, controls: Any, path: Path | None, rate: int, clock: Any) -> None:
    """Complete what was recorded, whatever ended the sound; a second Ctrl-C waits until that is done."""
    from djgraph.signals import held

    with held():
        try:
            if controls is not None and path is not None:
                controls.automation(rate, tempo=clock).save(path)
        finally:
            if recorder is not None:
                recorder.close()


def _open(
    origin: Origin, places: dict[str, tuple[int, ...]], block: int, ahead: int
) -> tuple[Opened, Capture | None]:
    """What is played, and the ring of what comes in at the card, if anything does."""
    from djgraph.live.capture import ENDLESS, Capture, CardFeed
    from djgraph.playing import Completed, FeedBlocks, MemoryFeed
    from djgraph.rendering.files import channels_of
    from djgraph.studio.opening import Opened, open_origin

    if not places:
        with Steps() as steps:
            steps.begin("opening")
            return open_origin(origin, steps=steps), None
    graph = load_graph(origin.graph, [f"{name}={value}" for name, value in origin.args.items()])
    widths = channels_of(graph)
    signals = {".".join(filter(None, key)): key for key in widths if key[0] not in graph.sources}
    keys: dict[Key, tuple[int, ...]] = {}
    for name, channels in places.items():
        if name not in signals:
            allowed = ", ".join(signals) or "none"
            raise InputError(
                f"{name} is no signal that a card can give{did_you_mean(name, signals)}; those are {allowed}"
            )
        wanted = widths[signals[name]]
        if wanted is not None and wanted != len(channels):
            raise InputError(
                f"{name} has {wanted} channels, and {len(channels)} of the card are given for it"
            )
        keys[signals[name]] = channels
    capture = Capture(max(map(max, places.values())) + 1, block, ahead)
    if origin.inputs or origin.set:
        with Steps() as steps:
            opened = open_origin(origin, steps=steps)
    else:
        silence = Completed(MemoryFeed({}), graph, ENDLESS * graph.sample_rate)
        opened = Opened(origin, graph, silence, lambda: FeedBlocks(silence))
    return replace(opened, feed=CardFeed(opened.feed, capture, keys)), capture


def _card(device: str | None, rate: int, block: int, outputs: int, inputs: int) -> Card:
    from djgraph.live import FakeCard, SoundDeviceCard

    if device == "none":
        import numpy as np

        return FakeCard(rate, block, outputs, np.zeros((block, inputs), np.float32) if inputs else None)
    return SoundDeviceCard(device, rate, block, outputs, inputs)


def _surface(
    path: str, bindings: Bindings, port: str | None, desk: Any, actions: Any, stack: contextlib.ExitStack
) -> str:
    """Open a controller; returns what it is called."""
    from djgraph.live.midi import Port, Surface

    wanted = port or bindings.model.port
    if not wanted:
        raise InputError(f"{path} does not name a MIDI port (port: …); give --midi-port")
    heard: list[Any] = []
    opened = Port(wanted, lambda message: heard[0].take(message) if heard else None)
    stack.callback(opened.close)
    surface = Surface(bindings, desk, actions, opened.send)
    heard.append(surface)
    desk.listen(surface.show)
    return f"{opened.name}, {len(bindings.entries)} mapped by {path}"


def _page(session: Any, port: int, no_browser: bool, stack: contextlib.ExitStack) -> str:
    """Serve the console; returns its address."""
    import threading

    from djgraph.studio.serve import Serving

    serving = Serving(session, port, sound=False)
    thread = threading.Thread(target=serving.run, name="djgraph page", daemon=True)
    thread.start()
    stack.callback(thread.join, 5)
    stack.callback(serving.stop)
    if not no_browser:
        import webbrowser

        webbrowser.open(serving.url)
    return serving.url


def _channels(text: str, option: str) -> tuple[int, ...]:
    """``1,2`` → (0, 1)."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() and 1 <= int(part) <= 256 for part in parts):
        raise typer.BadParameter(f"{text!r} names no channels; expected 1,2", param_hint=option)
    return tuple(int(part) - 1 for part in parts)


def _region(loop: str | None, samples: int, rate: int) -> tuple[int, int] | None:
    if loop is None:
        return None
    if loop == "all":
        return 0, samples
    begin, _, end = loop.partition(":")
    try:
        region = round(float(begin) * rate), round(float(end) * rate)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{loop!r} is no loop; expected all or 8:16, in seconds") from None
    if not 0 <= region[0] < region[1] <= samples:
        raise typer.BadParameter(f"the loop {loop} does not lie in what is played, {samples / rate:.1f} s")
    return region
