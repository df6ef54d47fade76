"""``djgraph fit``: what the DJ did, from the stems and a recording of the mix."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.batch import Batch, run_batch
from djgraph.cli.errors import INTERRUPTED, warn
from djgraph.cli.jobs import OnRay, Workers
from djgraph.cli.options import Args, GraphName, Json, load_graph, pairs
from djgraph.cli.output import print_json
from djgraph.cli.plans import LoweringName, LoweringOption
from djgraph.cli.progress import Steps
from djgraph.rendering import check_outputs, read_inputs
from djgraph.rendering.warped import places, track_materials

if TYPE_CHECKING:
    from torch import Tensor

    from djgraph.decks import Warp
    from djgraph.fitting import FitResult, Progress
    from djgraph.graph.ir import Graph
    from djgraph.unmixing import Unmixed

AUTOMATION = (".yaml", ".yml", ".json", ".csv")
UNSURE = 0.25
"""Share of the clip in which a control cannot be told, from which on that is said."""
SHOWN = 4
"""Names in a list."""


def fit(
    graph: GraphName,
    input: Annotated[
        list[str] | None,
        typer.Option("--input", "-i", metavar="NAME=PATH", help="A folder of stems, or a file; repeated."),
    ] = None,
    target: Annotated[
        Path | None,
        typer.Option("--target", "-t", metavar="FILE", help="The recording of the mix; any rate."),
    ] = None,
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
    intervals: Annotated[
        Path | None,
        typer.Option("--intervals", metavar="FILE", help="Write how far each control may be off, as csv."),
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
    warp: Annotated[
        str,
        typer.Option(
            "--warp",
            metavar="auto|given|find|FILE",
            help="Where the tracks lie in the recording: as given, to be found, or as FILE says.  [default: as given, "
            "and found where they do not lie so]",
        ),
    ] = "auto",
    warp_out: Annotated[
        Path | None,
        typer.Option(
            "--warp-out", metavar="FILE", help="Write where they lie.  [default: beside the controls]"
        ),
    ] = None,
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
    batch: Batch = None,
    workers: Workers = None,
    ray: OnRay = None,
    as_json: Json = False,
    args: Args = None,
) -> None:
    """Recover what a mixer's controls did, from the stems and a recording of the mix.

    The recording may be quieter, compressed, at another sample rate, and begin earlier or later. Tracks may have been
    sped up, cut and slipped: then they are found first. Ctrl-C writes the best so far; --resume goes on from there.

    \b
    Examples:
      djgraph fit dj_mixer -i track_a=one -i track_b=two --target mix.wav -o moves.yaml
      djgraph fit dj_mixer -i track_a=one -i track_b=two --target mix.mp3 --mix again.flac --plot moves.png
      djgraph fit dj_mixer -i track_a=one -i track_b=two --target live.wav --lowering causal
      djgraph fit dj_mixer -i track_a=one -i track_b=two --target set.mp3 --warp find -o moves.yaml
      djgraph render dj_mixer -i track_a=one -i track_b=two --warp moves.warp.json --automation moves.yaml
      djgraph fit dj_mixer --batch recordings -o fitted
    """
    if batch is not None:
        fit_batch(graph, args, bool(input))
        return
    if target is None:
        raise typer.BadParameter(
            "give the recording, or --batch with a folder of them", param_hint="--target"
        )
    given = {name: Path(os.path.expanduser(text)) for name, text in pairs("--input", input, "PATH").items()}
    if out.suffix.lower() not in AUTOMATION:
        raise typer.BadParameter(f"-o {out}: controls are written as {', '.join(AUTOMATION)}")

    if intervals is not None and intervals.suffix.lower() != ".csv":
        raise typer.BadParameter(f"--intervals {intervals}: intervals are written as .csv")

    from djgraph import audio, automation
    from djgraph.atomic import check_target
    from djgraph.automation.plot import check_path
    from djgraph.errors import InputError
    from djgraph.fitting import FitResult
    from djgraph.guard import claim, reading

    state = state_file(out)
    where, mode = _warp_of(warp)
    lies = warp_out or out.with_name(f"{out.stem}.warp.json")
    written = [path for path in (out, mix, report, plot, intervals) if path is not None]
    written += [lies] if mode != "given" else []
    for path in written:  # before the work, not after it
        check_target(path, InputError)
    claim(*written, state, warp_file(out))
    reading(target)
    if where is not None:
        reading(where)
    if plot is not None:
        check_path(plot)
    if resume and not state.exists() and not warp_file(out).exists():
        raise InputError(f"there is nothing to resume: {state} does not exist; leave out --resume")
    loaded = load_graph(graph, args)
    if mix is not None:
        check_outputs({output or next(iter(loaded.outputs)): mix}, loaded)
    played = None if truth is None else automation.load(truth)
    if played is not None:
        played.check(loaded, tempo=tempo)
    with Steps() as bar:
        recording = audio.read(target)
        job = Job(
            loaded,
            given,
            pad,
            recording,
            bar,
            lambda seconds: None if played is None else played.render(loaded, duration=seconds, tempo=tempo),
            {
                "output": output,
                "frames": frames,
                "steps": steps,
                "level": None if level is None else 10 ** (level / 20),
                "tempo": tempo,
                "lowering": lowering.value,
                "callback": Shown(bar, steps),
                "checkpoint": state,
                "resume": state if resume and state.exists() else None,
            },
        )
        unmixed = job.run(mode, where, delay, warp_file(out), resume)
        result, found = (unmixed, None) if isinstance(unmixed, FitResult) else (unmixed.result, unmixed.warp)
        bar.begin("writing")
        if found is not None:
            found.save(lies)
        result.to_automation(error).save(out)
        if mix is not None:
            clipped = audio.write(mix, result.mix, loaded.sample_rate)
            if clipped:
                warn(f"{mix}: {clipped} samples clipped")
        if report is not None:
            result.save_report(report)
        if intervals is not None:
            result.save_intervals(intervals)
        if plot is not None:
            unmixed.plot(plot, job.truth(result.seconds))
    interrupted = result.report["interrupted"]
    if not interrupted:
        state.unlink(missing_ok=True)
        warp_file(out).unlink(missing_ok=True)
    summarize(result, out, as_json, found, lies)
    if interrupted:
        warn(f"stopped early; {out} holds the best so far, --resume goes on")
        raise typer.Exit(INTERRUPTED)


def fit_batch(graph: str, args: list[str] | None, shared: bool) -> None:
    """Fit all recordings in the folder of ``--batch``. shared: of tracks that are given."""
    from djgraph.cli.batch_items import recordings

    inputs = list(load_graph(graph, args).inputs)
    single = ("target", "mix", "report", "plot", "intervals", "warp_out", "truth", "resume")
    run_batch(fit, "fit", lambda folder: recordings(folder, inputs, shared), ".yaml", single)


def _warp_of(warp: str) -> tuple[Path | None, str]:
    """The file that is named, and how the tracks' places are known: ``auto``, ``given``, ``find`` or ``file``."""
    if warp in ("auto", "given", "find"):
        return None, warp
    path = Path(os.path.expanduser(warp))
    if not path.exists() and path.suffix == "":
        raise typer.BadParameter(
            f"--warp {warp}: expected auto, given, find, or a file, and there is none such"
        )
    return path, "file"


