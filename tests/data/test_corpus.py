"""A corpus: what is written, that it does not depend on how it was made, and reading it back."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from effort import few
from torch.utils.data import DataLoader
from two_decks import GRAPH, RATE

import djgraph
from djgraph.audio import STEMS, load_stems
from djgraph.data import Corpus, Made, check_corpus, make_corpus, store
from djgraph.errors import AudioFileError, CorpusError, InputError, LayoutError

from .conftest import tree, write_track

SMALL = {"graph": GRAPH, "seconds": 0.25, "frames_per_second": 20, "workers": 1}


def make(root: Path, library: Path, count: int = 6, **options: Any) -> Made:
    return make_corpus(root, tracks=library, count=count, **{**SMALL, **options})


def ramp(values: np.ndarray, samples: int) -> np.ndarray:
    """Frames spread over the clip, straight lines between."""
    return np.interp(np.arange(samples) * (len(values) - 1) / (samples - 1), np.arange(len(values)), values)


@pytest.mark.parametrize("stems", few(["copy", "reference"], 1))
def test_items_are_what_they_say(tmp_path: Path, library: Path, stems: str) -> None:
    make(tmp_path / "corpus", library, stems=stems, count=8)
    corpus = Corpus(tmp_path / "corpus")
    assert len(corpus) == 8
    names = corpus.layout.names
    kinds = set()
    for position, item in enumerate(corpus):
        assert item["index"] == position
        kinds.add(item["kind"])
        assert item["params"].shape == (6, 4)
        mix = np.zeros((2, RATE // 4))
        for deck in ("left", "right"):
            start = round(item["start"][deck] * RATE)
            whole = load_stems(library / item["track"][deck], ("drums", "bass"), RATE)
            for stem in ("drums", "bass"):
                cut = whole[stem][:, start : start + RATE // 4]
                torch.testing.assert_close(item["inputs"][deck][stem], cut, atol=2**-22, rtol=0)
                gain = item["params"][:, names.index(f"{deck}.{stem}.gain")].double().numpy()
                mix += cut.double().numpy() * ramp(gain, RATE // 4)
        # Between the frames, where gains have their corners rounded over some milliseconds.
        away = np.abs(np.arange(RATE // 4) % 399.8 - 199.9) < 150
        np.testing.assert_allclose(item["mix"][:, away], mix[:, away], atol=1e-5)
        tempo = {"one": 120.0, "album/two": 126.5}
        known = [tempo[name] for name in item["track"].values() if name in tempo]
        assert item["tempo"] == known[0]
        assert item["track"]["left"] != item["track"]["right"]
    assert kinds == {"curves", "recipe"}
    assert (tmp_path / "corpus" / "shard-00000" / "00000003" / "stems").exists() == (stems == "copy")


def test_a_mix_that_would_clip_is_brought_down_and_read_back_as_it_was(tmp_path: Path) -> None:
    for i in range(2):
        write_track(tmp_path / "loud" / str(i), seed=i, level=0.9)
    make(tmp_path / "corpus", tmp_path / "loud", curves=0.0, recipes=["linear"])
    corpus = Corpus(tmp_path / "corpus")
    gains = [corpus.record(i)["mix_gain"] for i in range(6)]
    assert max(gains) < 1
    for i, item in enumerate(corpus):
        on_disk, _ = soundfile.read(tmp_path / "corpus" / f"shard-00000/{i:08d}/mix.flac")
        assert np.abs(on_disk).max() == pytest.approx(0.99, abs=1e-4)
        np.testing.assert_allclose(item["mix"], on_disk.T / gains[i], atol=1e-5)


def test_stems_beyond_full_scale_are_not_clipped(tmp_path: Path) -> None:
    for i in range(2):
        folder = tmp_path / "hot" / str(i)
        folder.mkdir(parents=True)
        for stem in ("drums", "bass"):
            soundfile.write(folder / f"{stem}.wav", np.full((RATE, 2), 1.5), RATE, subtype="FLOAT")
    make(tmp_path / "corpus", tmp_path / "hot", count=1)
    assert float(Corpus(tmp_path / "corpus")[0]["inputs"]["left"]["drums"].max()) == 1.5


@pytest.mark.slow
def test_silence(tmp_path: Path) -> None:
    for i in range(2):
        write_track(tmp_path / "silent" / str(i), level=0.0)
    make(tmp_path / "corpus", tmp_path / "silent", count=2)
    assert not Corpus(tmp_path / "corpus")[1]["mix"].any()


def test_batches(tmp_path: Path, library: Path) -> None:
    make(tmp_path / "corpus", library, count=4)
    mixer = djgraph.compile(GRAPH)
    corpus = Corpus(tmp_path / "corpus", layout=mixer.layout)
    for workers in (0, 2):
        (batch,) = DataLoader(corpus, batch_size=4, num_workers=workers)
        mixed = mixer(batch["inputs"], batch["params"], tempo=batch["tempo"])
        torch.testing.assert_close(mixed, batch["mix"], atol=1e-5, rtol=0)
    bare = Corpus(tmp_path / "corpus", audio=False)[2]
    assert "inputs" not in bare
    assert torch.equal(bare["params"], corpus[2]["params"])
    with pytest.raises(IndexError):
        corpus[4]
    assert corpus[-1]["index"] == 3


@pytest.mark.slow
def test_workers_shards_and_growth_do_not_change_items(tmp_path: Path, library: Path) -> None:
    make(tmp_path / "one", library, count=7, shard_size=3)
    made = make(tmp_path / "two", library, count=7, shard_size=3, workers=2)
    assert (made.made, made.kept, made.remade) == (7, 0, ())
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    shards = sorted(path.name for path in (tmp_path / "one").glob("shard-*"))
    assert shards == ["shard-00000", "shard-00001", "shard-00002"]
    make(tmp_path / "grown", library, count=2, shard_size=3)
    grown = make_corpus(tmp_path / "grown", count=7, workers=1)
    assert (grown.made, grown.kept) == (5, 2)
    assert tree(tmp_path / "grown") == tree(tmp_path / "one")
    other = make(tmp_path / "other", library, count=1, seed=1)
    assert other.made == 1
    assert not torch.equal(Corpus(tmp_path / "other")[0]["mix"], Corpus(tmp_path / "one")[0]["mix"])


def test_threads_are_given_back(tmp_path: Path, library: Path) -> None:
    torch.set_num_threads(2)
    try:
        make(tmp_path / "corpus", library, count=1)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


def test_an_error_or_interrupt_keeps_whole_items_only(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "whole", library)
    from djgraph.data import store

    write, calls = store.write_record, []

    def fail(folder: Path, record: Any) -> None:
        calls.append(folder)
        if len(calls) == 4:
            raise KeyboardInterrupt
        write(folder, record)

    monkeypatch.setattr(store, "write_record", fail)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "corpus", library)
    monkeypatch.undo()
    folders = sorted(path.name for path in (tmp_path / "corpus" / "shard-00000").iterdir())
    assert folders == ["00000000", "00000001", "00000002"]
    assert len((tmp_path / "corpus" / "manifest.jsonl").read_text().splitlines()) == 3
    with pytest.raises(CorpusError, match=r"half written: 3 of 6 items are there\n.*dataset make"):
        Corpus(tmp_path / "corpus")
    assert len(Corpus(tmp_path / "corpus", partial=True)) == 3
    assert make_corpus(tmp_path / "corpus", workers=1).made == 3
    assert tree(tmp_path / "corpus") == tree(tmp_path / "whole")


def test_damage_is_found_and_mended(tmp_path: Path, library: Path) -> None:
    make(tmp_path / "whole", library)
    root = tmp_path / "corpus"
    make(root, library)
    assert check_corpus(root) == (6, {})
    shard = root / "shard-00000"
    (shard / "00000000" / "mix.flac").write_bytes(b"short")
    flipped = bytearray((shard / "00000001" / "params.npy").read_bytes())
    flipped[-1] ^= 1
    (shard / "00000001" / "params.npy").write_bytes(flipped)
    (shard / "00000002" / "item.json").write_text("{")
    shutil.rmtree(shard / "00000003")
    (shard / "00000004" / "stems" / "left" / "drums.flac").unlink()
    (shard / ".00000005.abcd.part").mkdir()
    (shard / ".00000005.abcd.part" / "mix.flac").write_bytes(b"x")
    count, wrong = check_corpus(root)
    assert count == 6
    assert list(wrong) == [0, 1, 2, 3, 4]
    for words, text in zip(("5 bytes", "checksum", "is damaged", "is missing", "is missing"), wrong.values()):
        assert words in text
    with pytest.raises(CorpusError, match="half written"):
        Corpus(root)
    with pytest.raises(CorpusError, match="item 0 cannot be read"):
        Corpus(root, partial=True)[0]
    made = make_corpus(root, workers=1)  # sizes only: the flipped bit is not seen
    assert (made.made, len(made.remade)) == (4, 3)
    assert list(check_corpus(root)[1]) == [1]
    assert make_corpus(root, workers=1, verify=True).made == 1
    assert tree(root) == tree(tmp_path / "whole")
    (root / "manifest.jsonl").write_text("nonsense\n")
    assert len(Corpus(root)) == 6  # looked up on disk
    make_corpus(root, workers=1)
    assert tree(root) == tree(tmp_path / "whole")


def test_other_settings_are_refused(tmp_path: Path, library: Path) -> None:
    root = tmp_path / "corpus"
    make(root, library)
    before = tree(root)
    other = {
        **GRAPH,
        "mixer": [
            *GRAPH["mixer"],
            {"strip": "extra", "input": "left.drums", "chain": ["gain"], "to": "master"},
        ],
    }
    cases: list[tuple[dict[str, Any], str]] = [
        ({"seed": 3}, "seed: 0 → 3"),
        ({"seconds": 0.5}, r"seconds: 0\.25 → 0\.5"),
        ({"recipes": ["linear"]}, "recipes: .*linear.* → linear"),
        ({"stems": "reference"}, "stems: copy → reference"),
        ({"count": 3}, r"count: 6 → 3 \(it may only grow\)"),
        ({"graph": other}, r"graph: another document\n\s+added: extra\.gain"),
        ({"args": {"x": 1}}, "args"),
        ({"demo": True}, "the demo's"),
    ]
    for options, words in cases:
        with pytest.raises((CorpusError, InputError), match=words):
            make_corpus(root, **{"workers": 1, **options})
    write_track(library / "four", seed=4)
    with pytest.raises(CorpusError, match="tracks: 3 → 4"):
        make(root, library)
    assert tree(root) == before
    assert make_corpus(root, seed=0, seconds=0.25, count=6, graph=GRAPH, workers=1).made == 0


def test_tracks_that_are_given_again_are_as_the_corpus_knows_them(tmp_path: Path, library: Path) -> None:
    """Whatever their files have become since: items that come later are those that would have come then."""
    make(tmp_path / "corpus", library, count=2)
    shutil.copytree(tmp_path / "corpus", tmp_path / "without")
    for folder in ("one", "album/two"):
        (library / folder / "track.json").write_text('{"tempo": 99}')
    make(tmp_path / "corpus", library, count=4)
    make_corpus(tmp_path / "without", count=4, workers=1)
    assert tree(tmp_path / "corpus") == tree(tmp_path / "without")


def test_a_lost_track_stops_a_corpus_before_it_goes_on(tmp_path: Path, library: Path) -> None:
    root = tmp_path / "corpus"
    make(root, library, count=1)
    (library / "one" / "bass.wav").unlink()
    with pytest.raises(CorpusError, match=r"bass\.wav is gone, a stem of the track 'one'"):
        make_corpus(root, count=3, workers=1)


def test_bad_settings_leave_nothing_behind(tmp_path: Path, library: Path) -> None:
    root = tmp_path / "corpus"
    cases: list[dict[str, Any]] = [
        {"seed": -1},
        {"seed": True},
        {"seconds": 0},
        {"seconds": "x"},
        {"frames_per_second": 0},
        {"curves": 1.5},
        {"stems": "move"},
        {"align": "bar"},
        {"short": "cut"},
        {"shard_size": 0},
        {"count": 0},
        {"workers": 0},
        {"recipes": ["lineal"]},
        {"demo": True},
        {"colour": "red"},
    ]
    for options in cases:
        with pytest.raises(InputError):
            make(root, library, **options)
        assert not root.exists(), options
    with pytest.raises(AudioFileError, match="shorter than an excerpt of 9 s"):
        make(root, library, seconds=9)
    with pytest.raises(AudioFileError, match="does not exist"):
        make(root, tmp_path / "none")
    with pytest.raises(InputError, match="what is to be mixed"):
        make_corpus(root)
    with pytest.raises(InputError, match="did you mean 'seconds'"):
        make(root, library, secnds=3)
    assert not root.exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(CorpusError, match=r"neither empty nor a corpus: it has thesis\.txt"):
        make(tmp_path / "mine", library)
    with pytest.raises(CorpusError, match="is a file"):
        make(tmp_path / "mine" / "thesis.txt", library)


def test_what_takes_an_items_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker's item is as good; a disk that fails is no other worker."""
    folder = tmp_path / "00000000"
    with store.new_item(folder) as part:
        (part / store.ITEM).write_text("one")

    def fails(code: int) -> None:
        def rename(source: Path, target: Path) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(store.os, "rename", rename)
        with store.new_item(folder) as part:
            (part / store.ITEM).write_text("two")

    fails(errno.ENOTEMPTY)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        fails(errno.EIO)
    assert tree(tmp_path) == {"00000000/item.json": b"one"}


