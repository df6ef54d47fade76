"""``djgraph new graph``: a mixer without problems or warnings, that plays, for any number of decks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import djgraph
from djgraph.errors import InputError
from djgraph.scaffold import new_graph

STEMS = ("drums", "bass", "vocals", "other")


@pytest.mark.parametrize("decks", [1, 2, 3, 32])
@pytest.mark.parametrize("stems", [(), STEMS, ("all",)])
def test_it_is_valid(decks: int, stems: tuple[str, ...], tmp_path: Path) -> None:
    path = new_graph("my-mixer", decks, stems, tmp_path)
    assert path == tmp_path / "my-mixer.yaml"
    text = path.read_text(encoding="utf-8")
    assert "{{" not in text
    djgraph.validate(path, strict=True)
    graph = djgraph.load(path)
    assert graph.name == "my_mixer"
    layout = djgraph.ParameterLayout.from_graph(graph)
    columns = 7 + len(
        stems
    )  # trim, three bands, filter, fader, two sends; one more is the crossfader's, one the fader's
    assert len(layout.names) == decks * (columns + 1) + (decks > 1)
    assert f"column deck_{decks}.trim" in text


def test_it_plays(tmp_path: Path) -> None:
    """At rest both decks are heard; the crossfader at its ends leaves one of them."""
    mixer = djgraph.compile(djgraph.load(new_graph("two", into=tmp_path)))
    noise = 0.1 * torch.randn(2, 1, 2, 8000, generator=torch.Generator().manual_seed(0))
    decks = {"deck_1": noise[0], "deck_2": noise[1]}
    for place, wanted in ((0.5, noise.sum(0)), (0.0, noise[0]), (1.0, noise[1])):
        heard = mixer(decks, mixer.layout.pack({"crossfader": place}))["master"]
        assert torch.allclose(heard, wanted, atol=1e-5), place


def test_a_deck_is_added_as_its_comments_say(tmp_path: Path) -> None:
    """A line at ``inputs``, and one at ``mixer``."""
    path = new_graph("growing", into=tmp_path)
    text = path.read_text(encoding="utf-8")
    grown = text.replace("  - {name: deck_2}\n", "  - {name: deck_2}\n  - {name: deck_3}\n").replace(
        "  - {use: deck, with: {name: deck_2, side: right}}\n",
        "  - {use: deck, with: {name: deck_2, side: right}}\n  - {use: deck, with: {name: deck_3, side: left}}\n",
    )
    before, after = (djgraph.ParameterLayout.from_graph(djgraph.load(one)).names for one in (text, grown))
    assert set(after) - set(before) == {name.replace("_2", "_3") for name in before if "deck_2" in name}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("../up",), "did you mean: up"),
        (("two", 0), "1 to 32 decks, not 0"),
        (("two", 33), "1 to 32 decks, not 33"),
        (("two", 2, ("drums", "drums")), "stem 'drums' is there twice"),
        (("two", 2, ("Drums",)), "stem 'Drums' is no name"),
        (("two", 2, ("a]}\nb",)), "is no name"),
    ],
)
def test_what_is_refused(arguments: tuple[object, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        new_graph(*arguments, into=tmp_path)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text("mine")
    with pytest.raises(InputError, match=r"two\.yaml exists already, and is left as it is"):
        new_graph("two", into=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["two.yaml"]
    assert (tmp_path / "two.yaml").read_text() == "mine"
