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

import torch

import common
import djgraph
from djgraph import audio
from djgraph.atomic import check_target
from djgraph.audio.stems import read_as
from djgraph.errors import InputError, did_you_mean
from djgraph.features import BeatGrid
from djgraph.transitions import Plan, Senses, load_player


def main(arguments: Sequence[str]) -> int:
    """Read the model, listen to the tracks, write the automation."""
    options = _options(arguments)
    check_target(options.out, InputError)
    player = load_player(options.run)
    senses, layout = player.senses, player.layout
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
        plan = Plan(options.recipe, options.start, options.length)
    grid = BeatGrid.at_tempo(seconds, options.tempo, first=options.beat, per_beat=senses.per_beat)
    params = player.propose(signals, grid, mix=mix, plan=plan)
    errors = {
        column.name: options.error * (column.control.max - column.control.min) for column in layout.columns
    }
    automation = djgraph.automation.from_params(layout, params, seconds, error=errors, name="model")
    automation.save(options.out)
    print(f"{options.out}: {len(automation.curves)} curves, {seconds:.1f} s")
    return 0


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
    sys.exit(common.script(main))
