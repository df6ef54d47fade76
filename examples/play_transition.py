"""Lets a trained model play: an automation file for two new tracks, for ``djgraph render``.

    python examples/play_transition.py run -i track_a=one -i track_b=two --recipe bass_swap --start 8 --length 16 \\
        --tempo 124 -o automation.yaml
    djgraph render dj_mixer -i track_a=one -i track_b=two --automation automation.yaml -o mix.flac

A model that was trained with ``--sees plan`` takes the plan; one trained with ``--sees mix`` takes ``--mix FILE``, a
recording of the mix that lies on the stems sample by sample, and writes down what the DJ did.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import djgraph
from common import setup
from common.model import TransitionModel
from common.run import CHECKPOINT
from common.transitions import Plan, Senses
from djgraph import audio, checkpoint
from djgraph.atomic import check_target
from djgraph.audio.stems import read_as
from djgraph.errors import CheckpointError, InputError, did_you_mean
from djgraph.features import BeatGrid

FRAMES_PER_SECOND = 20


def main(arguments: Sequence[str]) -> int:
    """Read the model, listen to the tracks, write the automation."""
    options = _options(arguments)
    check_target(options.out, InputError)
    model, senses, layout = load_model(options.run)
    signals = _signals(options.input, senses)
    samples = min(sound.shape[-1] for sound in signals.values())
    signals = {name: sound[:, :samples] for name, sound in signals.items()}
    seconds = samples / senses.sample_rate
    plan, mix = None, None
    if senses.sees == "mix":
        if options.mix is None:
            raise InputError("this model listens to a mix: give it with --mix FILE")
        mix = read_as(options.mix, senses.sample_rate)
        if abs(mix.shape[-1] - samples) > 0.1 * senses.sample_rate:
            length = mix.shape[-1] / senses.sample_rate
            raise InputError(
                f"{options.mix} lasts {length:.2f} s, the stems {seconds:.2f} s; they have to lie on each other"
            )
        mix = torch.nn.functional.pad(mix, (0, max(0, samples - mix.shape[-1])))[:, :samples]
    else:
        if None in (options.recipe, options.start, options.length):
            known = ", ".join(senses.recipes)
            raise InputError(
                f"this model plays what is planned: give --recipe ({known}), --start and --length"
            )
        if not 0 <= options.start <= options.start + options.length <= seconds:
            raise InputError(
                f"{options.length:g} s from {options.start:g} s on do not fit into tracks of {seconds:.2f} s"
            )
        plan = Plan(options.recipe, options.start, options.length)
    grid = BeatGrid.at_tempo(seconds, options.tempo, first=options.beat, per_beat=senses.per_beat)
    features = senses(signals, grid, mix=mix, plan=plan)
    frames = round(seconds * FRAMES_PER_SECOND) + 1
    with torch.inference_mode():
        params = model(features[None], grid.spread(frames)[None])[0]
    errors = {
        column.name: options.error * (column.control.max - column.control.min) for column in layout.columns
    }
    automation = djgraph.automation.from_params(layout, params.clone(), seconds, error=errors, name="model")
    automation.save(options.out)
    print(f"{options.out}: {len(automation.curves)} curves, {seconds:.1f} s")
    return 0


def load_model(run: Path) -> tuple[TransitionModel, Senses, djgraph.ParameterLayout]:
    """The model of a run (its folder, or a checkpoint), what it gets, and the layout that it plays.

    Raises CheckpointError where there is none.
    """
    saved = checkpoint.load(run / CHECKPOINT if run.is_dir() else run)
    about = saved.part("about")
    try:
        found: dict[str, Any] = about["senses"]
        senses = Senses(**{**found, "signals": tuple(found["signals"]), "recipes": tuple(found["recipes"])})
        model = TransitionModel(senses.size, saved.layout, about["hidden"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as problem:
        raise CheckpointError(
            f"{saved.path} was not written by one of these examples: {problem}"
        ) from problem
    saved.load_model(model, saved.layout)
    return model.eval(), senses, saved.layout


def _signals(inputs: Sequence[str], senses: Senses) -> dict[str, torch.Tensor]:
    """What the model wants to hear, from ``NAME=PATH`` texts."""
    paths = dict(text.split("=", 1) for text in inputs if "=" in text)
    wanted: dict[str, list[str]] = {}
    for name in senses.signals:
        deck, _, stem = name.partition(".")
        wanted.setdefault(deck, []).extend([stem] if stem else [])
    for name in paths:
        if name not in wanted:
            raise InputError(f"this model has no input {name!r}{did_you_mean(name, wanted)}")
    if missing := [name for name in wanted if name not in paths]:
        raise InputError(f"input {missing[0]!r} is missing: -i {missing[0]}=FOLDER")
    found: dict[str, torch.Tensor] = {}
    for deck, stems in wanted.items():
        if stems:
            read = audio.load_stems(paths[deck], stems, senses.sample_rate)
            found |= {f"{deck}.{stem}": sound for stem, sound in read.items()}
        else:
            found[deck] = audio.load_signal(paths[deck], senses.sample_rate)
    return found


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    options = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = options.add_argument
    add("run", type=Path, help="folder of a run, or a checkpoint")
    add("-i", "--input", action="append", default=[], metavar="NAME=PATH", help="a track, for each input")
    add(
        "-o", "--out", type=Path, default=Path("automation.yaml"), help="automation to write: yaml, json, csv"
    )
    add("--recipe", help="which transition to play")
    add("--start", type=float, metavar="S", help="second at which it begins")
    add("--length", type=float, metavar="S", help="seconds that it takes")
    add("--mix", type=Path, metavar="FILE", help="for a model that listens to a mix")
    add("--tempo", type=float, required=True, metavar="BPM", help="of the outgoing track")
    add("--beat", type=float, default=0.0, metavar="S", help="second of any beat of it")
    add("--error", type=float, default=0.01, help="of the curves, as a share of each control's range")
    return options.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(setup.script(main))
