"""``--batch``: the results are the single command's; what is done is kept, what fails is told and stops nothing."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from data.conftest import write_track
from two_decks import GRAPH

from djgraph.cli import fit, render
from djgraph.cli.batch import place_of
from djgraph.cli.batch_items import Item, mixes
from djgraph.cli.batch_jobs import Commands, Order, done_before, done_name, key_of
from djgraph.cli.fetched import fetched_inputs
from djgraph.errors import InputError
from djgraph.storage import cache, open_storage

from .conftest import Run


def automation(points: str) -> str:
    return f"automation: 1\ncurves:\n  - {{control: left.drums.gain, points: [{points}]}}\n"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A graph, and three folders with the tracks of a mix and what its controls do."""
    (tmp_path / "graph.json").write_text(json.dumps(GRAPH))
    for i, name in enumerate(("one", "two", "deep/three")):
        for deck in ("left", "right"):
            below = "stems/" if name == "two" else ""
            write_track(tmp_path / "in" / name / f"{below}{deck}", seconds=0.25, seed=i)
    (tmp_path / "in" / "one" / "automation.yaml").write_text(automation("[0, 1], [0.25, 0]"))
    (tmp_path / "in" / "two" / "params.csv").write_text("left.drums.gain\n0.25\n0.5\n")
    return tmp_path


def batch(work: Path, *more: object, command: str = "render") -> list[object]:
    return [command, work / "graph.json", "--batch", work / "in", "-o", work / "out", "-j", 1, *more]


def single(work: Path, name: str, *more: object) -> list[object]:
    inputs = [("-i", f"{deck}={next((work / 'in' / name).rglob(deck))}") for deck in ("left", "right")]
    return [work / "graph.json", *(word for pair in inputs for word in pair), *more]


def test_render(run: Run, work: Path) -> None:
    said = run(*batch(work, "--json")).stdout
    assert json.loads(said) | {"path": ""} == {"path": "", "items": 3, "done": 3, "kept": 0, "failed": {}}
    moves = {"one": ("-a", "automation.yaml"), "two": ("-p", "params.csv"), "deep/three": ()}
    for name, (*option, file) in ((name, more or ("",)) for name, more in moves.items()):
        more = [*option, work / "in" / name / file] if option else []
        run("render", *single(work, name, *more), "-o", work / "alone.flac")
        assert (work / "out" / f"{name}.flac").read_bytes() == (work / "alone.flac").read_bytes()
    manifest = json.loads((work / "out" / "batch.json").read_text())
    assert manifest["done"]["deep/three"] == ["deep/three.flac"]
    assert (manifest["failed"], manifest["left"]) == ({}, [])


@pytest.mark.slow
def test_gone_on_with(run: Run, work: Path) -> None:
    drums = work / "in" / "two" / "stems" / "left" / "drums.wav"
    shutil.move(drums, work / "drums.wav")
    failed = run(*batch(work), code=1)
    assert "3 items, 2 done now, 0 before, 1 failed" in failed.stdout
    assert "error: two: " in failed.stderr
    assert "drums" in failed.stderr
    shutil.move(work / "drums.wav", drums)
    assert "1 done now, 2 before, 0 failed" in run(*batch(work)).stdout
    assert "0 done now, 3 before" in run(*batch(work)).stdout
    (work / "out" / "one.flac").write_bytes(b"short")
    (work / "out" / "done" / "two.json").write_text("{")
    assert "2 done now, 1 before" in run(*batch(work)).stdout
    write_track(work / "in" / "one" / "left", seconds=0.25, seed=9)
    assert "1 done now, 2 before" in run(*batch(work)).stdout
    assert "3 done now, 0 before" in run(*batch(work, "--normalize")).stdout


