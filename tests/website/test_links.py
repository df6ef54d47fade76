"""Links of the repository's pages in the site, and the check of a site that was built."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sitebuild import files, lines
from sitebuild.check import faults
from sitebuild.links import for_site, with_players
from sitebuild.site import Site


@pytest.mark.parametrize(
    ("path", "uri", "link", "expected"),
    [
        ("docs/sets.md", "sets.md", "daw.md#a-b", "daw.md#a-b"),
        ("docs/howto/x.md", "howto/x.md", "../sets.md", "../sets.md"),
        ("docs/sets.md", "sets.md", "../README.md", "index.md"),
        ("docs/sets.md", "sets.md", "../examples/mixers/quad.md", "gallery/quad.md"),
        ("docs/sets.md", "sets.md", "../graphs/dj_mixer.yaml", "files/graphs/dj_mixer.yaml.md"),
        ("examples/mixers/quad.md", "gallery/quad.md", "quad.svg", "quad.svg"),
        ("examples/mixers/quad.md", "gallery/quad.md", "../../docs/sets.md#x", "../sets.md#x"),
        ("examples/mixers/quad.md", "gallery/quad.md", "quad.yaml", "../files/examples/mixers/quad.yaml.md"),
        ("docs/sets.md", "sets.md", "../recipes", "files/recipes/index.md"),
        ("docs/sets.md", "sets.md", "../nothing.py", "../nothing.py"),
        ("docs/sets.md", "sets.md", "https://example.org/a", "https://example.org/a"),
        ("docs/sets.md", "sets.md", "#here", "#here"),
    ],
)
def test_links_lead_to_the_places_of_files(path: str, uri: str, link: str, expected: str) -> None:
    assert for_site(f"see [it]({link}).", path, uri, Site()) == f"see [it]({expected})."


def test_code_is_left_alone() -> None:
    text = "`[a](../README.md)`\n\n```md\n[a](../README.md)\n```\n"
    assert for_site(text, "docs/sets.md", "sets.md", Site()) == text
    assert with_players("`[a](b.mp3)`") == "`[a](b.mp3)`"


def test_sounds_become_players_and_pictures_do_not() -> None:
    made = with_players("[The “mix”](listen/a.mp3) ![p](a.png)")
    assert 'src="listen/a.mp3"' in made
    assert "The “mix”" in made
    assert made.endswith("![p](a.png)")


def test_options_are_not_broken_and_nothing_else_is_touched() -> None:
    assert lines.ended("<p>a-b <code>x --bits 16</code></p>") == (
        '<p>a-b <code>x <span class="whole">--bits</span> 16</code></p>'
    )
    block = '<div class="language-{} highlight"><pre><code><span class="w"> </span>-o a-b.flac -1</code></pre></div>'
    assert lines.ended(block.format("python")) == block.format("python")
    assert '<span class="w"> </span><span class="whole">-o</span> a-b.flac -1<' in lines.ended(
        block.format("bash")
    )


def test_commands_without_a_fence_go_on_in_the_next_line_and_plans_do_not() -> None:
    block = '<div class="language-text highlight"><pre><code>{}\n</code></pre></div>'
    assert "language-bash" in lines.ended(
        block.format('<span id="a">djgraph demo\n</span># heard\nA_B=1 ray start')
    )
    assert "language-text" in lines.ended(block.format("djgraph demo\n  [--stems FOLDER]"))
    assert "language-text" in lines.ended(block.format("plan compressor: 2 operations"))


def test_long_code_gives_way_in_its_cell() -> None:
    cell = "<td><code>{}</code></td>"
    assert lines.ended(cell.format("f(x, y)")) == cell.format("f(x, y)")
    assert '<code class="long">' in lines.ended(cell.format("MultiResolutionSTFT(sizes=(512, 1024), log=1)"))


def test_files_that_are_shown_come_last_in_a_search() -> None:
    page = files.shown("recipes/bass_swap.yaml")
    assert page.startswith("---\nsearch: {boost: 0.1}\n---\n\n# bass_swap.yaml\n")


def test_files_that_are_linked_to_are_shown_with_what_they_link_to() -> None:
    site = Site()
    site.place("recipes")
    site.place("examples/mixers/quad.md")
    files.write(site)
    assert "bass_swap.yaml](bass_swap.yaml.md)" in site.pages["files/recipes/index.md"]
    assert "automation: 1" in site.pages["files/recipes/bass_swap.yaml.md"]
    assert "gallery/quad.svg" in site.assets
    assert "gallery/quad.md" not in site.unlisted
    assert "files/recipes/index.md" in site.unlisted


def test_a_file_with_fences_is_shown_whole() -> None:
    for path in ("docs/start.md", "recipes/bass_swap.yaml", "tests/website/test_links.py"):
        shown = files.shown(path)
        text = (files.ROOT / path).read_text(encoding="utf-8").rstrip()
        fence = re.findall(r"^`+", shown, re.MULTILINE)[-1]
        assert len(fence) >= 3
        assert fence not in text
        assert f"\n{text}\n{fence}\n" in shown


def test_what_a_site_loads_from_elsewhere_or_lacks_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<script src="https://cdn.example/x.js"></script><img src="p.png"><audio src="//h/x.mp3"></audio>'
        '<a href="https://example.org">fine</a><a href="b.html#x">fine</a><a href="gone.html">gone</a>'
    )
    (tmp_path / "b.html").write_text('<a href="#x">here</a>')
    (tmp_path / "s.css").write_text(
        "@font-face { src: url(https://fonts.example/a.woff2) } a { b: url(c.svg) }"
    )
    assert sorted(faults(tmp_path)) == [
        "a.html loads //h/x.mp3 from another machine",
        "a.html loads https://cdn.example/x.js from another machine",
        "a.html wants gone.html, which is not there",
        "a.html wants p.png, which is not there",
        "s.css loads https://fonts.example/a.woff2 from another machine",
    ]