def test_two_at_once(tmp_path: Path, library: Path) -> None:
    pytest.importorskip("fcntl")
    from djgraph.data.store import locked

    make(tmp_path / "corpus", library, count=1)
    with locked(tmp_path / "corpus"), pytest.raises(CorpusError, match="by another process right now"):
        make_corpus(tmp_path / "corpus", workers=1)


def test_another_layout(tmp_path: Path, library: Path) -> None:
    make(tmp_path / "corpus", library, count=2)
    document = json.loads(json.dumps(GRAPH))
    document["mixer"][0]["do"][0]["do"][0]["chain"].append("lowpass")
    newer = djgraph.ParameterLayout.from_graph(djgraph.load(document))
    with pytest.raises(
        LayoutError, match=r"(?s)another parameter layout.*added: left\.drums\.lowpass\.cutoff.*remap=True"
    ):
        Corpus(tmp_path / "corpus", layout=newer)
    plain = Corpus(tmp_path / "corpus")
    moved = Corpus(tmp_path / "corpus", layout=newer, remap=True)
    params = moved[0]["params"]
    assert params.shape == (6, 8)
    assert torch.equal(params[:, newer.select("**.gain")], plain[0]["params"])
    filters = newer.select("**.cutoff")
    assert torch.equal(params[:, filters], newer.default[filters].expand(6, 4))


