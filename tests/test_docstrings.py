"""The examples in docstrings run, each with what its text takes for granted: a mixer, stems, a corpus."""

from __future__ import annotations

import ast
import doctest
import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

import djgraph
from djgraph.errors import InputError

PACKAGE = Path(djgraph.__file__).parent
STEMS = ("drums", "bass", "vocals", "other")


def examples() -> Iterator[Any]:
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if ">>>" not in text:  # parsing takes a second, in every process that collects tests
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
                docstring = ast.get_docstring(node) or ""
                if found := doctest.DocTestParser().get_examples(docstring) if ">>>" in docstring else []:
                    name = getattr(node, "name", path.stem)
                    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
                    yield pytest.param(module, found, id=f"{module}.{name}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of tracks under the name that the examples use, and a corpus made of it."""
    from djgraph.data import make_corpus

    root = tmp_path_factory.mktemp("docstrings")
    for number in range(2):
        track = root / "musdb18hq" / "train" / f"track {number}"
        track.mkdir(parents=True)
        for place, stem in enumerate(STEMS):
            noise = np.random.default_rng([number, place]).standard_normal((44100 * 11, 2))
            soundfile.write(track / f"{stem}.wav", 0.05 * noise, 44100)
    make_corpus(root / "corpus", tracks=root / "musdb18hq" / "train", count=1, seconds=0.5, workers=1)
    return root


@pytest.fixture(scope="module")
def granted() -> dict[str, Any]:
    mixer = djgraph.compile("dj_mixer")
    track = {stem: 0.1 * torch.randn(1, 2, 4000) for stem in STEMS}
    return {
        "djgraph": djgraph,
        "torch": torch,
        "mixer": mixer,
        "track_a": track,
        "track_b": track,
        "inputs": {"track_a": track, "track_b": track},
        "params": mixer.layout.pack(),
        "features": torch.randn(1, 4, 256),
        "mixed": torch.randn(1, 2, 4000),
        "target": torch.randn(1, 2, 4000),
    }


EXAMPLES = list(examples())


@pytest.mark.slow
@pytest.mark.parametrize(("module", "lines"), EXAMPLES)
def test_the_example_runs(
    module: str, lines: Any, folder: Path, granted: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    namespace = vars(__import__(module, fromlist=["_"])) | granted
    for line in lines:
        written = io.StringIO()
        with redirect_stdout(written):
            exec(compile(line.source, f"<{module}>", "single"), namespace)
        if line.want:
            assert written.getvalue() == line.want


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 9


@pytest.mark.slow
def test_an_item_of_a_corpus_is_no_batch(folder: Path, granted: dict[str, Any]) -> None:
    """The fault of the example that was here before: stereo stems without a batch sounded as two mono clips."""
    mixer = granted["mixer"]
    corpus = djgraph.data.Corpus(folder / "corpus", layout=mixer.layout)
    item = corpus[0]
    with pytest.raises(InputError, match="may be one stereo clip"):
        mixer(item["inputs"], item["params"], tempo=item["tempo"])
    batch = next(iter(torch.utils.data.DataLoader(corpus, batch_size=1)))
    again = mixer(batch["inputs"], batch["params"], tempo=batch["tempo"])
    assert (again[0] - item["mix"]).abs().max() < 1e-3
