"""``djgraph studio``: a page on which a graph is seen, played and recorded."""

from __future__ import annotations

from typing import Annotated

import typer

from djgraph.cli.options import Args, load_graph, pairs


def studio(
    graph: Annotated[str, typer.Argument(metavar="[GRAPH]", help="A graph's name or file.")] = "dj_mixer",
    input: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="NAME=PATH", help="A folder of stems, or a file; repeated."),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Of the page.  [default: a free one]")
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, and open nothing.")
    ] = False,
    target: Annotated[
        str | None, typer.Option("--target", metavar="MIX", help="A mix to compare with: an audio file.")
    ] = None,
    fitted: Annotated[
        str | None,
        typer.Option(
            "--fitted", metavar="FILE", help="With --target: the automation that `djgraph fit` wrote of it."
        ),
    ] = None,
    intervals: Annotated[
        str | None,
        typer.Option(
            "--intervals", metavar="CSV", help="With --target: its error bars, of `djgraph fit --intervals`."
        ),
    ] = None,
    args: Args = None,
) -> None:
    """Open a graph on a page: look at it, play it, record what you do.

    \b
    Examples:
      djgraph studio
      djgraph studio dj_mixer -i track_a=one -i track_b=two
      djgraph studio my_mixer.yaml -i deck=song.wav --no-browser --port 8000
      djgraph studio dj_mixer -i track_a=one -i track_b=two --target mix.flac --fitted found.yaml --intervals around.csv
    """
    import djgraph
    from djgraph.cli.demo import matched
    from djgraph.demo import demo_tracks
    from djgraph.errors import InputError
    from djgraph.playing import MemoryFeed
    from djgraph.studio.parts import PARTS
    from djgraph.studio.serve import Serving
    from djgraph.studio.session import Session

    loaded = load_graph(graph, args)
    given = pairs("--input", input, "PATH")
    mixer = djgraph.compile(loaded)
    feed = MemoryFeed(matched(demo_tracks(loaded.sample_rate), loaded.sample_rate))
    del given
    session = Session(mixer, feed, parts=PARTS)
    if target is not None:
        from djgraph.studio.target import load_target

        session.target = load_target(target, mixer.layout, loaded.sample_rate, fitted, intervals)
    elif fitted or intervals:
        raise InputError(f"{'--fitted' if fitted else '--intervals'} goes with --target MIX")
    serving = Serving(session, port)
    typer.echo(f"djgraph studio: {serving.url}")
    if not no_browser:
        import webbrowser

        webbrowser.open(serving.url)
    try:
        serving.run()
    finally:
        session.close()