def test_references_that_have_moved(tmp_path: Path, library: Path) -> None:
    make(tmp_path / "a" / "corpus", library, count=2, stems="reference")
    expected = Corpus(tmp_path / "a" / "corpus")[0]["inputs"]
    library.rename(tmp_path / "elsewhere")
    with pytest.raises(CorpusError, match=r"(?s)item 0 cannot be read.*does not exist"):
        Corpus(tmp_path / "a" / "corpus")[0]
    found = Corpus(tmp_path / "a" / "corpus", tracks=tmp_path / "elsewhere")[0]["inputs"]
    assert all(torch.equal(found[d][s], expected[d][s]) for d in expected for s in expected[d])
    shutil.rmtree(tmp_path / "elsewhere" / "one")
    with pytest.raises(CorpusError, match="lacks the track 'one'"):
        Corpus(tmp_path / "a" / "corpus", tracks=tmp_path / "elsewhere")
    # Both moved together: references are relative.
    (tmp_path / "b").mkdir()
    make(tmp_path / "b" / "corpus", tmp_path / "elsewhere", count=2, stems="reference")
    expected = Corpus(tmp_path / "b" / "corpus")[0]["inputs"]
    (tmp_path / "c").mkdir()
    for name in ("b", "elsewhere"):
        (tmp_path / name).rename(tmp_path / "c" / name)
    found = Corpus(tmp_path / "c" / "b" / "corpus")[0]["inputs"]
    assert all(torch.equal(found[d][s], expected[d][s]) for d in expected for s in expected[d])


