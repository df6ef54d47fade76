"""Ray's own start on this machine: reachable from it alone; what is made there is what this process makes."""

from __future__ import annotations

import os
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import job_examples as examples
import pytest
from data.conftest import tree, write_track
from two_decks import GRAPH

from djgraph.data import make_corpus
from djgraph.errors import InputError
from djgraph.jobs import Ray, ray_cluster, run_jobs

pytest.importorskip("ray", reason="needs Ray: pip install djgraph[scale]")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir("/proc"), reason="finds processes by /proc"),
]


@pytest.fixture(scope="module", autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Started once for all: executors take what has been started in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJGRAPH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("PYTHONPATH", str(Path(examples.__file__).parent), prepend=os.pathsep)
        with ray_cluster._connected(ray_cluster._ray("local"), "local", 2):
            yield


def parent(process: str) -> str:
    status = Path("/proc", process, "stat").read_text()
    return status.rpartition(")")[2].split()[1]


def is_ours(process: str) -> bool:
    while process not in ("0", "1", ""):
        if process == str(os.getpid()):
            return True
        try:
            process = parent(process)
        except OSError:
            return False
    return False


def workers() -> list[int]:
    """Processes of Ray's workers that this process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::_Worker") and is_ours(folder.name):
            found.append(int(folder.name))
    return found


def test_jobs() -> None:
    import ray

    assert {node["NodeManagerAddress"] for node in ray.nodes()} == {"127.0.0.1"}
    jobs = run_jobs(examples.wrong, (4,), range(12), Ray(workers=1))
    done = [next(jobs) for _ in range(4)]
    with pytest.raises(InputError, match=r"^4 is wrong$"):
        next(jobs)
    assert [square for square, _, _ in done] == [0, 1, 4, 9]
    assert {threads for _, _, threads in done} == {1}
    assert os.getpid() not in {process for _, process, _ in done}


def test_a_lost_worker_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, root = tmp_path / "whole", tmp_path / "corpus"
    for i in range(2):
        write_track(tmp_path / "library" / str(i), seed=i)
    options = {"tracks": tmp_path / "library", "graph": GRAPH, "seconds": 0.25, "count": 80}
    killed: list[int] = []

    def progress(done: int, _: int) -> None:
        if done >= 5 and not killed:
            killed.append(workers()[0])
            os.kill(killed[0], signal.SIGKILL)

    said: list[str] = []
    made = make_corpus(root, workers=Ray(workers=2, told=said.append), progress=progress, **options)  # type: ignore[arg-type]
    assert made.made == 80
    assert killed
    assert any("lost" in words for words in said)
    assert capsys.readouterr().out == ""
    make_corpus(whole, workers=1, **options)  # type: ignore[arg-type]
    assert tree(root) == tree(whole)


def test_workers_fetch_tracks_from_a_url(tmp_path: Path) -> None:
    """Of an archive, which every worker opens for itself."""
    for i in range(2):
        write_track(tmp_path / "library" / str(i), seed=i)
    with zipfile.ZipFile(tmp_path / "library.zip", "w") as archive:
        for name, content in tree(tmp_path / "library").items():
            archive.writestr(f"library/{name}", content)
    options: dict[str, Any] = {"graph": GRAPH, "seconds": 0.25, "count": 12, "shards": "tar", "shard_size": 3}
    url = f"zip://library::file://{tmp_path / 'library.zip'}"
    make_corpus(tmp_path / "away", tracks=url, workers=Ray(workers=2), **options)
    make_corpus(tmp_path / "here", tracks=tmp_path / "library", workers=1, **options)
    away, here = tree(tmp_path / "away"), tree(tmp_path / "here")
    assert {name for name in here if away[name] != here[name]} == {"corpus.json"}
