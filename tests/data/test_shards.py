"""Corpora in shards: the bytes that they hold, half of them written, damaged, meant ill; in folders and behind URLs."""

from __future__ import annotations

import io
import itertools
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from effort import few
from torch.utils.data import DataLoader
from two_decks import GRAPH

from djgraph.data import Corpus, CorpusStream, check_corpus, make_corpus, shard_corpus
from djgraph.data.shards import place
from djgraph.errors import CorpusError, InputError, LayoutError
from djgraph.jobs import Here

from .conftest import tree, write_track

COUNT = 7
SIZE = 3
PACKINGS = few(["tar", "parquet"], 1)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("library")
    for i in range(3):
        write_track(root / str(i), seed=i, seconds=1.0)
    return root


@pytest.fixture(scope="module")
def folders(library: Path) -> Path:
    """A corpus in folders."""
    root = library.parent / "folders"
    if not root.exists():
        make_corpus(root, tracks=library, graph=GRAPH, seconds=0.25, count=COUNT, workers=1)
    return root


@pytest.fixture(params=PACKINGS)
def packing(request: pytest.FixtureRequest) -> str:
    if request.param == "parquet":
        pytest.importorskip("pyarrow")
    return str(request.param)


@pytest.fixture
def memory() -> Iterator[str]:
    """A place of fsspec's in memory, emptied."""
    fs = pytest.importorskip("fsspec").filesystem("memory")
    fs.store.clear()
    yield "memory://bucket/corpus"
    fs.store.clear()


def pack(folders: Path, out: Any, packing: str = "tar", **options: Any) -> Any:
    return shard_corpus(folders, out, shards=packing, shard_size=SIZE, workers=1, **options)


def make(library: Path, out: Any, packing: str | None = "tar", **options: Any) -> Any:
    options = {"graph": GRAPH, "seconds": 0.25, "count": COUNT, "shard_size": SIZE, "workers": 1} | options
    return make_corpus(out, tracks=library, shards=packing, **options)


def shards(root: Path) -> dict[str, bytes]:
    return {name: content for name, content in tree(root).items() if name.startswith("shards/")}


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else bool(one == other)


def test_packed_is_made_is_what_lies_in_folders(
    tmp_path: Path, library: Path, folders: Path, packing: str
) -> None:
    assert pack(folders, tmp_path / "packed", packing)[:3] == (COUNT, 0, ())
    made = make(library, tmp_path / "made", packing)
    assert (made.made, made.kept, made.remade) == (COUNT, 0, ())
    assert shards(tmp_path / "packed") == shards(tmp_path / "made")
    assert len(shards(tmp_path / "made")) == 2 * 3
    corpus = Corpus(folders)
    stream = CorpusStream(tmp_path / "made", shuffle=False)
    assert len(stream) == COUNT
    assert all(same(item, corpus[i]) for i, item in enumerate(stream))
    assert check_corpus(tmp_path / "made") == (COUNT, {})
    manifest = json.loads((tmp_path / "made" / "manifest.json").read_text())
    assert [row["items"] for row in manifest["shards"]] == [3, 3, 1]
    assert manifest["layout"] == corpus.layout.fingerprint


def test_other_readers_find_the_same_files(tmp_path: Path, folders: Path, packing: str) -> None:
    pack(folders, tmp_path / "out", packing)
    item = folders / "shard-00000" / "00000004"
    file = tmp_path / "out" / "shards" / f"shard-00001.{packing}"
    if packing == "tar":
        with tarfile.open(file) as tar:
            found = {about.name: tar.extractfile(about).read() for about in tar}  # type: ignore[union-attr]
            assert {(about.mtime, about.uid, about.mode) for about in tar} == {(0, 0, 0o644)}
        for path, content in tree(item).items():
            assert found[f"00000004.{path.replace('/', '.')}"] == content
        return
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(file).to_pylist()
    assert [row["index"] for row in rows] == [3, 4, 5]
    for path, content in tree(item).items():
        assert rows[1][path.removesuffix(".flac") if "stems" in path else path] == content


