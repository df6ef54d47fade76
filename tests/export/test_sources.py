"""Sources in a page, decks and samplers, null against the mixer; what cannot play there is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import djgraph
from djgraph.analysis import Grid
from djgraph.errors import CompileError, InputError
from djgraph.export import program_of
from export.nulls import LIMIT, Case, case, depth, heard, needs_node, null_depth

GRID = Grid(seconds=(0.05, 0.45, 1.0, 2.0), beats=(0.0, 1.0, 2.0, 4.0), meter=2, downbeat=1)
"""Of a track whose tempo changes: 150, 109, and 120 BPM."""


def played(source: str, settings: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A graph of one input with two stems that a source plays."""
    return {
        "djgraph": 1,
        "name": "played",
        "inputs": [
            {
                "name": "track",
                "stems": ["drums", "music"],
                "source": {"effect": source, "settings": settings or {}, **more},
            }
        ],
        "mixer": [
            {"strip": "drums", "input": "track.drums", "chain": ["gain"], "to": "master"},
            {"strip": "music", "input": "track.music", "chain": ["gain"], "to": "master"},
            {"bus": "master"},
        ],
        "outputs": ["master", "drums"],
    }


@needs_node
def test_a_deck_nulls(tmp_path: Path) -> None:
    """Rates from a quarter to four, from somewhere in the track to behind its end."""
    params = {
        "track.start": 0.1 * torch.rand(8, generator=torch.Generator().manual_seed(0)),
        "track.rate": torch.tensor([1, 4, 0.25, 3.5, 1, 4, 2, 1]),
    }
    assert null_depth(case(played("deck"), params=params), tmp_path) < LIMIT


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("sync", ["beat", "bar"])
def test_a_deck_in_time_nulls(sync: str, tmp_path: Path) -> None:
    """Also where the tempo moves, and where it comes back to an earlier stretch of the grid."""
    params = {
        "track.start": torch.linspace(0.9, 0.1, 8),
        "track.rate": 1 + 0.1 * torch.rand(8, generator=torch.Generator().manual_seed(1)),
    }
    one = case(played("deck", {"sync": sync}), 30_011, params=params, grids={"track": GRID})
    one = Case(**{**vars(one), "tempo": torch.linspace(120, 140, len(one.positions))[None]})
    assert null_depth(one, tmp_path) < LIMIT


@needs_node
@pytest.mark.slow
def test_a_deck_between_two_beats_begins_at_the_even_one(tmp_path: Path) -> None:
    grid = Grid(seconds=(0.0, 1.0, 2.0), beats=(0.0, 1.0, 2.0))
    params = {"track.start": 0.5, "track.rate": 1.0, "drums.gain.gain": 1.0}
    one = case(played("deck", {"sync": "beat"}), 5_000, params=params, grids={"track": grid})
    assert null_depth(one, tmp_path) < LIMIT


@needs_node
@pytest.mark.slow
def test_stems_that_end_before_others_are_silent_from_there_on(tmp_path: Path) -> None:
    """A listener drops files of any length onto a page."""
    one = case(played("deck"), 3_000, params={"track.start": 0.0, "track.rate": 0.9})
    short = replace(one, stems=[one.stems[0][:, :1_000], one.stems[1]])
    padded = replace(one, stems=[torch.nn.functional.pad(short.stems[0], (0, 2_000)), one.stems[1]])
    assert depth(heard(short, tmp_path)["master"], padded.mixed()["master"]) < LIMIT


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["shot", "gate"])
def test_a_sampler_nulls(mode: str, tmp_path: Path) -> None:
    """Triggers that come and go, also before a shot has faded."""
    made = torch.Generator().manual_seed(4)
    params = {
        "track.trigger": (torch.rand(60, generator=made) < 0.5).float(),
        "track.start": 0.2 * torch.rand(60, generator=made),
    }
    one = case(played("sampler", {"mode": mode, "fade": 20}), frames=60, params=params)
    assert float(one.mixed()["master"].abs().max()) > 0.1
    assert null_depth(one, tmp_path) < LIMIT


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("source", ["deck", "sampler"])
def test_sources_know_where_they_would_be(source: str, tmp_path: Path) -> None:
    """Where a listener jumps, what the rates and triggers before have done is counted."""
    params = {"track.start": 0.01, "drums.gain.gain": 1.0}
    if source == "sampler":
        params["track.trigger"] = torch.tensor([0.0, 1, 1, 1, 0, 1, 1, 1])  # type: ignore[assignment]
    one = case(played(source), params=params, seed=1)
    got = heard(one, tmp_path, start=11_000)["drums"][:, 11_000:]
    assert depth(got, one.mixed()["drums"][:, 11_000:]) < LIMIT


@needs_node
@pytest.mark.slow
def test_a_source_behind_which_something_lags_nulls_to_its_end(tmp_path: Path) -> None:
    """The limiter looks ahead, and must not see the peak that the deck would have played next."""
    graph = played("deck")
    graph["mixer"][2]["chain"] = ["limiter"]
    params = {"track.start": 0.0, "track.rate": 0.9, "drums.gain.gain": 1.0, "master.limiter.ceiling": -6.0}
    one = case(graph, params=params)
    one.stems[0][:, 18_050] = 30
    assert null_depth(one, tmp_path) < LIMIT


def test_a_deck_with_key_lock_is_refused() -> None:
    mixer = djgraph.compile(played("deck", {"key_lock": True}), lowering="causal")
    with pytest.raises(CompileError, match=r"no JavaScript for key lock.* set key_lock: false"):
        program_of(mixer, djgraph.registry())


def test_beats_that_nobody_knows_are_asked_for() -> None:
    mixer = djgraph.compile(played("deck", {"sync": "bar"}), lowering="causal")
    with pytest.raises(InputError, match=r"track is played by deck in time with the clock.*give them, -i"):
        program_of(mixer, djgraph.registry(), tempo=126)