def test_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="does not exist"):
        Corpus(tmp_path / "none")
    with pytest.raises(CorpusError, match=r"no corpus: it has no corpus\.json"):
        Corpus(tmp_path)
    for text in ("{", "[]", "{}", '{"djgraph_corpus": 99}', '{"djgraph_corpus": 1, "count": 2}'):
        (tmp_path / "corpus.json").write_text(text)
        with pytest.raises(CorpusError, match=r"is damaged|version"):
            Corpus(tmp_path)


@pytest.mark.parametrize("graph", few(["djtransgan", "club_console"], 1))
def test_inputs_without_stems(tmp_path: Path, graph: str) -> None:
    for i in range(2):
        write_track(tmp_path / "in" / str(i), seed=i, rate=44100, seconds=0.6, stems=STEMS)
    make_corpus(tmp_path / "corpus", tracks=tmp_path / "in", graph=graph, count=2, seconds=0.25, workers=1)
    mixer = djgraph.compile(graph, outputs="master")
    corpus = Corpus(tmp_path / "corpus", layout=mixer.layout)
    (batch,) = DataLoader(corpus, batch_size=2)
    assert len(batch["inputs"]) == 2
    for name, audio in batch["inputs"].items():
        whole = load_stems(tmp_path / "in" / batch["track"][name][0])
        start = round(float(batch["start"][name][0]) * 44100)
        cut = torch.stack(list(whole.values())).sum(0)[:, start : start + 11025]
        torch.testing.assert_close(audio[0], cut, atol=1e-5, rtol=0)
    mixed = mixer(batch["inputs"], batch["params"], tempo=batch["tempo"])
    torch.testing.assert_close(mixed, batch["mix"], atol=1e-4, rtol=0)


