"""``djgraph set``: a set file played to an audio file, and proposals of one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from djgraph.cli.daw import Exports
from djgraph.cli.errors import warn
from djgraph.cli.grouped import grouped
from djgraph.cli.mixdown import mix_down, output_paths, show
from djgraph.cli.options import Json
from djgraph.cli.output import print_json
from djgraph.cli.plans import LoweringName, LoweringOption
from djgraph.cli.progress import Steps
from djgraph.cli.render import Normalize
from djgraph.cli.reports import ReportFiles, check_reports, report_set
from djgraph.cli.set_new import new
from djgraph.errors import InputError
from djgraph.rendering import Score, Summary, check_outputs

if TYPE_CHECKING:
    from djgraph.mixer import Mixer
    from djgraph.sets import SetPlan

PLAY = "play"
"""The command that ``djgraph set`` is where it is followed by none."""


class SetGroup(TyperGroup):
    """``djgraph set FILE`` is ``djgraph set play FILE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands:
            args = [PLAY, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == PLAY else name), command, rest


app = typer.Typer(
    name="set",
    cls=SetGroup,
    help="Play a set of tracks to an audio file, or propose one.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


app.command("new", short_help="Propose a set from folders of tracks.")(new)


@app.command(PLAY, short_help="Play a set file to an audio file.")
@grouped
def play(
    *,
    file: Annotated[Path, typer.Argument(metavar="SET", help="A set file: yaml or json.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="What to write: wav, flac, ogg, aiff or mp3.  [default: beside the set file, as flac]",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an earlier run that writes to FILE was stopped.")
    ] = False,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Only plan, and print the tracklist; nothing is written.")
    ] = False,
    alone: Annotated[
        bool,
        typer.Option(
            "--audio-only", help="Write no cue sheet, tracklists, automation and picture beside it."
        ),
    ] = False,
    silent: Annotated[
        bool,
        typer.Option("--no-audio", help="Write what is beside FILE, and projects, without the audio itself."),
    ] = False,
    exports: Exports,
    normalize: Normalize = False,
    output: Annotated[
        list[str] | None,
        typer.Option("--output", metavar="NAME", help="A graph output, or all.  [default: the main one]"),
    ] = None,
    report: ReportFiles = None,
    lowering: LoweringOption = LoweringName.studio,
    as_json: Json = False,
) -> None:
    """Play a set: tracks in order, in time, with a transition between each two.

    A set file names its tracks; what it does not say (where a transition lies, by which recipe, the tempo) is chosen by
    what is known of them. Tracks that are not analysed are, as by djgraph analyse. Beside FILE, set.flac, are written a
    cue sheet (set.cue), tracklists (set.tracklist.txt, .json), what the controls do (set.automation.yaml) and a picture
    of it all (set.svg). --dawproject and --reaper write it as a project for a DAW.
    djgraph set new FOLDER… proposes a set.

    \b
    Examples:
      djgraph set friday.yaml
      djgraph set friday.yaml --dry-run
      djgraph set friday.yaml -o friday.flac --resume
      djgraph set friday.yaml --no-audio --dawproject friday.dawproject --reaper friday.rpp
      djgraph set new music -o friday.yaml
    """
    started = time.perf_counter()
    import djgraph
    from djgraph.guard import claim
    from djgraph.sets.build import plan_set

    if not file.name:  # "", "." and "/"
        raise InputError(f"{file} is a folder, not a set file")
    target = file.with_suffix(".flac") if out is None else out
    with Steps() as steps:
        steps.begin("reading")
        plan = plan_set(file, steps.analysed)
        if dry:
            _print(plan, as_json)
            return
        graph = plan.graph
        paths = output_paths(target, output or [], graph.outputs)
        check_outputs(paths, graph, plan.samples)
        beside = {} if alone else _beside(plan, target, exports.picture is None)
        check_reports(report)
        claim(*paths.values(), *beside, *exports.paths, *(report or ()))
        exports.check(plan)
        if silent:
            _write(beside)
            exports.write(plan)
            found: list[str] = []
            if report:
                steps.begin("compiling")
                mixer = djgraph.compile(graph, outputs=list(paths)[:1], lowering=lowering.value)
                found = report_set(plan, mixer, steps, report, normalized=False)
            _print(plan, as_json)
            _list([*beside, *exports.paths, *found], as_json)
            return
        steps.begin("compiling")
        mixer = djgraph.compile(graph, outputs=list(paths), lowering=lowering.value)
        summary = _mixed(plan, mixer, target, paths, steps, lowering, resume, normalize, started)
        _write(beside)
        exports.write(plan)
        found = report_set(plan, mixer, steps, report, normalized=normalize)
    if as_json:
        import dataclasses

        data: dict[str, Any] = dataclasses.asdict(summary)
        print_json(data | {"set": _data(plan), "beside": [str(path) for path in [*beside, *exports.paths]]})
        return
    _print(plan, False)
    show(summary, False)
    _list([*beside, *exports.paths, *found], False)


