"""The baselines: models and players of one task on a corpus that is made for it, and a table of how good they are.

    python -m djgraph.training.baselines OUT

writes a corpus of the demo's tracks, trains an LSTM, a transformer and a flow on it, holds them against a linear
crossfade, the recipes and the truth, and writes ``results.json`` and ``results.md``. The task: given the stems of two
tracks and the finished mix, say what the DJ did. It goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from djgraph.atomic import write_text
from djgraph.data import make_corpus
from djgraph.errors import CorpusError, DJGraphError
from djgraph.training import processes, verdict
from djgraph.training.config import TrainingModel, load_training
from djgraph.training.objective import Objective
from djgraph.training.progress import Progress, Silent
from djgraph.training.session import Start, begin, learn

RECIPES = ("bass_swap", "eq_blend", "filter_fade", "equal_power")
"""What the corpus plays."""
MODELS: dict[str, dict[str, Any]] = {
    "LSTM": {"model": "lstm", "hidden": 64, "rate": 4e-3},
    "transformer": {"model": "transformer", "hidden": 64, "layers": 2, "rate": 2e-3},
    "flow": {"model": "flow", "hidden": 96, "layers": 2, "rate": 2e-3},
}
COLUMNS: dict[str, tuple[str, str]] = {
    "loss": ("spectral", "{:.3f}"),
    "si_sdr_db": ("SI-SDR, dB", "{:.1f}"),
    "loudness_lu": ("loudness off, LU", "{:.1f}"),
    "moved": ("controls moved, off", "{:.1%}"),
    "idle": ("left alone, off", "{:.1%}"),
    "two_basses": ("two basses", "{:.2f}"),
    "two_vocals": ("two vocals", "{:.2f}"),
    "steps": ("steps", "{:.0f}"),
    "seconds": ("trained, s", "{:.0f}"),
    "play_ms": ("to play one, ms", "{:.0f}"),
}
"""Of the table: the key of a figure, its title, how it is written."""


def run(
    out: Path,
    *,
    count: int = 96,
    seconds: float = 6.0,
    sample_rate: int = 11025,
    epochs: Mapping[str, int] | int = 10,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
    models: Mapping[str, Mapping[str, Any]] = MODELS,
) -> dict[str, Any]:
    """Make the corpus, train and judge; the results, as JSON has them.

    count, seconds, sample_rate: of the corpus. epochs: of each model, or of all. workers: processes that make the
    corpus, as many as there are cores unless given. Raises CorpusError where ``out`` holds
    a corpus of other settings, and what training raises.
    """
    progress = progress or Silent()
    corpus = out / "corpus"
    make_corpus(
        corpus,
        demo=True,
        graph="dj_mixer",
        args={"sample_rate": sample_rate, "n_fft": 512, "hop_length": 128},
        count=count,
        seconds=seconds,
        curves=0.0,
        recipes=list(RECIPES),
        align="beat",
        seed=seed,
        workers=workers,
    )
    rows: dict[str, dict[str, float]] = {}
    for title, keys in models.items():
        each = epochs if isinstance(epochs, int) else epochs[title]
        folder = out / keys["model"]
        settings = {"training": 1, "corpus": str(corpus), "run": str(folder), "sees": "mix", "per_beat": 2}
        config = load_training({**settings, "device": "cpu", "epochs": each, "seed": seed, **keys})
        rows |= _trained(title, config, folder, progress, with_others=not rows)
    truth = rows.pop("truth")
    results = {
        "corpus": {"items": count, "seconds": seconds, "sample_rate": sample_rate, "recipes": list(RECIPES)},
        "threads": torch.get_num_threads(),
        "players": {**rows, "truth": truth},
    }
    write_text(out / "results.json", json.dumps(results, indent=1, ensure_ascii=False) + "\n", CorpusError)
    write_text(out / "results.md", table(results) + "\n", CorpusError)
    return results


def _trained(
    title: str, config: TrainingModel, folder: Path, progress: Progress, with_others: bool
) -> dict[str, dict[str, float]]:
    """The figures of a model, trained to its end; with_others: and of those that need no training."""
    session = begin(config, Start(resume=(folder / "checkpoint.safetensors").is_file()), progress)
    session.training.keep = True
    objective = Objective(config.losses, session.corpus.layout, session.corpus.sample_rate)
    if not learn(session, objective):
        raise KeyboardInterrupt
    session.model.eval()
    others = verdict.baselines(session.tests[0])
    mine = session.players(objective.spectral)
    players = {**others, **mine} if with_others else {**mine, verdict.LINEAR: others[verdict.LINEAR]}
    took: dict[str, float] = dict.fromkeys(players, 0.0)

    def timed(name: str, player: verdict.Player) -> verdict.Player:
        def play(batch: dict[str, Any]) -> torch.Tensor:
            began = time.monotonic()
            params = player(batch)
            took[name] += time.monotonic() - began
            return params

        return play

    data = session.tests[0]
    report = verdict.judge(
        {name: timed(name, player) for name, player in players.items()},
        session.mixer,
        data,
        objective.spectral,
        batch_size=config.batch,
        device=session.device,
        progress=progress,
        faults=True,
    )
    rows: dict[str, dict[str, float]] = {}
    for name, figures in report["players"].items():
        if name == verdict.LINEAR and not with_others:
            continue
        row = {**figures, "play_ms": 1000 * took[name] / len(data)}
        if name in mine:
            row |= {"steps": float(session.place.step), "seconds": session.place.seconds}
        rows[name.replace("model", title)] = row
    return rows


def table(results: Mapping[str, Any]) -> str:
    """The results as a table in Markdown."""
    titles = [title for title, _ in COLUMNS.values()]
    lines = ["| | " + " | ".join(titles) + " |", "|---" * (len(titles) + 1) + "|"]
    for name, row in results["players"].items():
        cells = [form.format(row[key]) if key in row else "–" for key, (_, form) in COLUMNS.items()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Exit code 1 for an error, 130 for Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m djgraph.training.baselines",
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("out", type=Path, help="folder for the corpus, the runs and the results")
    parser.add_argument("--count", type=int, default=96, help="transitions in the corpus")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each")
    parser.add_argument("--sample-rate", type=int, default=11025)
    parser.add_argument("--epochs", type=int, default=20, help="of the LSTM and the transformer")
    parser.add_argument("--flow-epochs", type=int, default=60, help="of the flow, whose steps need no mixer")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        results = run(
            options.out,
            count=options.count,
            seconds=options.seconds,
            sample_rate=options.sample_rate,
            epochs={"LSTM": options.epochs, "transformer": options.epochs, "flow": options.flow_epochs},
            seed=options.seed,
        )
    except DJGraphError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        return 130
    finally:
        processes.end()
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
