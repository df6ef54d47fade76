"""What ``djgraph set`` and ``djgraph render --sync`` write besides audio: projects for DAWs, and a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from djgraph.cli.errors import warn
from djgraph.errors import InputError

if TYPE_CHECKING:
    from djgraph.cli.played import Playing
    from djgraph.sets import SetPlan

DawprojectOption = Annotated[
    Path | None,
    typer.Option(
        "--dawproject",
        metavar="FILE",
        help="Write a project for Bitwig, Studio One, Cubase and others, too: stems on tracks, controls in lanes.",
    ),
]
ReaperOption = Annotated[
    Path | None,
    typer.Option("--reaper", metavar="FILE", help="Write a project for REAPER, too: an .rpp file."),
]
EmbedOption = Annotated[
    bool,
    typer.Option(
        "--embed",
        help="Put the audio files into the DAWproject file.  [default: it refers to them where they are]",
    ),
]
PictureOption = Annotated[
    Path | None, typer.Option("--picture", metavar="FILE", help="A picture of the whole set: svg or png.")
]

ENDINGS = {"--dawproject": (".dawproject",), "--reaper": (".rpp",), "--picture": (".svg", ".png")}


@dataclass(frozen=True)
class Exports:
    """The files asked for, as options of ``set`` and ``render``. Raises InputError for endings that programs would not
    open, DJGraphError for places that cannot be written and for missing libraries, before any work."""

    dawproject: DawprojectOption = None
    reaper: ReaperOption = None
    embed: EmbedOption = False
    picture: PictureOption = None

    def __post_init__(self) -> None:
        from djgraph.atomic import check_target

        for option, path in self._given().items():
            if path.suffix.lower() not in ENDINGS[option]:
                raise InputError(
                    f"{option} {path}: expected a name that ends in {' or '.join(ENDINGS[option])}"
                )
            check_target(path, InputError)
        if self.picture is not None:
            from djgraph.sets.picture import check_picture

            check_picture(self.picture)
        if self.embed and self.dawproject is None:
            raise typer.BadParameter("--embed belongs to --dawproject")

    def _given(self) -> dict[str, Path]:
        paths = {"--dawproject": self.dawproject, "--reaper": self.reaper, "--picture": self.picture}
        return {option: path for option, path in paths.items() if path is not None}

    @property
    def paths(self) -> list[Path]:
        """All of them."""
        return list(self._given().values())

    def check(self, plan: SetPlan) -> None:
        """Raise InputError for names of audio files that a project cannot refer to, before hours of work."""
        if self.dawproject is None and self.reaper is None:
            return
        from djgraph.daw.paths import embedded_names, referred
        from djgraph.daw.reaper import check_names

        files = [file for track in plan.tracks for several in track.stems.values() for file in several]
        if self.dawproject is not None:
            _ = embedded_names(files) if self.embed else referred(files, self.dawproject)
        if self.reaper is not None:
            check_names(files, self.reaper)

    def write(self, plan: SetPlan) -> None:
        """Write what is asked for. Raises InputError and AudioFileError for audio files that are gone or cannot be
        referred to."""
        if not self.paths:
            return
        from djgraph.daw.dawproject import write_dawproject
        from djgraph.daw.reaper import write_reaper
        from djgraph.sets.picture import draw_set
        from djgraph.sets.to_daw import arrangement_of

        arrangement = arrangement_of(plan)
        if self.dawproject is not None:
            write_dawproject(arrangement, self.dawproject, embed=self.embed)
        if self.reaper is not None:
            write_reaper(arrangement, self.reaper)
        if self.picture is not None:
            draw_set(plan, arrangement, self.picture)
        if self.dawproject is not None or self.reaper is not None:
            for note in arrangement.notes:
                warn(f"not in the project as it is in the mix: {note}")


def plan_of(playing: Playing, moves: str | None, out: Path) -> SetPlan:
    """What ``render --sync`` plays, as a set of its tracks. moves: the recipe or automation, as it was given."""
    from djgraph.automation import Automation, from_params
    from djgraph.rendering import SyncedBlocks
    from djgraph.rendering.planned import plan_synced

    source, graph = playing.source, playing.mixer.graph
    assert isinstance(source, SyncedBlocks)
    auto = playing.automation
    if auto is None:
        params = playing.score.params
        still = len(params) == 1 or bool((params == params[:1]).all())
        auto = Automation(()) if still and moves is None else None
    if auto is None:
        auto = from_params(playing.mixer.layout, playing.score.params, source.samples / graph.sample_rate)
    return plan_synced(source, graph, auto, out.stem, moves)
