"""GRAFX and dasp-pytorch on like work; what each leaves out is said in its module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.cases import CASES
from benchmarks.context import Context
from benchmarks.errors import Unavailable
from benchmarks.peers.dasp_mixer import DaspMixer
from benchmarks.peers.grafx_mixer import GrafxMixer
from benchmarks.programs import inference, training
from benchmarks.results import CaseReport, Result, Timed
from benchmarks.timing import Program, interleave, ratio
from benchmarks.work import Inputs, make_stems

STRIPS = "dasp-pytorch, without its reverb"
WHOLE = "dasp-pytorch, with its reverb"


def run(context: Context) -> CaseReport:
    scale = context.scale
    peers: dict[str, Any] = {}
    notes = []
    factories: dict[str, Callable[[], Any]] = {"GRAFX": GrafxMixer, STRIPS: lambda: DaspMixer(reverb=False)}
    for name, make in factories.items():
        try:
            peers[name] = make()
        except Unavailable as missing:
            notes.append(f"{name}: {missing}")
    if not peers:
        raise Unavailable("; ".join(notes))
    programs = {
        "djgraph, forward": inference(context.mixer, context.stems, context.params),
        "djgraph, forward + backward": training(context.mixer, context.stems, context.params),
    }
    for name, peer in peers.items():
        programs[f"{name}, forward"] = _inference(peer, context.stems)
        programs[f"{name}, forward + backward"] = _training(peer, context.stems)
    times = context.time(programs, slow=True)
    results = [
        Result(
            f"{direction}, against {name}",
            ratio(times[f"{name}, {direction}"], times[f"djgraph, {direction}"]),
            "×",
        )
        for name in peers
        for direction in ("forward", "forward + backward")
    ]
    against = {
        f"{name}, {direction}": f"djgraph, {direction}"
        for name in peers
        for direction in ("forward", "forward + backward")
    }
    timed = [Timed(name, times[name], scale.seconds, against.get(name)) for name in times]
    if STRIPS in peers:
        timed.append(_reverb(context))
        notes.append(
            f"With its reverb dasp-pytorch was run once, on {timed[-1].audio:g} s: it convolves in the time "
            "domain, so its time grows with the clip."
        )
    return CaseReport("peers", CASES["peers"], tuple(results), tuple(timed), tuple(notes))


def _reverb(context: Context) -> Timed:
    seconds = min(1.0, context.scale.seconds)
    stems = make_stems(context.mixer.graph, context.scale.samples_of(seconds))
    program = _inference(DaspMixer(reverb=True), stems)
    times = interleave({WHOLE: program}, 1, warmups=0, report=context.report)
    return Timed(f"{WHOLE}, forward", times[WHOLE], seconds)


def _inference(mixer: torch.nn.Module, stems: Inputs) -> Program:
    def run() -> None:
        with torch.no_grad():
            mixer(stems)

    return Program(run)


def _training(mixer: torch.nn.Module, stems: Inputs) -> Program:
    def run() -> None:
        mixer(stems).square().mean().backward()

    return Program(run, before=mixer.zero_grad)
