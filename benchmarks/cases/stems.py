"""64 stems instead of 8: the shipped mixer with eight times as many tracks, and with longer tracks' worth of stems."""

from __future__ import annotations

import djgraph
from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.documents import wide_mixer
from benchmarks.programs import inference
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, ratio
from benchmarks.work import make_params, make_stems


def run(context: Context) -> CaseReport:
    scale = context.scale
    shapes = ((2, 4), (scale.many_stems // 4, 4), (2, scale.many_stems // 2))
    programs: dict[str, Program] = {}
    for tracks, stems in shapes:
        mixer = djgraph.compile(wide_mixer(tracks, stems))
        programs[f"{tracks} tracks of {stems} stems"] = inference(
            mixer, make_stems(mixer.graph, scale.samples), make_params(mixer.layout, scale.frames)
        )
    times = context.time(programs, slow=True)
    few, tracks_more, stems_more = programs
    return CaseReport(
        "stems",
        CASES["stems"],
        (
            Result(
                f"{tracks_more}, times as long as 8 stems",
                ratio(times[tracks_more], times[few]),
                "×",
                "stems",
            ),
            Result(f"{stems_more}, times as long as 8 stems", ratio(times[stems_more], times[few]), "×"),
        ),
        tuple(Timed(f"{name}, forward", times[name], scale.seconds) for name in times),
        ("The bar is for eight times of everything, reverbs and delays included.",),
    )
