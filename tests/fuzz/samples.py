"""Whole inputs of every kind, to be damaged."""

from __future__ import annotations

import io
import json
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from two_decks import GRAPH, RATE

import djgraph
from djgraph import checkpoint
from djgraph.data import make_corpus
from djgraph.fitting.result import FitState
from djgraph.layout import ParameterLayout

from .child import SOUNDS
from .worker import Case

ROOT = Path(__file__).parents[2]
AUTOMATION: dict[str, Any] = {
    "automation": 1,
    "name": "moves",
    "tempo": 120,
    "args": {"length": "2s"},
    "curves": [
        {"control": "left.drums.gain", "points": [{"at": 0, "value": 1}, {"at": "$length", "value": 0.2}]},
        {"control": ["left.bass.gain", "right.bass.gain"], "value": 0.5},
        {
            "control": "right.drums.gain",
            "shape": "smooth",
            "points": [{"at": "0s", "value": 0}, {"at": "2beats + 0.5s", "value": 1, "shape": "hold"}],
        },
    ],
}
TABLE = "control,time,value\nleft.drums.gain,0,1\nleft.drums.gain,2s,0.2\nright.bass.gain,1beats,0.4\n"


@cache
def samples(target: str) -> tuple[Case, ...]:
    """What there is for a target."""
    made: tuple[Case, ...] = tuple(_MAKERS[target]())
    assert made
    return made


def _one(target: str, name: str, content: bytes, **others: bytes) -> Case:
    return Case(target, {name: content, **others}, name)


def _graphs() -> list[Case]:
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "graphs").glob("*.yaml"))]
    for page in ("graph-language.md", "plugins.md", "effects.md"):
        blocks = re.findall(
            r"```yaml\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL
        )
        texts += [block for block in blocks if block.startswith("djgraph: 1")]
    return [_one("graph", "graph.yaml", text.encode()) for text in texts] + [
        _one("graph", "graph.json", json.dumps(GRAPH, indent=1).encode())
    ]


def _automations() -> list[Case]:
    return [
        _one("automation", "moves.json", json.dumps(AUTOMATION, indent=1).encode()),
        _one("automation", "moves.yaml", json.dumps(AUTOMATION, indent=1).encode()),
        _one("automation", "moves.csv", TABLE.encode()),
    ]


def _recipes() -> list[Case]:
    return [
        _one("recipe", "moves.yaml", path.read_bytes()) for path in sorted((ROOT / "recipes").glob("*.yaml"))
    ]


def _params() -> list[Case]:
    layout = djgraph.compile("dj_mixer").layout
    values = layout.neutral.expand(3, -1).numpy()
    table = ",".join(layout.names) + "\n" + "".join(",".join(map(str, row)) + "\n" for row in values.tolist())
    mapping = json.dumps({name: [0.5, 1.0] for name in layout.names[:5]}, indent=1).encode()
    array, archive = io.BytesIO(), io.BytesIO()
    np.save(array, values)
    np.savez(archive, params=values)
    return [
        _one("params", "params.npy", array.getvalue()),
        _one("params", "params.npz", archive.getvalue()),
        _one("params", "params.csv", table.encode()),
        _one("params", "params.json", mapping),
        _one("params", "params.yaml", mapping),
    ]


def _wav(seconds: float = 0.5, seed: int = 0, **options: Any) -> bytes:
    noise = 0.1 * np.random.default_rng(seed).standard_normal((round(seconds * RATE), 2)).clip(-3, 3)
    file = io.BytesIO()
    soundfile.write(file, noise, options.pop("rate", RATE), **({"format": "WAV"} | options))
    return file.getvalue()


def track_files(**metadata: Any) -> dict[str, bytes]:
    """A folder of two stems, and what is known of them."""
    files = {f"one/{stem}.wav": _wav(2.0, seed) for seed, stem in enumerate(("drums", "bass"))}
    return files | {"one/track.json": json.dumps(metadata).encode()}


def _tracks() -> list[Case]:
    known = {"tempo": 120.5, "beats": [0.0, 0.5, 1.0], "title": "One", "genres": ["x", {"y": None}]}
    return [Case("track", track_files(**known), "one/track.json")]


@cache
def corpus_files() -> dict[str, bytes]:
    """A corpus of two items, by its files."""
    with tempfile.TemporaryDirectory() as folder:
        library, root = Path(folder) / "library", Path(folder) / "corpus"
        for track in ("one", "two"):
            (library / track).mkdir(parents=True)
            for seed, stem in enumerate(("drums", "bass")):
                (library / track / f"{stem}.wav").write_bytes(_wav(1.0, seed))
        make_corpus(root, tracks=library, graph=GRAPH, count=2, seconds=0.25, workers=1, shard_size=1)
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.name != ".lock"
        }


