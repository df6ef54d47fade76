"""Un-mixing a recording from tracks at their own tempo: where they lie, their stems there, then the controls."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from djgraph.alignment import Found
from djgraph.decks import Warp
from djgraph.errors import InputError
from djgraph.fitting import FitResult, UnrelatedError, fit
from djgraph.fitting.bands import bands_of
from djgraph.fitting.prepare import SILENT
from djgraph.graph.ir import Graph
from djgraph.mixer import Mixer, compile_graph
from djgraph.unmixing.material import Tracks, materials, mono, played
from djgraph.unmixing.refine import refine
from djgraph.unmixing.stretches import Told

SAME_LENGTH = 0.01
"""Seconds by which a warp's mix may be longer or shorter than the recording."""


class AbsentError(InputError):
    """None of the tracks is in the recording."""


@dataclass(frozen=True)
class Unmixed:
    """What was found. warp: where the tracks lie. result: of the fit, in the recording's time. lengths: of the tracks,
    in seconds."""

    warp: Warp
    result: FitResult
    lengths: dict[str, float]

    def plot(self, path: str | os.PathLike[str], truth: Tensor | None = None) -> None:
        """Where each track lies and every control over time, as a picture (PNG, SVG, PDF by suffix); needs
        matplotlib."""
        from djgraph.unmixing.plot import plot_unmixed

        plot_unmixed(path, self.warp, self.result, self.lengths, truth)


@torch.inference_mode(False)
def unmix(
    graph: Mixer | Graph | str | Mapping[str, Any],
    tracks: Mapping[str, Any],
    recording: Tensor,
    *,
    recording_rate: int | None = None,
    warp: Warp | None = None,
    told: Told | None = None,
    kept: Callable[[Warp], None] | None = None,
    **options: Any,
) -> Unmixed:
    """Where tracks lie in a recording of a mix, and what the mixer's controls did.

    graph: as for :func:`djgraph.fit`. tracks: by input, at their own tempo and of their own lengths: a tensor
    ``[channels, samples]`` at the graph's sample rate, a mapping of stems to such, or material of a deck.
    recording: ``[channels, samples]`` at ``recording_rate`` (Hz; default: the graph's).
    warp: where the tracks lie (default: found). Start and rate of each passage are improved (:func:`refine`), unless it
    says that they were. told: hears how far that is. kept: is given the warp as soon as it is final.
    options: of :func:`djgraph.fit`, but for target, target_rate and delay: params, audible moments and the mix of the
    result are in the recording's time.

    Raises InputError as :func:`djgraph.fit` does, and AbsentError where none of the tracks is in the recording.
    """
    mixer = (
        graph
        if isinstance(graph, Mixer)
        else compile_graph(graph, lowering=options.pop("lowering", None) or "studio")
    )
    rate = mixer.graph.sample_rate
    given = materials(mixer.graph, tracks)
    if not isinstance(recording, Tensor) or not recording.is_floating_point() or recording.ndim not in (1, 2):
        raise InputError("the recording must be a floating-point tensor [channels, samples]")
    target = recording[None] if recording.ndim == 1 else recording
    if not bool(torch.isfinite(target).all()):
        raise InputError("the recording holds NaN or infinity")
    if recording_rate is not None and recording_rate != rate:
        from djgraph.audio import resample

        target = resample(target, recording_rate, rate)
    with torch.no_grad():
        final = _located(given, warp, target, mixer, told)
        if kept is not None:
            kept(final)
        stems = played(given, final, target.detach().cpu().float())
    try:
        result = fit(mixer, stems, target, delay=0.0, **options)
    except UnrelatedError as problem:
        raise UnrelatedError(_unrelated(final)) from problem
    result.report["warp"] = final.to_dict()["tracks"]
    result.report["absent"] = [name for name, found in final.tracks.items() if not found.passages]
    return Unmixed(final, result, {name: material.samples / rate for name, material in given.items()})


def find(tracks: Tracks, recording: Tensor, sample_rate: int, told: Told | None = None) -> Warp:
    """Where tracks lie in a recording ``[channels, samples]``, roughly; of those that are not in it, no passages."""
    from djgraph.alignment import find_tracks

    def tell(track: str, done: int, total: int) -> None:
        if told is not None:
            told(f"looking for {track}", done, total)

    sounds = {name: mono(material) for name, material in tracks.items()}
    heard = {name: audio for name, audio in sounds.items() if float(audio.abs().max()) > SILENT}
    found = {one.track: one for one in find_tracks(recording, heard, sample_rate, progress=tell)}
    ordered = [found.get(name, Found(name, (), 1.0)) for name in tracks]
    return Warp.of(recording.shape[-1], sample_rate, ordered)


def _located(tracks: Tracks, warp: Warp | None, target: Tensor, mixer: Mixer, told: Told | None) -> Warp:
    rate, samples = mixer.graph.sample_rate, target.shape[-1]
    trim = warp is None  # what a person says is heard, is
    if warp is None:
        warp = find(tracks, target, rate, told)
    warp = warp.at_rate(rate)
    if abs(warp.samples - samples) > SAME_LENGTH * rate:
        raise InputError(
            f"the warp is of a mix of {warp.seconds:.2f} s, and the recording lasts {samples / rate:.2f} s"
        )
    found = {name: found for name, found in warp.tracks.items() if name in tracks}
    warp = Warp(samples, rate, found, warp.refined)
    if not warp.present:
        raise _absent(tracks)
    if warp.refined:
        return warp
    bands = bands_of(rate, mixer.graph.transform)
    final = refine(tracks, warp, target.detach().cpu().float(), bands, told, trim)
    if not final.present:
        raise _absent(tracks)
    return final


def _absent(tracks: Tracks) -> AbsentError:
    return AbsentError(
        f"none of the tracks is in the recording: {', '.join(tracks)}. Are these the tracks that were played, at 0.8 "
        "to 1.25 times their tempo? A warp file can say where they lie"
    )


def _unrelated(warp: Warp) -> str:
    """Why nothing was fitted where tracks were read at their places."""
    fact = (
        f"gains of {', '.join(warp.present)}, played where they were found or where the warp says, explain next to "
        "nothing of the recording. Nothing was fitted"
    )
    locked = [name for name in warp.present if any(one.key_locked for one in warp.tracks[name].passages)]
    if locked:
        return (
            f"{fact}. {', '.join(locked)} kept the pitch at another tempo: where that was done by a transform (a phase "
            "vocoder), and not by pieces of the track, no waveform is left to be subtracted"
        )
    return f"{fact}. Are these the tracks that were played, and does the warp tell where?"
