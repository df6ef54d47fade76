"""``djgraph fit``: what the DJ did, from the stems and a recording of the mix."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.errors import INTERRUPTED, warn
from djgraph.cli.inputs import read_inputs
from djgraph.cli.mixdown import check_outputs
from djgraph.cli.options import Args, GraphName, Json, load_graph, pairs
from djgraph.cli.output import print_json
from djgraph.cli.plans import LoweringName, LoweringOption
from djgraph.cli.progress import Steps

if TYPE_CHECKING:
    from djgraph.fitting import FitResult, Progress

AUTOMATION = (".yaml", ".yml", ".json", ".csv")


def fit(
    graph: GraphName,
    input: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="NAME=PATH", help="A folder of stems, or a file; repeated."),
    ] = None,
    target: Annotated[
        Path, typer.Option("--target", "-t", metavar="FILE", help="The recording of the mix; any rate.")
    ] = ...,  # type: ignore[assignment]  # required
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The controls: yaml, json or csv.")
    ] = Path("automation.yaml"),
    mix: Annotated[
        Path | None, typer.Option("--mix", metavar="FILE", help="Write the mix that the controls make.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write the whole report, as JSON.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw every control: png, svg or pdf.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", metavar="NAME", help="The output that the target is.")
    ] = None,
    frames: Annotated[
        int | None, typer.Option("--frames", min=1, help="Control frames.  [default: 20 a second]")
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=0, help="Most steps through the mixer.")] = 20,
    error: Annotated[
        float,
        typer.Option(
            "--error", min=0.0, help="Largest error of the curves, as a share of a control's range."
        ),
    ] = 0.005,
    delay: Annotated[
        float | None,
        typer.Option("--delay", metavar="S", help="Seconds by which the target lags.  [default: found]"),
    ] = None,
    level: Annotated[
        float | None,
        typer.Option(
            "--level", metavar="DB", min=-100, max=100, help="The target's level.  [default: found]"
        ),
    ] = None,
    tempo: Annotated[
        float | None, typer.Option("--tempo", metavar="BPM", help="For graphs that follow a clock.")
    ] = None,
    lowering: LoweringOption = LoweringName.studio,
    truth: Annotated[
        str | None,
        typer.Option(
            "--truth", metavar="FILE", help="What was played, if that is known: the report says how far off."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an earlier run that writes to FILE stopped.")
    ] = False,
    pad: Annotated[bool, typer.Option("--pad", help="Put silence after shorter stems.")] = False,
    as_json: Json = False,
    args: Args = None,
) -> None:
    """Recover what a mixer's controls did, from the stems and a recording of the mix.

    The recording may be quieter, compressed, at another sample rate, and begin earlier or later. Ctrl-C writes the
    best so far; --resume goes on from there.

    \b
    Examples:
      djgraph fit dj_mixer -i track_a=one -i track_b=two --target mix.wav -o moves.yaml
      djgraph fit dj_mixer -i track_a=one -i track_b=two --target mix.mp3 --mix again.flac --plot moves.png
      djgraph fit dj_mixer -i track_a=one -i track_b=two --target live.wav --lowering causal
      djgraph render dj_mixer -i track_a=one -i track_b=two --automation moves.yaml
    """
    given = {name: Path(os.path.expanduser(text)) for name, text in pairs("--input", input, "PATH").items()}
    if out.suffix.lower() not in AUTOMATION:
        raise typer.BadParameter(f"-o {out}: controls are written as {', '.join(AUTOMATION)}")

    import djgraph
    from djgraph import audio, automation
    from djgraph.atomic import check_target
    from djgraph.automation.plot import check_path
    from djgraph.errors import InputError
    from djgraph.guard import claim, reading

    state = state_file(out)
    written = [path for path in (out, mix, report, plot) if path is not None]
    for path in written:  # before the work, not after it
        check_target(path, InputError)
    claim(*written, state)
    reading(target)
    if plot is not None:
        check_path(plot)
    if resume and not state.exists():
        raise InputError(f"there is nothing to resume: {state} does not exist; leave out --resume")
    loaded = load_graph(graph, args)
    if mix is not None:
        check_outputs({output or next(iter(loaded.outputs)): mix}, loaded)
    played = None if truth is None else automation.load(truth)
    if played is not None:
        played.check(loaded, tempo=tempo)
    with Steps() as bar:
        tracks, seconds = read_inputs(loaded, given, pad, bar)
        recording, rate = audio.read(target)
        known = None if played is None else played.render(loaded, duration=seconds, tempo=tempo)
        bar.begin("listening and guessing")
        result = djgraph.fit(
            loaded,
            tracks,
            recording,
            target_rate=rate,
            output=output,
            frames=frames,
            steps=steps,
            delay=delay,
            level=None if level is None else 10 ** (level / 20),
            tempo=tempo,
            lowering=lowering.value,
            callback=Shown(bar, steps),
            checkpoint=state,
            resume=state if resume else None,
            truth=known,
        )
        bar.begin("writing")
        result.to_automation(error).save(out)
        if mix is not None:
            clipped = audio.write(mix, result.mix, loaded.sample_rate)
            if clipped:
                warn(f"{mix}: {clipped} samples clipped")
        if report is not None:
            result.save_report(report)
        if plot is not None:
            result.plot(plot, known)
    interrupted = result.report["interrupted"]
    if not interrupted:
        state.unlink(missing_ok=True)
    summarize(result, out, as_json)
    if interrupted:
        warn(f"stopped early; {out} holds the best so far, --resume goes on")
        raise typer.Exit(INTERRUPTED)


class Shown:
    """What the bar says of a fit: the stage under way, the loss so far, a step more at a time.

    bar: of the command. steps: the most through the mixer.
    """

    def __init__(self, bar: Steps, steps: int) -> None:
        self.bar, self.steps = bar, steps
        self.stage: str | None = None

    def __call__(self, progress: Progress) -> None:
        """A step is done."""
        refining = progress.stage == "mixer" or progress.step == progress.steps
        stage = "refining through the mixer" if refining else "drawing curves"
        text = f"{stage}, loss {progress.loss:.2g}"
        if stage == self.stage:
            self.bar.say(text)
            self.bar.advance()
        elif progress.stage == "mixer" or not refining:
            self.bar.begin(text, progress.steps, progress.step)
        else:  # the curves are done
            self.bar.begin(text, self.steps)
        self.stage = stage


def state_file(out: Path) -> Path:
    """Where a fit that writes to ``out`` keeps what it needs to go on."""
    from djgraph.atomic import hidden

    return hidden(out, ".fit.json")


def summarize(result: FitResult, out: Path, as_json: bool) -> None:
    """Print the report: all of it as JSON, or what a person wants to know."""
    report: dict[str, Any] = result.report
    for text in report["warnings"]:
        warn(text)
    if as_json:
        print_json({"automation": str(out), **report})
        return
    controls = report["controls"]
    moved = [name for name, entry in controls.items() if entry["moves"] and entry["audible"] > 0]
    delay = round(report["delay_ms"], 2) + 0.0  # no −0.00
    typer.echo(f"{out}")
    typer.echo(f"  aligned   target lags by {delay:.2f} ms, at {report['level_db']:+.1f} dB")
    typer.echo(f"  match     SI-SDR {report['si_sdr_db']:.1f} dB")
    typer.echo(f"  moves     {len(moved)} of {len(controls)} controls")
    typer.echo(f"  unheard   {len(report['not_identified'])} controls have no audible effect in this mix")
    if "heard_error" in report and (off := report["heard_error"]["mean"]) is not None:
        typer.echo(f"  truth     gains that are heard are off by {off:.2g} on average")
    for note in report["notes"]:
        typer.echo(f"  note      {note}")
    typer.echo(f"fitted in {report['fit_seconds']:.1f} s, {report['mixer_steps']} steps through the mixer")