@pytest.mark.slow
def test_one_pair_of_tracks_and_many_automations(run: Run, work: Path) -> None:
    for i in range(3):
        (work / "in" / f"{i}.yaml").write_text(automation(f"[0, {i / 2}]"))
    moves = work / "moves"
    moves.mkdir()
    for i in range(3):
        shutil.move(work / "in" / f"{i}.yaml", moves)
    where = ["--batch", moves, "-o", "memory://out", "-j", 1]
    pytest.importorskip("fsspec")
    assert "3 items, 3 done now" in run("render", *single(work, "one"), *where).stdout
    from djgraph.storage import open_storage

    sizes = open_storage("memory://out").sizes()
    assert sorted(sizes) == ["0.flac", "1.flac", "2.flac", "batch.json"]
    assert "3 before" in run("render", *single(work, "one"), *where).stdout


@pytest.mark.slow
def test_fit(run: Run, work: Path) -> None:
    run(*batch(work))
    shutil.rmtree(work / "in" / "deep")
    for name in ("one", "two"):
        shutil.copy(work / "out" / f"{name}.flac", work / "in" / name / "mix.flac")
    shutil.rmtree(work / "out")
    noise = write_track(work / "noise", seconds=0.25, seed=77, stems=("mix",))
    (work / "in" / "unrelated").mkdir()
    shutil.copy(noise / "mix.wav", work / "in" / "unrelated")
    done = run(*batch(work, "--delay", 0, command="fit"))
    assert "2 items, 2 done now" in done.stdout
    for name in ("one", "two"):
        target = work / "in" / name / "mix.flac"
        run("fit", *single(work, name), "--delay", 0, "--target", target, "-o", work / "alone.yaml")
        assert (work / "out" / f"{name}.yaml").read_text() == (work / "alone.yaml").read_text()
        report = json.loads((work / "out" / f"{name}.report.json").read_text())
        assert report["si_sdr_db"] > 30


@pytest.mark.slow
def test_what_lies_behind_a_url(run: Run, work: Path, memory: Any) -> None:
    """Mixes, recordings and the tracks that are given for all: the same results as from folders."""
    memory.put(str(work / "in"), "/in", recursive=True)
    where = ["--batch", "memory://in", "-o", work / "away", "-j", 1]
    assert "3 items, 3 done now" in run("render", work / "graph.json", *where).stdout
    run(*batch(work))
    for name in ("one", "two", "deep/three"):
        assert (work / "away" / f"{name}.flac").read_bytes() == (work / "out" / f"{name}.flac").read_bytes()
    assert "0 done now, 3 before" in run("render", work / "graph.json", *where).stdout
    memory.pipe("/in/one/left/drums.wav", memory.cat("/in/two/stems/left/drums.wav"))
    cache._versions.clear()  # as in another process
    assert "1 done now, 2 before" in run("render", work / "graph.json", *where).stdout
    memory.pipe("/in/two/stems/left/drums.wav", b"no music")
    cache._versions.clear()
    assert "memory://in/two/stems/left/drums.wav" in run("render", work / "graph.json", *where, code=1).stderr
    memory.pipe("/moves/x.yaml", automation("[0, 1]").encode())
    given = [("-i", f"{deck}=memory://in/deep/three/{deck}") for deck in ("left", "right")]
    words = [work / "graph.json", *(word for pair in given for word in pair)]
    moved = ["--batch", "memory://moves", "-o", work / "moved", "-j", 1]
    assert "1 item, 1 done now" in run("render", *words, *moved).stdout
    (work / "x.yaml").write_text(automation("[0, 1]"))
    run("render", *single(work, "deep/three"), "-a", work / "x.yaml", "-o", work / "alone.flac")
    assert (work / "moved" / "x.flac").read_bytes() == (work / "alone.flac").read_bytes()
    run("render", *words, "-a", work / "x.yaml", "-o", work / "single.flac")
    assert (work / "single.flac").read_bytes() == (work / "alone.flac").read_bytes()
    memory.put(str(work / "alone.flac"), "/in/deep/three/mix.flac")
    fitted = ["--batch", "memory://in/deep", "-o", work / "fitted", "-j", 1, "--delay", 0]
    assert "1 item, 1 done now" in run("fit", work / "graph.json", *fitted).stdout
    target = ["--target", work / "alone.flac", "--delay", 0, "-o", work / "fit.yaml"]
    run("fit", *single(work, "deep/three"), *target)
    assert (work / "fitted" / "three.yaml").read_text() == (work / "fit.yaml").read_text()
    assert "0 done now, 1 before" in run("render", *words, *moved).stdout
    memory.pipe("/in/deep/three/left/drums.wav", memory.cat("/in/one/left/drums.wav"))
    cache._versions.clear()
    assert "1 done now, 0 before" in run("render", *words, *moved).stdout


