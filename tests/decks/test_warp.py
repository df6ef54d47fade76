"""Warp files: what they hold comes back, what is wrong with them is told with its place; decks play passages."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
import torch

from djgraph.alignment import Found, Passage
from djgraph.decks import MemoryMaterial, PassageDeck, Warp
from djgraph.errors import InputError

RATE = 8000


def warp() -> Warp:
    first = Found("a", (Passage(0.0, 4000.5, 100.25, 1.03, False, 0.01),), 0.9)
    cut = Found(
        "b",
        (
            Passage(2000.0, 5000.0, 0.0, 0.97, False, 0.1),
            Passage(5000.0, 8000.0, 6000.0, 0.97, True, 0.2, (2000.0, 12_000.5)),
        ),
        0.8,
    )
    return Warp.of(8000, RATE, [first, cut, Found("c", (), 0.7)])


def test_a_warp_comes_back_from_its_file(tmp_path: Path) -> None:
    warp().save(tmp_path / "warp.json")
    again = Warp.load(tmp_path / "warp.json", RATE, ["a", "b", "c"])
    assert again.present == ["a", "b"]
    assert again.samples == 8000
    for name, found in warp().tracks.items():
        assert again.tracks[name].confidence == found.confidence
        for one, known in zip(again.tracks[name].passages, found.passages, strict=True):
            assert dataclasses.astuple(one)[:-1] == pytest.approx(dataclasses.astuple(known)[:-1], rel=1e-14)
            assert one.also == pytest.approx(known.also, rel=1e-14)
    twice = Warp.load(tmp_path / "warp.json", 2 * RATE)
    assert twice.samples == warp().at_rate(2 * RATE).samples == 16000
    assert twice.tracks["b"].passages[1].start == pytest.approx(12000)
    assert warp().at_rate(2 * RATE).tracks["b"].passages[1].start == 12000
    assert warp().at_rate(2 * RATE).tracks["b"].passages[1].also == (4000.0, 24_001.0)
    # Files of before ``also``, and passages that are nowhere else, have no such key.
    assert "also" not in (tmp_path / "warp.json").read_text().split('"b"')[0]


def test_tracks_that_a_file_does_not_name_are_absent(tmp_path: Path) -> None:
    warp().save(tmp_path / "warp.json")
    assert Warp.load(tmp_path / "warp.json", RATE, ["d", "a", "b", "c"]).tracks["d"].passages == ()


WRONG = {
    "no warp": ({"djgraph_warp": 2}, "no warp file: its djgraph_warp is 2"),
    "no mapping": ([], "no warp file"),
    "overlap": ("begins", "before the one before it ends"),
    "backwards": ("ends", "has to end later"),
    "beyond": ("beyond", "and the mix at 1 s"),
    "fast": ("fast", "rate"),
    "nowhere": ("nowhere", "also"),
    "unknown": ("unknown", "there is no track"),
    "endless": ("endless", "begins"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_file_is_told_with_its_place(name: str, tmp_path: Path) -> None:
    change, message = WRONG[name]
    data = warp().to_dict()
    track = data["tracks"]["b"]  # type: ignore[index]
    if isinstance(change, str):
        if change == "begins":
            track["passages"][1]["begins"] = 0.5
        elif change == "ends":
            track["passages"][0]["ends"] = 0.1
        elif change == "beyond":
            track["passages"][1]["ends"] = 1.5
        elif change == "fast":
            track["passages"][0]["rate"] = 4.5
        elif change == "nowhere":
            track["passages"][1]["also"] = [0.0, 1e9]
        elif change == "endless":
            track["passages"][0]["begins"] = 1e9
        else:
            data["tracks"] = {"track": track}
    else:
        data = change  # type: ignore[assignment]
    (tmp_path / "warp.json").write_text(json.dumps(data, indent=1))
    with pytest.raises(InputError, match=message) as problem:
        Warp.load(tmp_path / "warp.json", RATE, ["a", "b", "c"])
    assert str(tmp_path / "warp.json:").rstrip(":") in str(problem.value)


def test_a_deck_plays_passages_and_silence_between() -> None:
    """Against the sine itself at the places that the passages say."""
    n = torch.arange(RATE, dtype=torch.float64)

    def tone(position: torch.Tensor) -> torch.Tensor:
        return torch.sin(2 * math.pi * 440 / RATE * position)

    passages = (
        Passage(100.5, 2000.0, 1000.25, 1.01, False, 0.0),
        Passage(2000.0, 3000.0, 500.0, 0.5, False, 0.0),
    )
    deck = PassageDeck(MemoryMaterial({"x": tone(n).float()[None]}), passages, RATE)
    whole = deck.read(0, 4000)["x"][0].double()
    time = n[:4000]
    wanted = torch.where(time < 2000, tone(1000.25 + 1.01 * (time - 100.5)), tone(500 + 0.5 * (time - 2000)))
    wanted = torch.where((time >= 101) & (time < 3000), wanted, 0.0)
    assert float((whole - wanted).abs().max()) < 1e-4
    blocks = torch.cat([deck.read(at, 333)["x"][0].double() for at in range(0, 3996, 333)])
    assert torch.equal(blocks, whole[: len(blocks)])


def test_key_locked_passages_keep_their_pitch() -> None:
    n = torch.arange(4 * 44100, dtype=torch.float64)
    tone = torch.sin(2 * math.pi * 440 / 44100 * n).float()[None]
    passages = (
        Passage(1000.5, 60_000.0, 500.25, 1.06, True, 0.0),
        Passage(60_000.0, 120_000.0, 20_000.0, 0.94, True, 0.0),
    )
    deck = PassageDeck(MemoryMaterial({"x": tone}), passages, 44100)
    x = deck.read(0, 130_000)["x"][0].double()
    assert not x[:1001].any()
    assert not x[120_000:].any()
    for begins in (10_000, 70_000):
        part = x[begins : begins + 40_000]
        wave = torch.exp(2j * math.pi * 440 / 44100 * n[:40_000])
        assert abs(complex((part * wave).mean())) == pytest.approx(
            0.5, abs=0.01
        )  # all of it is 440 Hz, in one phase
    blocks = torch.cat([deck.read(at, 3333)["x"][0].double() for at in range(0, 120_000, 3333)])
    assert torch.equal(blocks[: len(x)], x[: len(blocks)])
