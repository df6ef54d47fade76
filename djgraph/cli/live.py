"""``djgraph live``: a mixer on a sound card, played with MIDI, OSC and a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from djgraph.cli.live_kept import Kept
from djgraph.cli.live_learn import learn_mapping
from djgraph.cli.live_opening import channels, open_card, open_live, region_of
from djgraph.cli.live_rig import Rig
from djgraph.cli.live_told import list_devices, told_begin, told_end, watch
from djgraph.cli.options import Args, pairs
from djgraph.cli.plans import LoweringName
from djgraph.cli.played import Bpm, KeyLock, Sync
from djgraph.cli.studio import automation_of, origin_of

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
    from djgraph.live import Engine
    from djgraph.live.mapping import load_mapping
    from djgraph.mixer import compile_graph
    from djgraph.playing import undisturbed
    from djgraph.studio.begin import new_project

    if devices:
        list_devices(as_json)
        return
    given = pairs("--input", input, "PATH")
    places = {name: channels(text[5:], "--input") for name, text in given.items() if text.startswith("card:")}
    files = [f"{name}={text}" for name, text in given.items() if name not in places]
    to = channels(outputs, "--outputs")
    origin = origin_of(graph or GRAPH, args, files, sync, key_lock, tempo, {}, LoweringName.causal)
    if learn is not None:
        learn_mapping(origin, learn, port, only or [])
        return
    kept = Kept(record, record_controls)
    opened, capture = open_live(origin, places, block, ahead)
    loaded, rate = opened.graph, opened.graph.sample_rate
    kept.check(loaded)
    mixer = compile_graph(loaded, lowering="causal")
    mappings = [load_mapping(Path(one), mixer.layout) for one in midi or []]
    moves = None if automation is None else automation_of(automation)
    if check:
        new_project(opened, moves, mixer.layout)
        entries = sum(len(one.entries) for one in mappings)
        typer.echo(f"{loaded.name}: {len(mixer.layout)} controls; {entries} mapped")
        return
    card = open_card(device, rate, block, max(to) + 1, max(map(max, places.values())) + 1 if places else 0)
    project = new_project(opened, moves, mixer.layout)
    region = region_of(loop, opened.feed.samples, rate)
    with Rig(mixer, opened, project, region, studio) as rig:
        sinks = kept.sinks(rig.player)
        engine = Engine(rig.player, rig.desk, card, ahead=ahead, to=to, capture=capture, sinks=sinks)
        told: dict[str, Any] = {"graph": loaded.name, "card": card.name, "rate": card.rate, "block": block}
        if midi:
            told["midi"] = [rig.controller(one, known, port) for one, known in zip(midi, mappings)]
        if osc is not None:
            told["osc"] = rig.osc(osc, osc_host)
        if studio:
            told["page"] = rig.page(page_port, no_browser)
        try:
            if not stopped:
                rig.player.play()
            with undisturbed():
                engine.start()
                told["latency"] = engine.latency()
                told_begin(told, as_json)
                watch(engine, kept.recorder, seconds, as_json)
        finally:
            engine.stop()
            kept.complete(rate, project.clock)
        if engine.error is not None:
            raise engine.error
        told_end(engine, kept.recorder, record_controls, as_json)
