"""Corpora, tracks' metadata and manifests that are damaged, foreign or meant ill: a sentence, and no more memory."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Subset

from djgraph.data import Corpus, StemPairs, check_corpus, find_tracks, make_corpus, store
from djgraph.data.faults import label_faults
from djgraph.errors import AudioFileError, CorpusError, DJGraphError, InputError
from djgraph.layout import ParameterLayout

from .conftest import tree, write_track
from .test_corpus import SMALL, make


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole")
    write_track(root / "library" / "one", seed=1, tempo=120)
    write_track(root / "library" / "two", seed=2)
    make(root / "copy", root / "library", count=2)
    make(root / "reference", root / "library", count=2, stems="reference")
    return root


@pytest.fixture
def corpus(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "w")
    return tmp_path / "w" / "copy"


def changed(path: Path, change: Callable[[Any], object]) -> None:
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def put(*way: Any) -> Callable[[Any], object]:
    """Sets a value: ``put("a", 0, value)`` is ``data["a"][0] = value``."""
    *keys, last, value = way

    def change(data: Any) -> None:
        for key in keys:
            data = data[key]
        data[last] = value

    return change


def drop(key: str) -> Callable[[Any], object]:
    return lambda data: data.pop(key)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("count", 1_000_000_000), "from 1 to 1 000 000"),
        (put("count", 0), "from 1 to"),
        (put("count", "6"), "expected a whole number"),
        (put("count", True), "expected a whole number"),
        (put("count", 2.0), "expected a whole number"),
        (put("settings", "shard_size", 0), "shard_size is 0"),
        (put("settings", "shard_size", None), "expected a whole number"),
        (put("settings", "seed", -1), "seed is -1"),
        (put("settings", "seconds", 1e9), "seconds is 1000000000.0"),
        (put("settings", "recipes", 3), "expected a list"),
        (put("settings", "shards", 3), "unknown key 'shards'"),
        (put("settings", []), "expected a mapping"),
        (drop("tracks"), "missing key 'tracks'"),
        (put("tracks", []), "0 tracks for 2 inputs"),
        (put("tracks", 0, "folder", "a\0b"), "expected a path"),
        (put("tracks", 0, "folder", "n" * 300), "expected a path"),
        (put("tracks", 0, "tempo", 10**30), "beats a minute"),
        (put("tracks", 0, "beats", [None]), "expected a number"),
        (put("tracks", 0, "parts", []), "expected a mapping"),
        (put("graph", "../library/one/track.json"), "expected a file"),
        (put("sample_rate", 0), "from 1 to"),
        (put("inputs", "left", "drums", 10**9), "from 1 to"),
        (put("layout", "columns", 0, "control", "min", None), "min is None"),
        (put("layout", {}), "no parameter layout"),
        (put("djgraph_corpus", 2), "version 2"),
        (put("djgraph_corpus", []), "version"),
    ],
)
@pytest.mark.parametrize("use", [Corpus, check_corpus, make_corpus])
def test_corpus_json(corpus: Path, change: Any, words: str, use: Callable[[Path], Any]) -> None:
    changed(corpus / "corpus.json", change)
    with pytest.raises(CorpusError, match=r"corpus\.json") as caught:
        use(corpus)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[" * 100_000, '{"count": NaN}', "9" * 5000, "\0", '{"a":1,"a":2}']
)
def test_corpus_json_that_is_none(corpus: Path, text: str) -> None:
    (corpus / "corpus.json").write_text(text)
    with pytest.raises(CorpusError, match=r"corpus\.json.*is damaged(.|\n)*new folder"):
        Corpus(corpus)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("index", 1), "holds item 1"),
        (put("index", "0"), "expected a whole number"),
        (put("mix_gain", 0), "mix_gain"),
        (put("mix_gain", "x"), "expected a number"),
        (put("tempo", -1), "beats a minute"),
        (put("tempo", None), "expected a number"),
        (put("inputs", "left", "start", -5), "from 0 to"),
        (put("inputs", "left", "start", 10**30), "from 0 to"),
        (put("inputs", "left", 3), "expected a mapping"),
        (put("files", {}), "has no mix.flac"),
        (put("files", "../../corpus.json", {"bytes": 1, "sha256": ""}), "below this folder"),
        (put("files", "/etc/passwd", {"bytes": 1, "sha256": ""}), "below this folder"),
        (put("files", "mix.flac", {"bytes": "many", "sha256": ""}), "expected a whole number"),
        (drop("args"), "missing key 'args'"),
    ],
)
def test_item_json(corpus: Path, change: Any, words: str) -> None:
    changed(corpus / "shard-00000" / "00000000" / "item.json", change)
    with pytest.raises(CorpusError, match="dataset check") as caught:
        Corpus(corpus)[0]
    assert words in str(caught.value)
    count, wrong = check_corpus(corpus)
    assert (count, list(wrong)) == (2, [0])
    assert words in wrong[0]
    assert make_corpus(corpus, workers=1).made == 1
    assert check_corpus(corpus) == (2, {})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("inputs", "left", "track", "none"), "none"),
        (lambda item: item["inputs"].pop("left"), "'left'"),
    ],
)
def test_items_of_tracks_that_are_not_there(whole: Path, tmp_path: Path, change: Any, words: str) -> None:
    shutil.copytree(whole, tmp_path / "w")
    root = tmp_path / "w" / "reference"
    changed(root / "shard-00000" / "00000001" / "item.json", change)
    with pytest.raises(CorpusError, match=words):
        Corpus(root)[1]
    assert words in check_corpus(root)[1][1]


def test_a_wrong_count_costs_nothing(corpus: Path) -> None:
    """At the limit: one line for all that is missing, and nobody looks for a million folders."""
    changed(corpus / "corpus.json", put("count", 1_000_000))
    count, wrong = check_corpus(corpus)
    assert (count, len(wrong)) == (1_000_000, 999_998)
    assert len(set(wrong.values())) == 1
    assert "items 2 to 999999 are missing" in wrong[500_000]
    assert len(Corpus(corpus, partial=True)) == 2
    with pytest.raises(CorpusError, match="2 of 1000000 items"):
        Corpus(corpus)
    with pytest.raises(InputError, match="from 1 to 1000000"):
        make_corpus(corpus, count=1_000_000_000)


@pytest.mark.parametrize(
    "line",
    ['{"index": 0}', "{", "[]", "3", '{"index": "a"}', '{"index": [1]}', "[" * 9999, '{"index": 1e400}'],
)
def test_manifest(corpus: Path, line: str) -> None:
    """Whatever it holds, the items are looked up on disk."""
    with open(corpus / "manifest.jsonl", "a") as file:
        file.write(line + "\n")
    if line != '{"index": 0}':
        assert store.listed_numbers(corpus) == []
    assert len(Corpus(corpus)) == 2


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((6, 4), np.float64), "float64"),
        (np.zeros((6, 5), np.float32), "expected [6, 4]"),
        (np.zeros((6, 4), ">f4"), ">f4"),
        (np.full((6, 4), np.nan, np.float32), "not finite"),
        (np.array([{}], dtype=object), "real numbers"),
    ],
)
def test_params_that_are_none(corpus: Path, array: Any, words: str) -> None:
    folder = corpus / "shard-00000" / "00000000"
    np.save(folder / "params.npy", array, allow_pickle=True)
    record = json.loads((folder / "item.json").read_text())
    record.pop("files")
    (folder / "item.json").unlink()
    store.write_record(folder, record)  # with sums that agree
    with pytest.raises(CorpusError) as caught:
        Corpus(corpus)[0]
    assert words in str(caught.value)
    assert words in check_corpus(corpus)[1][0]


def test_params_in_fortran_order_are_the_same(corpus: Path) -> None:
    folder = corpus / "shard-00000" / "00000000"
    params = np.load(folder / "params.npy")
    np.save(folder / "params.npy", np.asfortranarray(params))
    assert torch.equal(Corpus(corpus)[0]["params"], torch.from_numpy(params))


# ── track.json ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "tempo", "beats", "info"),
    [
        ('{"tempo": null, "beats": null}', None, (), {}),
        ('{"tempo": NaN, "beats": NaN}', None, (), {}),
        ('{"loudness": -Infinity, "x": [NaN]}', None, (), {"loudness": None, "x": [None]}),
        ('{"title": "\\ud83d!", "tempo": 120}', 120.0, (), {"title": "\ufffd!"}),
        ('\ufeff{"beats": [0, 0.5], "title": "\\ud83d\\ude00"}', None, (0.0, 0.5), {"title": "😀"}),
    ],
)
def test_track_json_of_other_programs(
    tmp_path: Path, text: str, tempo: float | None, beats: tuple[float, ...], info: dict[str, Any]
) -> None:
    for name in ("one", "two"):
        write_track(tmp_path / "t" / name)
        (tmp_path / "t" / name / "track.json").write_text(text)
    (track, _) = find_tracks(tmp_path / "t", ("drums", "bass"))
    assert (track.tempo, track.beats, track.info) == (tempo, beats, info)
    make(tmp_path / "c", tmp_path / "t", count=1)
    text = (tmp_path / "c" / "corpus.json").read_text()
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert Corpus(tmp_path / "c").description.tracks[0].info == info
    assert check_corpus(tmp_path / "c") == (1, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"tempo": 1' + "0" * 400 + "}", "401 digits"),
        ('{"tempo": 1e400}', "too large"),
        ('{"tempo": 1e300}', "below 1000"),
        ('{"tempo": [120.0]}', "tempo is [120.0]"),
        ('{"beats": [0, null]}', "list of seconds"),
        ('{"beats": [0, [1]]}', "list of seconds"),
        ('{"beats": [0, 1' + "0" * 39 + "0]}", "41 digits"),
        ('{"x": ' + "[" * 5000 + "]" * 5000 + "}", "nested"),
        ('{"tempo": 120, "tempo": 121}', "given twice"),
        ('"tempo"', "expected a mapping"),
    ],
)
def test_track_json_that_makes_no_sense(tmp_path: Path, text: str, words: str) -> None:
    write_track(tmp_path / "t")
    (tmp_path / "t" / "track.json").write_text(text)
    with pytest.raises(AudioFileError, match=r"track\.json:1:\d+: ") as caught:
        find_tracks(tmp_path / "t", ("drums", "bass"))
    assert words in str(caught.value)


# ── What check sees ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stems", ["copy", "reference"])
def test_check_notices_tracks_that_are_cut_short(whole: Path, tmp_path: Path, stems: str) -> None:
    """A FLAC cut to half, of which the header still promises all."""
    shutil.copytree(whole, tmp_path / "w")
    library = tmp_path / "w" / "library"
    root = tmp_path / "made"
    write_track(library / "one", seed=1, suffix=".flac")
    for stem in ("drums", "bass"):
        (library / "one" / f"{stem}.wav").unlink()
    make(root, library, count=2, stems=stems)
    assert check_corpus(root) == (2, {})
    drums = library / "one" / "drums.flac"
    os.truncate(drums, drums.stat().st_size // 2)
    wrong = check_corpus(root)[1]
    assert sorted(wrong) == [0, 1]
    for text in wrong.values():
        assert "plays the track 'one'" in text
        assert "drums.flac" in text
        assert "new folder" in text
    shutil.rmtree(library / "one")
    if stems == "copy":
        assert check_corpus(root) == (2, {})
    else:
        assert "does not exist" in check_corpus(root)[1][0]


def test_false_labels_are_found() -> None:
    """Against values that are listed by hand."""
    from fake_layouts import column

    layout = ParameterLayout(
        [
            column("a.free", 0, 1, neutral=0),
            column("a.once", 0, 1, neutral=0, rate="clip"),
            column("a.mode", 0, 2, neutral=0, choices=(0.0, 1.0, 2.0)),
            column("a.step", 0, 1, neutral=0, step=0.25),
        ]
    )
    good = torch.tensor([[0.1, 0.3, 0.0, 0.25], [0.7, 0.3, 2.0, 0.5], [1.0, 0.3, 1.0, 1.0]])
    assert label_faults(layout, good) == []
    for name, value, words in (
        ("a.once", 0.4, "once a clip"),
        ("a.mode", 0.5, "may take"),
        ("a.step", 0.3, "may take"),
    ):
        bad = good.clone()
        bad[1, layout.index(name)] = value
        (fault,) = label_faults(layout, bad)
        assert words in fault
        assert name in fault
    bad = good.clone()
    bad[1, 0] = 1.5
    assert "range is 0 … 1" in label_faults(layout, bad)[0]


def test_corpora_of_before_are_told_what_to_do(corpus: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        changed(corpus / "corpus.json", drop("made_with"))
        Corpus(corpus)  # all of its controls are faders
        changed(corpus / "corpus.json", put("made_with", "0.2"))
        changed(corpus / "corpus.json", put("layout", "columns", 0, "control", "rate", "clip"))
        changed(corpus / "corpus.json", put("layout", "columns", 0, "control", "smoothing", 0.0))
        Corpus(corpus)
    changed(corpus / "corpus.json", drop("made_with"))
    with pytest.warns(UserWarning, match=r"made by djgraph 0\.1(.|\n)*dataset check(.|\n)*new folder"):
        Corpus(corpus)


def test_a_read_only_corpus_is_checked(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the system answers; tests may run as root, who may write anywhere."""
    (corpus / "manifest.jsonl").unlink()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK and access(path, mode))
    assert check_corpus(corpus) == (2, {})
    assert not (corpus / "manifest.jsonl").exists()