def test_urls_that_cannot_be(run: Run, work: Path, memory: Any) -> None:
    memory.put(str(work / "in"), "/in", recursive=True)
    two = ["--batch", "memory://in", "-o", work / "out", "-j", 2]
    assert "use one worker" in run("render", work / "graph.json", *two, code=1).stderr
    inside = ["--batch", "memory://in", "-o", "memory://in/out", "-j", 1]
    assert "lies in the folder that is read" in run("render", work / "graph.json", *inside, code=1).stderr
    for source, out in ((work / "in", f"file://{work}/in/out"), (f"file://{work}/in", work / "in" / "out")):
        inside = ["--batch", source, "-o", out, "-j", 1]
        assert "lies in the folder that is read" in run("render", work / "graph.json", *inside, code=1).stderr
    empty = ["--batch", "memory://in/one/left", "-o", work / "out", "-j", 1]
    said = run("render", work / "graph.json", *empty, code=1).stderr
    assert "--batch memory://in/one/left: there is no folder with left, right" in said
    lost = ["-i", "left=memory://nowhere/left", "-o", work / "x.flac"]
    assert "memory://nowhere/left" in run("render", work / "graph.json", *lost, code=1).stderr
    said = run("studio", work / "graph.json", "-i", "left=memory://in/one/left", code=1).stderr
    assert (
        "left=memory://in/one/left: this command, or what it writes, comes back to its inputs later" in said
    )
    for project, told in (
        (["--reaper", work / "x.rpp"], "what it writes, comes back"),
        (["--dawproject", work / "x.dawproject"], "what it writes, comes back"),
        (["--dawproject", work / "x.dawproject", "--embed"], "memory://nowhere/left does not exist"),
    ):
        assert told in run("render", work / "graph.json", *lost, "--sync", *project, code=1).stderr
    memory.pipe("/in/one/left/drums.wav", b"no music")
    bad = ["-i", "left=memory://in/one/left", "-i", f"right={work / 'in' / 'one' / 'right'}"]
    said = run("render", work / "graph.json", *bad, "-o", work / "x.flac", code=1).stderr
    assert "memory://in/one/left/drums.wav" in said


def test_what_is_known_of_a_file_comes_with_it(tmp_path: Path, memory: Any) -> None:
    """Beats that somebody wrote beside a single file are those of the file behind a URL, too."""
    for name in ("left.wav", "left.json", "right.wav"):
        memory.pipe(f"/in/one/{name}", name.encode())
    with fetched_inputs(["left=memory://in/one/left.wav", "right=memory://in/one/right.wav"]) as words:
        left, right = (Path(word.partition("=")[2]) for word in words)
        assert left.read_bytes() == b"left.wav"
        assert left.with_suffix(".json").read_bytes() == b"left.json"
        assert [path.name for path in right.parent.iterdir()] == ["right.wav"]
    with (
        pytest.raises(InputError, match=r"^memory://in/one/left\.json: line 1$"),
        fetched_inputs(["left=memory://in/one/left.wav"]) as words,
    ):
        raise InputError(f"{Path(words[0].partition('=')[2]).with_suffix('.json')}: line 1")
    (tmp_path / "one").mkdir()
    for name in ("left.wav", "left.json", "right.wav"):
        (tmp_path / "one" / name).touch()
    (item,) = mixes(tmp_path, ["left", "right"], False, False)
    assert [Path(file).name for file in item.files] == ["left.wav", "left.json", "right.wav"]