@pytest.mark.slow
def test_demo(tmp_path: Path) -> None:
    graph = {**GRAPH, "inputs": [{"name": name, "stems": ["drums", "bass"]} for name in ("left", "right")]}
    make_corpus(
        tmp_path / "corpus",
        demo=True,
        graph=graph,
        count=2,
        seconds=0.5,
        stems="reference",
        workers=1,
        align="beat",
    )
    corpus = Corpus(tmp_path / "corpus")
    beats = {"track_a": 0.5, "track_b": 60 / 126}
    for item in corpus:
        for deck, name in item["track"].items():
            beat = item["start"][deck] / beats[name]
            assert beat == pytest.approx(round(beat), abs=1e-3)
        assert item["tempo"] in (120, 126)
    before = tree(tmp_path / "corpus")
    (tmp_path / "corpus" / "tracks" / "track_a" / "track.json").unlink()  # as a kill while they are written
    assert make_corpus(tmp_path / "corpus", workers=1).made == 0
    assert tree(tmp_path / "corpus") == before


def test_a_machine_that_does_not_see_the_corpus(tmp_path: Path) -> None:
    from djgraph.data import store
    from djgraph.data.items import make_items
    from djgraph.storage import announced, open_storage

    with announced(open_storage(tmp_path, CorpusError), True) as token:
        for place in (tmp_path / "other", tmp_path):
            # What sees it goes on to the description, which is none here.
            error, words = (CorpusError, "does not see") if place != tmp_path else (AttributeError, "None")
            with pytest.raises(error, match=words):
                make_items(place, None, token)  # type: ignore[arg-type]
        store.sweep(tmp_path)  # as after a kill
        assert not list(tmp_path.iterdir())