def _corpora() -> list[Case]:
    files = corpus_files()
    # Documents more often than sound.
    names = [name for name in files if name.endswith((".json", ".jsonl"))] * 3 + list(files)
    return [Case("corpus", files, name) for name in names]


def fit_state(**other: Any) -> bytes:
    """Where a fit of the two decks stands."""
    layout = ParameterLayout.from_graph(djgraph.load(GRAPH))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        FitState(torch.full((3, len(layout)), 0.5), 12.0, 0.8, 2, 5, SOUNDS).save(path, layout)
        return json.dumps(json.loads(path.read_text()) | other).encode()


@cache
def checkpoint_file() -> bytes:
    """A small model's."""
    layout = ParameterLayout.from_graph(djgraph.load(GRAPH))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        state = {"model": torch.nn.Linear(3, 2).state_dict(), "epoch": 3, "order": (1, [2, "x", None])}
        checkpoint.save(path, state, layout)
        return path.read_bytes()


@cache
def audio_files() -> dict[str, bytes]:
    """A second in each format, by file name."""
    return {
        "a.wav": _wav(1.0),
        "float.wav": _wav(1.0, subtype="FLOAT"),
        "a.aiff": _wav(1.0, format="AIFF"),
        "a.flac": _wav(1.0, format="FLAC"),
        "a.ogg": _wav(1.0, format="OGG"),
        "a.mp3": _wav(1.0, rate=44100, format="MP3"),
    }


WORDS = [
    "", "-", "--", "dj_mixer", "two.json", "nothing.yaml", "a.wav", "moves.csv", "one", ".",
    "~nobodyuser/x", "\x1b[31mred", "\u202ex", "a=b", "left=one", "track_a=one", "track_a=", "=",
    "x" * 300, "x" * 5000, "0", "-1", "1e400", "nan", "inf", "9" * 400, "3", "2", "0.5", "json",
    "equal_power", "bass_swap", "lower", "fuse", "all", "master", "A,B", "length=16beats", "mix.flac",
    "out.xyz", "no/such/folder.wav", "\udcff.wav", "None", "eq3",
]  # fmt: skip
OPTIONS = [
    "--help", "--json", "-o", "--out", "-i", "--input", "-t", "--transition", "--set", "--tracks",
    "--cue-in", "--cue-out", "--automation", "--params", "--frames", "--pad", "--normalize", "--output",
    "--tempo", "--arg", "--plot", "--graph", "--target", "--mix", "--report", "--steps", "--error",
    "--delay", "--level", "--truth", "--resume", "--format", "--stage", "--diff", "--no-optimize",
    "--without", "--batch", "--dtype", "--recipes", "--stems", "--verify", "--version", "--nonsense",
]  # fmt: skip
COMMANDS = [
    ["render"], ["transitions"], ["fit"], ["validate"], ["layout"], ["explain"], ["draw"], ["graphs"],
    ["schema"], ["effects"], ["plugins"], ["dataset", "check"], ["dataset", "make"], ["dataset"], [],
]  # fmt: skip
"""Not demo and profile, which work for seconds whatever they are told."""


@cache
def command_files() -> dict[str, bytes]:
    """What a folder holds that commands are run in."""
    others = {"a.wav": _wav(0.2), "moves.csv": TABLE.encode(), "two.json": json.dumps(GRAPH).encode()}
    return track_files(tempo=120) | others


def _commands() -> list[Case]:
    usual = [
        ["render", "two.json", "-i", "left=one", "-i", "right=one", "-o", "mix.flac"],
        [
            "render",
            "two.json",
            "-i",
            "left=one",
            "-i",
            "right=one",
            "--automation",
            "moves.csv",
            "--tempo",
            "120",
        ],
        ["fit", "two.json", "-i", "left=one", "-i", "right=one", "--target", "a.wav", "--steps", "0"],
        ["layout", "two.json", "--format", "csv", "-o", "layout.csv"],
        ["draw", "two.json", "-o", "two.svg"],
        ["explain", "two.json", "--stage", "lower"],
        ["transitions", "bass_swap", "--set", "length=16beats", "--tempo", "128"],
        ["dataset", "make", "corpus", "--tracks", "one", "--graph", "two.json", "--count", "1", "-j", "1"],
    ]
    return [Case("command", command_files(), "", tuple(words)) for words in usual + COMMANDS]


_MAKERS: dict[str, Any] = {
    "graph": _graphs,
    "automation": _automations,
    "recipe": _recipes,
    "params": _params,
    "corpus": _corpora,
    "track": _tracks,
    "fit_state": lambda: [_one("fit_state", "state.json", fit_state())],
    "checkpoint": lambda: [_one("checkpoint", "model.safetensors", checkpoint_file())],
    "audio": lambda: [_one("audio", name, content) for name, content in audio_files().items()],
    "command": _commands,
}
TARGETS = tuple(_MAKERS)
