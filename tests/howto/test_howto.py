"""docs/howto: every answer runs, every question is in the index, every error that is shown is the real one."""

from __future__ import annotations

import json
import re
import shutil
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from .pages import DOCS, OTHERS, Section, holds, known, read, run, slug

PAGES = sorted(
    path.relative_to(DOCS).as_posix() for path in (DOCS / "howto").glob("*.md") if path.stem != "index"
)
HEADS = {page: read(page) for page in PAGES}
SECTIONS = [
    pytest.param(section, id=f"{section.page.stem}-{section.anchor}")
    for _, found in HEADS.values()
    for section in found
]
SECONDS = 4.0


@pytest.fixture(scope="session")
def stems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that ``djgraph demo --stems stems`` writes, with shorter tracks."""
    from djgraph import audio
    from djgraph.demo import BPM, beats, demo_tracks

    folder = tmp_path_factory.mktemp("howto") / "stems"
    for track, signals in demo_tracks(44100, SECONDS).items():
        (folder / track).mkdir(parents=True)
        for stem, signal in signals.items():
            audio.write(folder / track / f"{stem}.flac", signal, 44100)
        (folder / track / "track.json").write_text(json.dumps({"tempo": BPM[track], **beats(track, SECONDS)}))
    return folder


@pytest.fixture(scope="module")
def opened() -> Callable[[Path], dict[str, Any]]:
    """What the lines above a page's first question leave behind; they run once."""
    made: dict[Path, dict[str, Any]] = {}

    def opened(page: Path) -> dict[str, Any]:
        if page not in made:
            made[page] = {"__name__": page.stem}
            run(HEADS[page.relative_to(DOCS).as_posix()][0], made[page])
        return dict(made[page])

    return opened


@pytest.mark.slow
@pytest.mark.usefixtures("engines_by_cost")
@pytest.mark.parametrize("section", SECTIONS)
def test_the_answer_runs(
    section: Section,
    stems: Path,
    opened: Callable[[Path], dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(stems, "stems")
    module = types.ModuleType("howto_answer")  # as a file would be, so that its classes can be pickled
    module.__dict__.update(opened(section.page), __name__=module.__name__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    torch.manual_seed(0)
    run(section, module.__dict__)


def test_there_are_enough_questions() -> None:
    titles = [parameter.values[0].title for parameter in SECTIONS]
    assert len(titles) >= 25
    assert len(set(titles)) == len(titles)
    assert all(title.endswith("?") for title in titles)


def test_the_index_lists_every_question() -> None:
    listed = re.findall(r"^- \[(.*?)\]\((.*?)\)$", (DOCS / "howto" / "index.md").read_text(), re.MULTILINE)
    assert listed == [
        (section.title, f"{section.page.name}#{section.anchor}") for section in in_order(listed)
    ]


def in_order(listed: list[tuple[str, str]]) -> list[Section]:
    """All sections, page by page in the order in which the index has the pages."""
    pages = list(dict.fromkeys(target.split("#")[0] for _, target in listed))
    assert sorted(pages) == [Path(page).name for page in PAGES]
    return [section for page in pages for section in HEADS[f"howto/{page}"][1]]


@pytest.mark.parametrize("page", PAGES)
def test_every_answer_has_something_to_run_and_says_what_to_do_when_it_fails(page: str) -> None:
    for section in HEADS[page][1]:
        assert section.blocks, section.title
        assert "**When it fails.**" in section.text, section.title


@pytest.mark.parametrize("page", [*PAGES, "howto/index.md"])
def test_links_lead_to_headings(page: str) -> None:
    here = DOCS / page
    for target, anchor in re.findall(r"\]\(([\w./-]*)#([^)\s]+)\)", here.read_text(encoding="utf-8")):
        text = (here.parent / target if target else here).read_text(encoding="utf-8")
        assert anchor in anchors(text), f"{page} links to {target}#{anchor}"


def anchors(text: str) -> set[str]:
    """What links of a page may lead to: headings, as GitHub and MkDocs name them, and places that it names."""
    heads = re.findall(
        r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE
    )
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head) for head in heads]
    return {slug(head) for head in plain} | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.slow
def test_what_is_wrong_would_be_found() -> None:
    with pytest.raises(AssertionError, match="has no --tempoo"):
        known("djgraph render dj_mixer --tempoo 128", "here")
    with pytest.raises(AssertionError, match="here: rm x"):
        known("rm x", "here")
    assert "rm" not in OTHERS
    holds("one\n  two three\nfour", "one\n…\ntwo …\nfour\n", "here")
    with pytest.raises(AssertionError, match="'one' is not in"):
        holds("one two", "one", "here")