@dataclass(frozen=True)
class Job:
    """A fit of the command line.

    recording: audio and sample rate. truth: the known params for a mix of so many seconds, or None. options: of
    djgraph.fit.
    """

    graph: Graph
    given: dict[str, Path]
    pad: bool
    recording: tuple[Tensor, int]
    bar: Steps
    truth: Callable[[float], Tensor | None]
    options: dict[str, Any]

    def run(
        self, mode: str, where: Path | None, delay: float | None, kept: Path, resume: bool
    ) -> FitResult | Unmixed:
        """What the controls did, and where the tracks lie, unless they lie as given.

        mode, where: as ``_warp_of`` says. kept: where the tracks' places are kept while the fit is under way.
        """
        from djgraph.decks import Warp
        from djgraph.errors import InputError
        from djgraph.fitting import UnrelatedError

        rate = self.graph.sample_rate
        if resume and kept.exists() and mode != "given":
            return self._warped(Warp.load(kept, rate), kept, delay)
        if mode == "file" and where is not None:
            return self._warped(Warp.load(where, rate, self.given), kept, delay)
        if mode == "find" or (mode == "auto" and delay is None and not self.pad and self._uneven()):
            return self._warped(None, kept, delay)
        try:
            return self._aligned(delay)
        except UnrelatedError as problem:
            if mode == "given" or delay is not None:
                raise
            try:
                return self._warped(None, kept, delay)
            except InputError:  # too short to be looked for, or not there
                raise problem from None

    def _uneven(self) -> bool:
        """Whether the tracks are of unequal lengths, as no excerpts of one mix are."""
        materials, _ = track_materials(self.graph, self.given, self.pad)
        return len({material.samples for material in materials.values()}) > 1

    def _aligned(self, delay: float | None) -> FitResult:
        import djgraph

        tracks, seconds = read_inputs(self.graph, self.given, self.pad, self.bar)
        audio, rate = self.recording
        self.bar.begin("listening and guessing")
        truth = self.truth(seconds)
        return djgraph.fit(
            self.graph, tracks, audio, target_rate=rate, delay=delay, truth=truth, **self.options
        )

    def _warped(self, warp: Warp | None, kept: Path, delay: float | None) -> Unmixed:
        from djgraph.unmixing import unmix

        if delay is not None:
            raise typer.BadParameter(
                "--delay and --warp contradict each other: a warp says where the tracks lie"
            )
        materials, _ = track_materials(self.graph, self.given, self.pad)
        audio, rate = self.recording
        told: list[str] = []

        def tell(what: str, done: int, total: int) -> None:
            if told[-1:] != [what]:
                told.append(what)
                self.bar.begin(what, total, done)
            else:
                self.bar.advance()

        def keep(warp: Warp) -> None:
            warp.save(kept)
            self.bar.begin("listening and guessing")

        return unmix(
            self.graph,
            materials,
            audio,
            recording_rate=rate,
            warp=warp,
            told=tell,
            kept=keep,
            truth=self.truth(audio.shape[-1] / rate),
            **self.options,
        )


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