def _mixed(
    plan: SetPlan,
    mixer: Mixer,
    target: Path,
    paths: dict[str, Path],
    steps: Steps,
    lowering: LoweringName,
    resume: bool,
    normalize: bool,
    started: float,
) -> Summary:
    """Stream the set to its files; kept on the way, so that it can be gone on with."""
    from djgraph.sets.kept import Kept, unfinished
    from djgraph.sets.play import SetBlocks

    if not resume and unfinished(target):
        warn(f"{target}: an unfinished mix is begun anew; --resume would have gone on with it")
    frames = plan.automation.render_exact(mixer, samples=plan.samples, sample_rate=plan.sample_rate)
    channels = {name: plan.graph.channels(plan.graph.outputs[name]) for name in paths}
    with SetBlocks(plan) as source, Kept(target, plan, lowering.value, channels, resume) as kept:
        source.seek(kept.begins)
        try:
            return mix_down(
                mixer,
                source,
                Score(frames.params, frames.positions, frames.tempo),
                paths,
                steps,
                normalize="together" if normalize else None,
                started=started,
                keeper=kept,
            )
        except KeyboardInterrupt:
            warn(
                f"stopped; --resume goes on with {target}"
                if kept.problem is None
                else f"stopped, and cannot be gone on with: {kept.problem}"
            )
            raise


def _print(plan: SetPlan, as_json: bool) -> None:
    if as_json:
        print_json(_data(plan))
        return
    from djgraph.sets.lists import tracklist

    typer.echo(tracklist(plan))


def _data(plan: SetPlan) -> dict[str, Any]:
    from djgraph.sets.lists import data_of

    return data_of(plan)


def _list(paths: Iterable[Path | str], as_json: bool) -> None:
    if not as_json:
        for path in paths:
            typer.echo(path)


def _beside(plan: SetPlan, target: Path, picture: bool) -> dict[Path, str]:
    """What is written beside the audio, by file. picture: whether one is, too."""
    from djgraph.sets.lists import cue_sheet, data_of, tracklist

    texts = {}
    try:
        texts[".cue"] = cue_sheet(plan, target)
    except InputError as error:
        warn(f"no cue sheet: {error}")
    texts[".tracklist.txt"] = tracklist(plan)
    texts[".tracklist.json"] = json.dumps(data_of(plan), indent=1, ensure_ascii=False, default=str) + "\n"
    texts[".automation.yaml"] = plan.automation.to_yaml()
    if picture:
        from djgraph.sets.picture import to_svg
        from djgraph.sets.to_daw import arrangement_of

        texts[".svg"] = to_svg(plan, arrangement_of(plan))
    return {target.with_suffix(suffix): text for suffix, text in texts.items()}


def _write(texts: dict[Path, str]) -> None:
    """All of them, or none."""
    from djgraph.atomic import atomic_writers

    if not texts:
        return
    with atomic_writers(list(texts), InputError) as files:
        for handle, text in zip(files, texts.values(), strict=True):
            handle.write(text.encode("utf-8", "backslashreplace"))