def test_two_of_one_name(run: Run, work: Path) -> None:
    (work / "moves").mkdir()
    (work / "moves" / "x.yaml").write_text(automation("[0, 1]"))
    (work / "moves" / "x.csv").write_text("left.drums.gain\n0.25\n0.5\n")
    moved = ["--batch", work / "moves", "-o", work / "out", "-j", 1]
    said = run("render", *single(work, "deep/three"), *moved, code=1).stderr
    assert "two files are called x, and their results would be one" in said


def changes(
    source: Annotated[Path, typer.Option("--source")], out: Annotated[Path, typer.Option("--out")]
) -> None:
    """A command whose file is another one when it is done, or gone."""
    out.write_text(source.read_text())
    source.write_text("another")
    if out.name.startswith("gone"):
        source.unlink()


def order_of(folder: Path, *names: str) -> Order:
    items = tuple(Item(name, ("--source", str(folder / name)), (str(folder / name),)) for name in names)
    return Order(changes, "render", (), ".txt", items, str(folder / "out"), None)


def test_what_changes_while_it_is_read_is_done_again(tmp_path: Path) -> None:
    for name in ("song", "gone"):
        (tmp_path / name).write_text("one")
    order = order_of(tmp_path, "song", "gone", "never")
    run = Commands(order)
    outcomes = [run(number) for number in range(3)]
    assert [outcome.outputs for outcome in outcomes] == [("song.txt",), ("gone.txt",), ()]
    assert "never" in str(outcomes[2].problem)
    assert (tmp_path / "out" / "song.txt").read_text() == "one"
    assert done_before(open_storage(order.where), order) == {}


def test_what_is_said_to_be_done_leads_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "song").write_text("one")
    (tmp_path / "letter").write_text("dear")
    order = order_of(tmp_path, "song")
    key = key_of(order, order.items[0])
    storage = open_storage(order.where)
    for output, found in (("../letter", {}), ("letter", {0: ("letter",)})):
        storage.write("letter", b"dear")
        storage.write(
            done_name(order.items[0]), json.dumps({"key": key, "outputs": {output: 4}, "said": ""}).encode()
        )
        assert done_before(storage, order) == found


@pytest.mark.parametrize("command", [render.render, fit.fit])
def test_workers_are_handed_the_command_by_name(command: Any) -> None:
    assert pickle.loads(pickle.dumps(command)) is command


def test_refusals(run: Run, work: Path) -> None:
    assert "needs -o" in run("render", "dj_mixer", "--batch", work / "in", code=2).stderr
    assert "not for --batch" in run(*batch(work, "--report", work / "x.html"), code=2).stderr
    assert "not for --batch" in run(*batch(work, "--mix", "x.flac", command="fit"), code=2).stderr
    inside = ["--batch", work / "in", "-o", work / "in" / "out"]
    assert "lies in the folder that is read" in run("render", work / "graph.json", *inside, code=1).stderr
    nowhere = ["--batch", work / "no", "-o", work / "out"]
    assert "no such folder" in run("render", work / "graph.json", *nowhere, code=1).stderr
    empty = ["--batch", work / "in" / "one" / "left", "-o", work / "out"]
    assert "no folder with left, right" in run("render", work / "graph.json", *empty, code=1).stderr
    assert "no folder with a mix.wav" in run(*batch(work, command="fit"), code=1).stderr
    assert "give the recording" in run("fit", work / "graph.json", code=2).stderr
    assert not (work / "out").exists()


def test_urls_keep_their_slashes() -> None:
    places = {
        "s3://bucket/a b": "s3://bucket/a b",
        "memory://x": "memory://x",
        "file:///tmp/x": "file:///tmp/x",
        "out/deep": "out/deep",
    }
    assert {text: place_of(Path(text)) for text in places} == places
