"""What the training scripts share: their options, and how errors and Ctrl-C end them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from djgraph.cli.progress import Steps
from djgraph.errors import DJGraphError
from djgraph.training import Session, begin, load_training, processes
from djgraph.training.session import Start
from djgraph.transitions import MODELS, SEES


def parser(description: str) -> argparse.ArgumentParser:
    """The options that the scripts share: the keys of a configuration (docs/training.md) by the same names."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = options.add_argument
    add("corpus", type=Path, help="made by djgraph dataset make")
    add("run", type=Path, help="folder for checkpoint, log and report")
    add("--sees", choices=SEES, default="plan", help="beside the stems: a plan, or the finished mix")
    add("--held-out", type=float, default=0.15, metavar="SHARE", help="last items, not trained on")
    add("--test", type=Path, metavar="CORPUS", help="judge with this corpus, too: of other tracks")
    add("--epochs", type=int, default=8, help="times that every item is heard")
    add("--batch", type=int, default=4, help="items in a batch, of all processes together")
    add("--rate", type=float, default=4e-3, help="learning rate at its highest")
    add("--model", choices=MODELS, default="lstm", help="the network")
    add("--hidden", type=int, default=96, help="its width")
    add("--layers", type=int, default=1, help="its layers")
    add("--bands", type=int, default=8, help="mel bands that are heard of each signal")
    add("--per-beat", type=int, default=4, help="steps in a beat")
    add("--blur", type=float, default=0.0, help="random shifts of what is heard while training; 1 is 80 dB")
    add("--precision", choices=("float32", "bfloat16"), default="float32", help="of the network")
    add("--seed", type=int, default=0)
    add("--device", default="auto", help="cpu, cuda or auto")
    add("--workers", type=int, default=0, help="processes that read ahead")
    add("--resume", action="store_true", help="go on with the run that is there")
    add("--from", dest="start", type=Path, metavar="CHECKPOINT", help="begin with these weights")
    add("--remap", action="store_true", help="carry a checkpoint of another layout over, by control names")
    add("--other-sound", action="store_true", help="take a checkpoint of a mixer that sounds otherwise")
    return options


SHARED = (
    "sees",
    "held_out",
    "epochs",
    "batch",
    "rate",
    "model",
    "hidden",
    "layers",
    "bands",
    "per_beat",
    "blur",
)
KEYS = (*SHARED, "precision", "seed", "device", "workers")


def session(options: argparse.Namespace, **losses: float) -> Session:
    """The training that the options ask for; losses: their weights."""
    paths = {
        name: str(path)
        for name in ("corpus", "run", "test", "start")
        if (path := getattr(options, name)) is not None
    }
    settings: dict[str, Any] = {name: getattr(options, name) for name in KEYS}
    config = load_training({"training": 1, **paths, **settings, "losses": losses})
    return begin(config, Start(options.resume, options.remap, options.other_sound), Steps())


def script(main: Callable[[Sequence[str]], int], arguments: Sequence[str] | None = None) -> int:
    """Run a script's main function; an error becomes a message and exit code 1, Ctrl-C 130."""
    try:
        return main(sys.argv[1:] if arguments is None else arguments)
    except DJGraphError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        processes.end()
