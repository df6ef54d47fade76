"""``djgraph report``: what goes wrong in a mix, without writing it; and what ``--report`` of others needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.grouped import grouped
from djgraph.cli.options import Json
from djgraph.cli.output import count, print_json
from djgraph.cli.played import Asked, Played, Playing, Seconds
from djgraph.cli.progress import Steps
from djgraph.rendering import BLOCK, Score, stream_tempo

if TYPE_CHECKING:
    from djgraph.mixer import Mixer
    from djgraph.reports import Report, Span
    from djgraph.sets import SetPlan

ReportFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Also say what goes wrong in the transitions: txt, json, html, svg or png; repeated.",
    ),
]


class Overheard:
    """Audio to mix whose blocks are listened to as they pass; as :class:`djgraph.rendering.InputBlocks`."""

    def __init__(self, playing: Playing, title: str) -> None:
        """title: of the report."""
        from djgraph.reports import Listener

        self._playing, self._title = playing, title
        self._source, score, mixer = playing.source, playing.score, playing.mixer
        self.samples = self._source.samples
        self.material: dict[str, Any] = getattr(self._source, "material", None) or {}
        self._left = self.samples
        first = self._source.read(0)
        tempo = stream_tempo(mixer, score)
        self._listener = Listener(
            mixer, score.params, score.positions, tempo, (*first, *self.material), self.material
        )

    def read(self, samples: int) -> dict[str, Any]:
        """The next block of every input that no source plays."""
        block = self._source.read(samples)
        count = _length(block) if block else min(samples, self._left)
        self._listener.add(block, count)
        self._left -= count
        return block

    def listen(self, steps: Steps) -> None:
        """Read all of it."""
        steps.begin("listening", self.samples)
        while left := self._left:
            self.read(BLOCK)
            if self._left == left:
                break
            steps.advance(left - self._left)

    def report(self, normalized: bool = False, spans: Mapping[Span, tuple[str, str]] | None = None) -> Report:
        """Of all that was read. normalized: what is written is scaled so that it does not clip. spans: transitions that
        are known, with names of their tracks."""
        from djgraph.reports import Report

        return Report.of(
            self._listener.finish(),
            title=self._title,
            tempo=self._playing.tempo,
            controls=self._playing.mixer.layout.names,
            normalized=normalized,
            spans=spans,
        )


@grouped
def report(
    *,
    asked: Asked,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE",
            help="Write the report: txt, json, html, svg or png; repeated.  [default: print it]",
        ),
    ] = None,
    seconds: Seconds = None,
    as_json: Json = False,
) -> None:
    """Say what goes wrong in a mix where one track passes into another, without writing the mix.

    Two basses or two vocals at once, keys that clash, a track that plays and is not heard, cancellation, holes and
    jumps of loudness, clipping: where, how strong, and what would help. It takes what `djgraph render` takes.

    \b
    Examples:
      djgraph report dj_mixer -i track_a=one -i track_b=two -t linear --cue-in 8 --cue-out 24
      djgraph report dj_mixer -i track_a=one -i track_b=two -t bass_swap --tempo 128 -o faults.html -o faults.json
      djgraph report dj_mixer -i track_a=one -i track_b=two --automation moves.yaml -o faults.png
    """
    played = Played(asked, seconds)
    from djgraph.guard import claim

    check_reports(out)
    claim(*(out or ()))
    title = played.moves or (None if asked.params is None else str(asked.params)) or played.graph.name
    with Steps() as steps:
        main = list(played.graph.outputs)[:1]
        with played.play(main, steps) as playing:
            heard = Overheard(playing, Path(title).name)
            heard.listen(steps)
            found = heard.report()
    save_reports(found, out or ())
    if as_json:
        print_json(found.data())
    else:
        typer.echo(said_of(found, out) if out else found.text().removesuffix("\n"))


def report_set(
    plan: SetPlan, mixer: Mixer, steps: Steps, paths: Sequence[Path] | None, normalized: bool
) -> list[str]:
    """Write the report of a whole set, transition by transition, where one is asked for; the set is mixed once more,
    part by part. Returns what there is to say."""
    if not paths:
        return []
    from djgraph.reports import Span
    from djgraph.sets.play import SetBlocks

    frames = plan.automation.render_exact(mixer, samples=plan.samples, sample_rate=plan.sample_rate)
    score = Score(frames.params, frames.positions, frames.tempo)
    with SetBlocks(plan) as source:
        heard = Overheard(Playing(mixer, source, score, plan.tempo), plan.title or plan.name)
        heard.listen(steps)
    spans = {}
    for one in plan.transitions:
        leaving, entering = plan.tracks[one.leaving], plan.tracks[one.entering]
        span = Span(leaving.input, entering.input, plan.second(one.begin), plan.second(one.end))
        spans[span] = (leaving.title, entering.title)
    found = heard.report(normalized, spans)
    save_reports(found, paths)
    return [said_of(found, paths)]


def check_reports(paths: Sequence[Path] | None) -> None:
    """Raise where a report cannot be written: before the work, not after it."""
    from djgraph.reports.save import check_report

    for path in paths or ():
        check_report(path)


def save_reports(report: Report, paths: Sequence[Path]) -> None:
    """Write a report to every path, by its ending."""
    from djgraph.reports import save_report

    for path in paths:
        save_report(path, report)


def said_of(report: Report, paths: Sequence[Path]) -> str:
    """Where a report is, and how much it found."""
    found = count(len(report.findings), "finding") if report.findings else "nothing found"
    return f"{', '.join(map(str, paths))}: {count(len(report.transitions), 'transition')}, {found}"


def _length(block: dict[str, Any]) -> int:
    for value in block.values():
        for signal in value.values() if isinstance(value, dict) else (value,):
            return int(signal.shape[-1])
    return 0
