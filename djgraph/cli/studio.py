"""``djgraph studio``: a page on which a graph is seen, played and recorded."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from djgraph.cli.errors import warn
from djgraph.cli.options import Args, given, pairs
from djgraph.cli.plans import LoweringName, LoweringOption
from djgraph.cli.played import At, Bpm, Inputs, KeyLock, Sync
from djgraph.cli.progress import Steps
from djgraph.cli.sync import beats_of, tempo_of
from djgraph.errors import DJGraphError, did_you_mean
from djgraph.rendering.synced import SYNCS

if TYPE_CHECKING:
    from djgraph.automation import Automation
    from djgraph.playing import Player
    from djgraph.studio.keeping import Keep
    from djgraph.studio.project import Origin
    from djgraph.studio.session import Session

GRAPH = "dj_mixer"


def studio(
    graph: Annotated[
        str | None, typer.Argument(metavar="GRAPH|SET", help="A graph's name or file, or a set file.")
    ] = None,
    input: Inputs = None,
    automation: Annotated[
        str | None,
        typer.Option("--automation", "-a", metavar="FILE", help="What the controls do at first."),
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--target", metavar="MIX", help="A mix to compare with: an audio file.")
    ] = None,
    fitted: Annotated[
        Path | None,
        typer.Option(
            "--fitted", metavar="FILE", help="With --target: the automation that `djgraph fit` wrote of it."
        ),
    ] = None,
    intervals: Annotated[
        Path | None,
        typer.Option(
            "--intervals", metavar="CSV", help="With --target: its error bars, of `djgraph fit --intervals`."
        ),
    ] = None,
    folders: Annotated[
        list[Path] | None,
        typer.Option(
            "--folder",
            metavar="DIR",
            help="Of which the page may choose mixes to fit and models, beside those of -i and --target; repeated.",
        ),
    ] = None,
    sync: Sync = None,
    tempo: Bpm = None,
    at: At = None,
    key_lock: KeyLock = False,
    lowering: LoweringOption = LoweringName.studio,
    project: Annotated[
        Path | None,
        typer.Option(
            "--project",
            metavar="FOLDER",
            help="Keep the project there; one that is there is opened.  [default: a folder of its own for each "
            "graph with its inputs, below the user's state directory]",
        ),
    ] = None,
    last: Annotated[
        bool, typer.Option("--last", help="Open the project that was worked on last, whatever it plays.")
    ] = False,
    new: Annotated[
        bool, typer.Option("--new", help="Begin a new project; the one that there is stays as it is.")
    ] = False,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Of the page.  [default: a free one]")
    ] = 0,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the address, and open nothing.")
    ] = False,
    args: Args = None,
) -> None:
    """Open a graph on a page: look at it, play it, record what you do.

    Without -i the demo's tracks are played. A graph with the same inputs opens its own project again, where it was
    left. All that is done is saved as it is done, in versions; nothing is written over.

    \b
    Examples:
      djgraph studio
      djgraph studio dj_mixer -i track_a=one -i track_b=two --sync
      djgraph studio my_mixer.yaml -i deck=song.wav --automation moves.yaml
      djgraph studio friday.yaml
      djgraph studio --last
      djgraph studio --project transition -i track_a=one -i track_b=two
      djgraph studio dj_mixer -i track_a=one -i track_b=two --target mix.flac --fitted found.yaml --intervals around.csv
      djgraph studio dj_mixer -i track_a=one -i track_b=two --target mix.flac --folder runs
    """
    try:
        import starlette
        import uvicorn
        import websockets
    except ImportError:
        raise DJGraphError('the studio needs more libraries: pip install "djgraph[studio]"') from None
    del starlette, uvicorn, websockets
    from djgraph.studio.begin import begin
    from djgraph.studio.keeping import Keep
    from djgraph.studio.project import Project
    from djgraph.studio.shelf import folder_of, last_folder

    named = graph is not None or bool(input)
    if last and (named or new or project is not None):
        raise typer.BadParameter("--last opens what there is; leave out GRAPH, -i, --new and --project")
    if new and project is not None:
        raise typer.BadParameter("--new and --project contradict each other; give --project another folder")
    if at is not None and not sync:
        raise typer.BadParameter("--at belongs to --sync")
    if target is None and (fitted or intervals):
        raise typer.BadParameter(f"{'--fitted' if fitted else '--intervals'} goes with --target MIX")
    compared = {"target": target, "fitted": fitted, "intervals": intervals}
    for one in folders or ():
        if not one.expanduser().is_dir():
            raise typer.BadParameter(f"{one} is no folder", param_hint="--folder")
    origin = origin_of(graph, args, input, sync, key_lock, tempo, compared, lowering)
    known = tuple(os.path.abspath(one.expanduser()) for one in folders or ())
    origin = origin.model_copy(update={"folders": known, "at": None if at is None else beats_of(at, "--at")})
    moves = None if automation is None else automation_of(automation)
    if last:
        folder = last_folder()
        if folder is None:
            raise DJGraphError("no project has been saved yet")
    else:
        folder = folder_of(origin, new) if project is None else project.expanduser()
    keep = Keep(folder)
    try:
        saved = keep.newest()
        before = (saved.project if saved is not None else Project()).origin
        asked = origin if before is None else _changed(before, origin, graph, input, sync)
        with Steps() as steps:
            steps.begin("opening")
            session = begin(keep, asked, moves, steps)
    except BaseException:
        keep.close()
        raise
    try:
        _serve(session, keep, saved is not None, port, no_browser)
    finally:
        session.close()


def _serve(session: Session, keep: Keep, again: bool, port: int, no_browser: bool) -> None:
    """Say where the page is, open it, and serve it until somebody ends it. again: whether the project was there."""
    from djgraph.studio.serve import Serving

    serving = Serving(session, port)
    for note in keep.notes:
        warn(f"passed over: {note}")
    typer.echo(f"project: {keep.folder}" + (" (opened again; --new begins anew)" if again else ""))
    for line in session.opened.said if session.opened is not None else ():
        typer.echo(f"  {line}")
    typer.echo(f"djgraph studio: {serving.url}")
    if not no_browser:
        import webbrowser

        webbrowser.open(serving.url)
    threading.Thread(target=_prepare, args=(session.player,), name="djgraph prepare", daemon=True).start()
    serving.run()


def _prepare(player: Player) -> None:
    """Get ready while the page opens, so that the first Play is heard at once."""
    from djgraph.playing import leave_alone

    with contextlib.suppress(DJGraphError, OSError, RuntimeError):  # told when it is played; closed meanwhile
        player.prepare()
        leave_alone(collect=not player.playing)


def origin_of(
    graph: str | None,
    args: list[str] | None,
    input: list[str] | None,
    sync: str | None,
    key_lock: bool,
    tempo: str | None,
    compared: Mapping[str, Path | None],
    lowering: LoweringName,
) -> Origin:
    """What is asked for, with whole paths; usage errors for what contradicts itself."""
    from pydantic import ValidationError

    from djgraph.automation.recipes import is_file
    from djgraph.studio.opening import is_set
    from djgraph.studio.project import Origin

    if sync is not None and sync not in SYNCS:
        raise typer.BadParameter(
            f"{sync!r} is none of {', '.join(SYNCS)}{did_you_mean(sync, SYNCS)}", param_hint="--sync"
        )
    if key_lock and sync in (None, "off"):
        raise typer.BadParameter("--key-lock belongs to --sync; without it every track has its own tempo")
    bpm = None if tempo is None else tempo_of(tempo)
    if isinstance(bpm, tuple) and not sync:
        raise typer.BadParameter(f"--tempo {tempo} belongs to --sync; without it give one tempo")
    files = {name: _whole(path) for name, path in pairs("--input", input, "PATH").items()}
    if sync and not files:
        raise typer.BadParameter("--sync needs tracks; give them with -i")
    name = GRAPH if graph is None else graph
    a_set = is_set(name)
    if a_set and (files or sync or tempo or args):
        raise typer.BadParameter(
            "a set file says its tracks and its tempo itself; leave out -i, --sync, --tempo, --arg"
        )
    asked = {
        "graph": "" if a_set else _whole(name) if is_file(name) else name,
        "args": given(args),
        "set": _whole(name) if a_set else "",
        "inputs": files,
        "sync": sync or "",
        "key_lock": key_lock,
        "tempo": None if bpm is None else bpm if isinstance(bpm, tuple) else (bpm,),
        "lowering": lowering.value,
        **{name: "" if path is None else _whole(str(path)) for name, path in compared.items()},
    }
    try:
        return Origin.model_validate(asked)
    except ValidationError as error:
        fault = error.errors()[0]
        raise typer.BadParameter(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None


def _changed(
    before: Origin,
    origin: Origin,
    graph: str | None,
    input: list[str] | None,
    sync: str | None,
) -> Origin:
    """A project's own, with what is given now in place of what it was."""
    changes: dict[str, object] = {}
    if graph is not None:
        changes |= {"graph": origin.graph, "set": origin.set, "args": origin.args}
    if input:
        changes["inputs"] = {**before.inputs, **origin.inputs}
    if sync is not None:
        changes |= {
            "sync": origin.sync,
            "key_lock": origin.key_lock,
            "at": origin.at,
            "tempo": origin.tempo,
            "clock": (),
        }
    if origin.target:
        changes |= {"target": origin.target, "fitted": origin.fitted, "intervals": origin.intervals}
    if origin.lowering != before.lowering and origin.lowering != "studio":
        changes["lowering"] = origin.lowering
    if origin.folders:
        changes["folders"] = origin.folders
    return before.model_copy(update=changes)


def automation_of(name: str) -> Automation:
    from djgraph.cli.transitions import find_recipe

    return find_recipe(name, "--automation").fill()


def _whole(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))