# ── What a process has set ──────────────────────────────────────────────────────────────────────────────────────


def test_the_default_type_changes_no_byte(whole: Path, tmp_path: Path) -> None:
    make(tmp_path / "a", whole / "library", count=3)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            make(tmp_path / "b", whole / "library", count=3)
        pairs = StemPairs(whole / "library", seconds=0.5, sample_rate=8000, stems=("drums", "bass"), length=2)
        assert pairs[0]["inputs"]["track_a"]["drums"].dtype == torch.float32
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_numpy_numbers(whole: Path, tmp_path: Path) -> None:
    n, f = np.int64, np.float64
    make(tmp_path / "a", whole / "library", count=2, seed=3, seconds=0.25)
    given = {**SMALL, "seconds": f(0.25), "frames_per_second": n(20), "workers": n(1)}
    arguments = {"count": n(2), "seed": np.uint32(3), "curves": np.float32(0.5), "shard_size": n(1000)}
    make_corpus(tmp_path / "b", tracks=whole / "library", align=np.str_("none"), **{**given, **arguments})
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    stems = ("drums", "bass")
    pairs = StemPairs(whole / "library", f(0.5), n(8000), channels=n(2), length=n(8), seed=n(1), stems=stems)
    pairs.set_epoch(n(2))
    plain = StemPairs(whole / "library", 0.5, 8000, length=8, seed=1, stems=stems)
    plain.set_epoch(2)
    batch = next(iter(DataLoader(Subset(pairs, np.arange(4)), batch_size=4)))  # type: ignore[arg-type]
    for i in range(4):
        assert torch.equal(batch["inputs"]["track_a"]["drums"][i], plain[i]["inputs"]["track_a"]["drums"])
    corpus = Corpus(tmp_path / "a")
    assert torch.equal(corpus[n(1)]["mix"], corpus[1]["mix"])
    for wrong in (True, np.bool_(True), 1.0, "1"):
        with pytest.raises(InputError, match="whole number"):
            pairs[wrong]  # type: ignore[index]


@pytest.mark.parametrize("recipes", ["cut", 3, b"cut", [3], [None]])
def test_recipes_are_a_list(whole: Path, recipes: Any) -> None:
    with pytest.raises(InputError, match="transition"):
        make_corpus(whole / "copy", recipes=recipes)


def test_no_shared_memory_left(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise RuntimeError("unable to allocate shared memory(shm)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", full)
    with pytest.raises(DJGraphError, match="/dev/shm is full"):
        StemPairs(whole / "library", 0.5, 8000, stems=("drums", "bass"))

    def no_pool(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("djgraph.jobs.processes.ProcessPoolExecutor", no_pool)
    with pytest.raises(DJGraphError, match=r"No space left on device(.|\n)*workers=1"):
        make_corpus(whole / "copy", count=4, workers=2)