def warp_file(out: Path) -> Path:
    """Where such a fit keeps where the tracks lie."""
    from djgraph.atomic import hidden

    return hidden(out, ".warp.json")


def summarize(
    result: FitResult, out: Path, as_json: bool, warp: Warp | None = None, lies: Path | None = None
) -> None:
    """Print the report: all of it as JSON, or what a person wants to know. warp: where the tracks lie, in ``lies``."""
    from djgraph.errors import shorten

    report: dict[str, Any] = result.report
    for text in report["warnings"]:
        warn(text)
    if report["warnings"] and warp is None:
        warn("--warp find looks for tracks that were played at another tempo or place")
    if as_json:
        print_json({"automation": str(out), **({} if warp is None else {"warp_file": str(lies)}), **report})
        return
    controls = report["controls"]
    moved = [name for name, entry in controls.items() if entry["moves"] and entry["audible"] > 0]
    delay = round(report["delay_ms"], 2) + 0.0  # no −0.00
    typer.echo(f"{out}")
    if warp is None:
        typer.echo(f"  aligned   target lags by {delay:.2f} ms, at {report['level_db']:+.1f} dB")
    else:
        for line in places(warp):
            typer.echo(f"  track     {line}")
        typer.echo(f"  level     {report['level_db']:+.1f} dB; where the tracks lie is in {lies}")
    typer.echo(f"  match     SI-SDR {report['si_sdr_db']:.1f} dB")
    typer.echo(f"  moves     {len(moved)} of {len(controls)} controls")
    typer.echo(f"  unheard   {len(report['not_identified'])} controls have no audible effect in this mix")
    unsure = [name for name in moved if controls[name]["cannot_be_told"] > UNSURE]
    if unsure:
        typer.echo(
            f"  unsure    {len(unsure)} of those cannot be told for a part of the time: {shorten(unsure, SHOWN)}"
        )
    if "heard_error" in report and (off := report["heard_error"]["mean"]) is not None:
        typer.echo(f"  truth     gains that are heard are off by {off:.2g} on average")
    for note in report["notes"]:
        typer.echo(f"  note      {note}")
    typer.echo(f"fitted in {report['fit_seconds']:.1f} s, {report['mixer_steps']} steps through the mixer")