@pytest.mark.slow
def test_webdataset_reads_it(tmp_path: Path, folders: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    pack(folders, tmp_path / "out")
    paths = sorted(map(str, (tmp_path / "out" / "shards").glob("*.tar")))
    samples = list(webdataset.WebDataset(paths, shardshuffle=False))
    assert [sample["__key__"].rpartition("/")[2] for sample in samples] == [f"{i:08d}" for i in range(COUNT)]
    for i, sample in enumerate(samples):
        for path, content in tree(folders / "shard-00000" / f"{i:08d}").items():
            assert sample[path.replace("/", ".")] == content


def test_without_audio_no_stems_are_read(
    tmp_path: Path, folders: Path, packing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(folders, tmp_path / "out", packing)
    if packing == "parquet":
        import pyarrow.parquet

        read = pyarrow.parquet.ParquetFile.read_row_group

        def fixed(self: Any, place: int, columns: list[str]) -> Any:
            assert sorted(columns) == ["index", "item.json", "mix.flac", "params.npy"]
            return read(self, place, columns)

        monkeypatch.setattr(pyarrow.parquet.ParquetFile, "read_row_group", fixed)
    corpus = Corpus(folders, audio=False)
    assert all(same(item, corpus[item["index"]]) for item in CorpusStream(tmp_path / "out", audio=False))


@pytest.mark.parametrize(("ranks", "workers"), few([(2, 3), (1, 1), (1, 4), (3, 2), (9, 1)], 1))
def test_every_item_once_over_ranks_and_workers(
    tmp_path: Path, folders: Path, ranks: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(folders, tmp_path / "out")
    seen: Counter[int] = Counter()
    sizes = []
    for rank in range(ranks):
        stream = CorpusStream(tmp_path / "out", audio=False, rank=rank, ranks=ranks, buffer=2, seed=3)
        mine = 0
        for worker in range(workers):
            info = type("Info", (), {"id": worker, "num_workers": workers})
            monkeypatch.setattr("djgraph.data.shards.stream.get_worker_info", lambda info=info: info)
            numbers = [item["index"] for item in stream]
            seen.update(numbers)
            mine += len(numbers)
        assert mine == len(stream)
        sizes.append(mine)
    assert seen == Counter(range(COUNT))
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.slow
def test_pytorchs_own_workers(tmp_path: Path, folders: Path, packing: str) -> None:
    pack(folders, tmp_path / "out", packing)
    corpus = Corpus(folders)
    stream = CorpusStream(tmp_path / "out", seed=1)
    loader = DataLoader(stream, batch_size=None, num_workers=2, persistent_workers=True)
    orders = []
    for epoch in (0, 1):
        stream.set_epoch(epoch)
        items = list(loader)
        assert all(same(item, corpus[item["index"]]) for item in items)
        orders.append([item["index"] for item in items])
        assert sorted(orders[-1]) == list(range(COUNT))
    assert orders[0] != orders[1]


def test_order(tmp_path: Path, folders: Path) -> None:
    pack(folders, tmp_path / "out")

    def order(epoch: int = 0, **options: Any) -> list[int]:
        stream = CorpusStream(tmp_path / "out", audio=False, **options)
        stream.set_epoch(epoch)
        return [item["index"] for item in stream]

    assert order(seed=5) == order(seed=5)
    assert len({tuple(order(epoch, seed=5)) for epoch in range(6)}) > 3
    assert order(2, seed=5) == order(2, seed=5)
    assert order(shuffle=False) == list(range(COUNT))
    parts = [[i // SIZE for i in order(epoch, buffer=1)] for epoch in range(4)]
    for part in parts:  # whole shards, one behind the other
        assert sum(a != b for a, b in itertools.pairwise(part)) == 2
    assert len({tuple(part) for part in parts}) > 1
    even = [order(seed=5, rank=rank, ranks=3, even=True) for rank in range(3)]
    assert [len(part) for part in even] == [2, 2, 2]
    assert len({index for part in even for index in part}) == 6


def test_ranks_of_torchrun(tmp_path: Path, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(folders, tmp_path / "out")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    stream = CorpusStream(tmp_path / "out")
    assert (stream.rank, stream.ranks, len(stream)) == (1, 2, 4)
    with pytest.raises(InputError, match="give both"):
        CorpusStream(tmp_path / "out", rank=0)
    with pytest.raises(InputError, match="rank"):
        CorpusStream(tmp_path / "out", rank=2, ranks=2)


@pytest.mark.slow
def test_layouts(tmp_path: Path, folders: Path) -> None:
    from djgraph import ParameterLayout

    pack(folders, tmp_path / "out")
    layout = CorpusStream(tmp_path / "out").layout
    older = ParameterLayout(column for column in layout if "left.drums" not in column.name)
    with pytest.raises(LayoutError, match=r"left\.drums"):
        CorpusStream(tmp_path / "out", layout=older)
    assert next(iter(CorpusStream(tmp_path / "out", layout=older, remap=True)))["params"].shape[1] == len(
        older
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_behind_urls(
    tmp_path: Path, library: Path, folders: Path, memory: str, kind: str, packing: str
) -> None:
    url = memory if kind == "memory" else (tmp_path / "there").as_uri()
    made = make(library, url, packing)
    assert made.made == COUNT
    pack(folders, tmp_path / "out", packing)
    storage = place.open_shards(url)
    for name, content in shards(tmp_path / "out").items():
        assert storage.read(name, 1 << 20) == content
    corpus = Corpus(folders)
    assert all(same(item, corpus[item["index"]]) for item in CorpusStream(url, seed=4))
    assert check_corpus(url) == (COUNT, {})
    again = make_corpus(url, workers=1)
    assert (again.made, again.kept) == (0, COUNT)
    grown = make_corpus(url, workers=1, count=COUNT + 2)
    assert (grown.made, grown.kept) == (3, COUNT - 1)  # the last shard was not full
    assert len(CorpusStream(url)) == COUNT + 2
    if kind == "memory":
        with pytest.raises(CorpusError, match="use one worker"):
            make_corpus(url, workers=2)


@pytest.mark.slow
def test_what_is_half_written_does_not_count(
    tmp_path: Path, library: Path, folders: Path, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from djgraph.storage.remote import Remote

    whole = tmp_path / "whole"
    pack(folders, whole)
    write, puts = Remote.write, []

    def full(self: Remote, name: str, content: bytes) -> None:
        puts.append(name)
        if name == "shards/shard-00001.json":
            raise KeyboardInterrupt
        write(self, name, content)

    monkeypatch.setattr(Remote, "write", full)
    with pytest.raises(KeyboardInterrupt):
        make(library, memory)
    monkeypatch.undo()
    storage = place.open_shards(memory)
    assert sorted(storage.sizes("shards")) == ["shard-00000.json", "shard-00000.tar", "shard-00001.tar"]
    with pytest.raises(CorpusError, match=r"half written: 1 of 3 shards are there\n.*dataset make memory"):
        CorpusStream(memory)
    assert len(CorpusStream(memory, partial=True)) == SIZE
    count, wrong = check_corpus(memory)
    assert (count, sorted(wrong)) == (COUNT, [3, 4, 5, 6])
    made = make_corpus(memory, workers=1)
    assert (made.made, made.kept) == (4, 3)
    assert {name: storage.read(name, 1 << 20) for name in shards(whole)} == shards(whole)


class Elsewhere(Here):
    """Another machine, whose folders have other names: what it is told of a place is one that it does not share."""

    shares_disk = False

    def run(self, make: Any, arguments: tuple[Any, ...], numbers: Any) -> Any:
        there = [f"{one}-there" if isinstance(one, str) and "/out" in one else one for one in arguments]
        return super().run(make, tuple(there), numbers)


def test_shards_on_a_disk_that_is_not_shared_are_refused(
    tmp_path: Path, library: Path, folders: Path
) -> None:
    pytest.importorskip("fsspec")
    for url in (str(tmp_path / "out"), (tmp_path / "out2").as_uri()):
        with pytest.raises(CorpusError, match=r"does not see .*-there as it is"):
            make(library, url, workers=Elsewhere())
    with pytest.raises(CorpusError, match=r"does not see .*-there as it is"):
        shard_corpus(folders, tmp_path / "out3", shard_size=SIZE, workers=Elsewhere())
    assert not [path for path in tmp_path.rglob("*") if "there" in path.name or "token" in path.name]


@pytest.mark.slow
def test_damage(tmp_path: Path, library: Path, packing: str) -> None:
    root = tmp_path / "out"
    make(library, root, packing)
    before = shards(root)
    first, second, third = (root / "shards" / f"shard-0000{i}.{packing}" for i in range(3))
    first.write_bytes(first.read_bytes()[:-1])
    flipped = bytearray(second.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    second.write_bytes(flipped)
    third.with_suffix(".json").write_text("{")
    with pytest.raises(CorpusError, match=r"half written: 1 of 3(.|\n)*bytes, not"):
        CorpusStream(root)
    count, wrong = check_corpus(root)
    assert (count, sorted(wrong)) == (COUNT, list(range(COUNT)))
    assert "bytes, not" in wrong[0]
    assert "checksum" in wrong[3]
    assert "no JSON" in wrong[6]
    made = make_corpus(root, workers=1)
    assert (made.made, len(made.remade)) == (4, 2)
    made = make_corpus(root, workers=1, verify=True)
    assert (made.made, len(made.remade)) == (3, 1)
    assert shards(root) == before


def rewritten(root: Path, content: bytes, **about: Any) -> None:
    """The first shard with other content, of which its JSON file tells the truth."""
    index = root / "shards" / "shard-00000.json"
    data = json.loads(index.read_text()) | {"bytes": len(content)} | about
    (root / "shards" / f"shard-00000.{data['format']}").write_bytes(content)
    index.write_text(json.dumps(data))


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for about, content in members:
            about.size = len(content) if about.isreg() else 0
            tar.addfile(about, io.BytesIO(content))
    return out.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    about = tarfile.TarInfo(name)
    about.type = kind
    about.linkname = "/etc/passwd"
    return about


ITEM = {"kind": "k", "name": "n", "args": {}, "tempo": 1.0, "mix_gain": 1.0, "inputs": {}, "index": 0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "places of items"),
        (b"\xff" * 2048, "damaged at item 0|has no item.json"),
        (tar_of((member("../../x"), b"")), "where item 0 is expected"),
        (tar_of((member("00000000.mix.flac", tarfile.SYMTYPE), b"")), "where item 0 is expected"),
        (
            tar_of((member("00000000.mix.flac", tarfile.GNUTYPE_SPARSE), b"")),
            "where item 0 is expected|damaged",
        ),
        (tar_of((member("00000000.mix.flac"), b"x")), "has no item.json"),
        (tar_of((member("00000000.item.json"), b"{"), (member("00000000.item.json"), b"{")), "twice"),
        (tar_of((member("00000000.item.json"), b"\xff")), "not UTF-8"),
        (tar_of((member("00000000.item.json"), b"[" * 100000)), "nested"),
        (
            tar_of(
                (
                    member("00000000.item.json"),
                    json.dumps({**ITEM, "files": {"../../x": {"bytes": 1, "sha256": ""}}}).encode(),
                ),
                (member("00000000..........x"), b"x"),
            ),
            "a path below this folder",
        ),
        (
            tar_of(
                (
                    member("00000000.item.json"),
                    json.dumps({**ITEM, "files": {"mix.flac": {"bytes": 9, "sha256": ""}}}).encode(),
                ),
            ),
            "mix.flac of item 0 is missing",
        ),
        (
            tar_of(
                (
                    member("00000000.item.json"),
                    json.dumps(
                        {**ITEM, "files": {name: {"bytes": 1, "sha256": ""} for name in ("mix", "mix/x")}}
                    ).encode(),
                ),
                (member("00000000.mix"), b"x"),
                (member("00000000.mix.x"), b"x"),
            ),
            "item 0 cannot be unpacked",
        ),
    ],
    ids=range(12),
)
def test_tars_meant_ill(tmp_path: Path, folders: Path, content: bytes, message: str) -> None:
    root = tmp_path / "out"
    pack(folders, root)
    length = len(content)
    rewritten(root, content, offsets=[0, length, length + 1, length + 2], bytes=length + 2)
    (root / "shards" / "shard-00000.tar").write_bytes(content + b"\0\0")
    with pytest.raises(CorpusError, match=message):
        next(iter(CorpusStream(root, shuffle=False)))


@pytest.mark.parametrize(
    "change",
    [
        {"offsets": [0, 2, 1, 3]},
        {"offsets": [0, 1, 2, 1 << 60]},
        {"items": 4},
        {"items": 10**9},
        {"shard": 1},
        {"format": "zip"},
        {"bytes": -1},
    ],
)
def test_a_shards_json_that_cannot_be(tmp_path: Path, folders: Path, change: dict[str, Any]) -> None:
    root = tmp_path / "out"
    pack(folders, root)
    index = root / "shards" / "shard-00000.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | change))
    with pytest.raises(CorpusError, match="half written: 2 of 3"):
        CorpusStream(root)


@pytest.mark.slow
def test_parquet_meant_ill(tmp_path: Path, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    root = tmp_path / "out"
    pack(folders, root, "parquet")

    def refused(content: bytes, message: str) -> None:
        rewritten(root, content)
        with pytest.raises(CorpusError, match=message):
            list(CorpusStream(root, shuffle=False))

    def written(columns: dict[str, Any], **options: Any) -> bytes:
        out = io.BytesIO()
        pyarrow.parquet.write_table(pa.table(columns), out, **options)
        return out.getvalue()

    names = ["item.json", "mix.flac", "params.npy"]
    refused(b"PAR1" + b"\xff" * 100 + b"PAR1", "is damaged")
    refused(written({"index": [0, 1, 2]}), "3 rows in 1 groups")
    one = {"row_group_size": 1, "compression": "NONE"}
    refused(written({"index": [0, 1, 2]}, **one), "lacks columns")
    files: dict[str, Any] = {name: [b"{"] * 3 for name in names}
    refused(written({"index": [0, 1, 2], **files}, row_group_size=1, compression="ZSTD"), "is compressed")
    refused(written({"index": [1, 1, 2], **files}, **one), "holds item 1 where 0")
    refused(written({"index": [0, 1, 2], **{name: [1, 2, 3] for name in names}}, **one), "no files")
    refused(written({"index": [0, 1, 2], **files}, **one), "no JSON")
    # Many numbers that are written as one and how often: refused before it is read.
    lists = pa.array([[7] * 100_000] * 3, pa.large_list(pa.int8()))
    with monkeypatch.context() as patch:
        patch.setattr(pyarrow.parquet.ParquetFile, "read_row_group", lambda *a, **o: pytest.fail("was read"))
        refused(written({"index": [0, 1, 2], **files, "mix.flac": lists}, **one), "no files")


@pytest.mark.slow
def test_refusals(tmp_path: Path, library: Path, folders: Path, memory: str) -> None:
    with pytest.raises(InputError, match="shards is 'zip'; allowed: tar, parquet"):
        make(library, tmp_path / "out", "zip")
    for url in (tmp_path / "out", memory):
        with pytest.raises(InputError, match="stand alone"):
            make(library, url, stems="reference")
    assert not (tmp_path / "out").exists()
    assert not place.open_shards(memory).sizes()
    with pytest.raises(CorpusError, match="a folder for each item; djgraph dataset shard"):
        make(library, folders)
    with pytest.raises(CorpusError, match="folder for each item"):
        CorpusStream(folders)
    with pytest.raises(CorpusError, match="is no corpus"):
        CorpusStream(tmp_path)
    make(library, tmp_path / "out")
    with pytest.raises(CorpusError, match=r"shards: tar → parquet"):
        make(library, tmp_path / "out", "parquet")
    with pytest.raises(CorpusError, match=r"seed: 0 → 1"):
        make(library, tmp_path / "out", seed=1)
    with pytest.raises(CorpusError, match="CorpusStream"):
        Corpus(tmp_path / "out")
    with pytest.raises(CorpusError, match="packed in shards already"):
        pack(tmp_path / "out", tmp_path / "again")
    with pytest.raises(CorpusError, match="shard_size: 3 → 2"):
        shard_corpus(folders, tmp_path / "out", shard_size=2)
    with pytest.raises(CorpusError, match="put beside a corpus in a folder"):
        make_corpus(memory, demo=True, graph=GRAPH, workers=1)
    for url in ("nonsense://x", "s3x://y", "::"):
        with pytest.raises((CorpusError, InputError)):
            CorpusStream(url)
    storage = place.open_shards("memory://elsewhere")
    storage.write("letter.txt", b"dear")
    with pytest.raises(CorpusError, match=r"neither empty nor a corpus: it has letter\.txt"):
        make(library, "memory://elsewhere")
