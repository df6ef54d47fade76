"""MoisesDB's and Slakh2100's folders, residual stems, changes at random."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch.utils.data import DataLoader
from two_decks import RATE

from djgraph.audio import STEMS, read
from djgraph.data import StemPairs, find_tracks, random_state
from djgraph.data.augment import Chain, FlipPolarity, Gains, Silence, SwapSides
from djgraph.errors import AudioFileError, InputError

from .conftest import write_track


def noise(path: Path, seed: int, seconds: float = 2.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = 0.05 * np.random.default_rng(seed).standard_normal((round(seconds * RATE), 2))
    soundfile.write(path, audio, RATE, subtype="FLOAT" if path.suffix == ".wav" else None)
    return path


def moises(folder: Path) -> Path:
    """As version 0.1 lies on disk: provider, UUID, kind, UUID.wav."""
    stems: list[dict[str, Any]] = []
    kinds = {"drums": 2, "bass": 1, "vocals": 2, "guitar": 1, "percussion": 1, "bowed_strings": 1}
    for i, (kind, count) in enumerate(kinds.items()):
        tracks = [{"id": f"{kind}-{j}", "trackType": "x", "extension": "wav"} for j in range(count)]
        stems.append({"id": str(i), "stemName": kind, "tracks": tracks})
        for j in range(count):
            # They begin together and end when they like.
            noise(folder / kind / f"{kind}-{j}.wav", 10 * i + j, 2.0 - 0.3 * j)
    about = {"song": "Song", "artist": "Artist", "genre": "rock", "stems": stems}
    (folder / "data.json").write_text(json.dumps(about))
    return folder


def slakh(folder: Path) -> Path:
    stems = {
        "S00": ("Guitar", False),
        "S01": ("Bass", False),
        "S02": ("Drums", True),
        "S03": ("Piano", False),
        "S04": ("Piano", False),
    }
    text = "UUID: abc\nstems:\n"
    for i, (name, (kind, drum)) in enumerate(stems.items()):
        text += f"  {name}:\n    inst_class: {kind}\n    is_drum: {str(drum).lower()}\n    audio_rendered: {i != 4}\n"
        if i != 4:
            noise(folder / "stems" / f"{name}.flac", i)
    (folder / "metadata.yaml").write_text(text)
    parts = [read(file)[0] for file in sorted((folder / "stems").iterdir())]
    soundfile.write(folder / "mix.flac", torch.stack(parts).sum(0).T.numpy(), RATE, subtype="PCM_24")
    return folder


def test_moisesdb(tmp_path: Path) -> None:
    folder = moises(tmp_path / "moisesdb_v0.1" / "provider" / "uuid")
    (track,) = find_tracks(tmp_path, (*STEMS, "mixture"))
    assert track.name == "moisesdb_v0.1/provider/uuid"
    assert track.info["artist"] == "Artist"
    assert {part: len(files) for part, files in track.parts.items()} == {
        "mixture": 8,
        "drums": 2,
        "bass": 1,
        "vocals": 2,
        "other": 3,
    }
    found = track.read(100, 30_000, RATE)
    torch.testing.assert_close(sum(found[stem] for stem in STEMS), found["mixture"])
    drums = torch.zeros(2, round(2 * RATE))
    for j in range(2):
        audio, _ = read(folder / "drums" / f"drums-{j}.wav")
        drums[:, : audio.shape[1]] += audio
    wanted = torch.nn.functional.pad(drums, (0, 30_000))[:, 100:30_100]
    torch.testing.assert_close(found["drums"], wanted)
    # What is asked for by its own name is no more a part of `other`.
    (track,) = find_tracks(tmp_path, (*STEMS, "guitar", "piano"), optional=("piano",))
    assert (len(track.parts["other"]), len(track.parts["guitar"]), "piano" in track.parts) == (2, 1, False)
    with pytest.raises(AudioFileError, match=r"no recording of piano; it has: drums, bass, vocals, guitar"):
        find_tracks(tmp_path, (*STEMS, "piano"))


def test_slakh(tmp_path: Path) -> None:
    slakh(tmp_path / "slakh2100" / "train" / "Track00001")
    (track,) = find_tracks(tmp_path, (*STEMS, "mixture"), optional=("vocals",))
    assert {part: [file.name for file in files] for part, files in track.parts.items()} == {
        "mixture": ["mix.flac"],
        "drums": ["S02.flac"],
        "bass": ["S01.flac"],
        "other": ["S00.flac", "S03.flac"],
    }
    found = track.read(0, 10_000, RATE, dict.fromkeys((*STEMS, "mixture"), 2))
    assert not found["vocals"].any()
    torch.testing.assert_close(sum(found[stem] for stem in STEMS), found["mixture"], atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"stems": 1}, "expected a mapping with stems"),
        ({"stems": [{"stemName": "drums"}]}, "stemName and tracks"),
        ({"stems": [{"stemName": "drums", "tracks": [{"extension": "wav"}]}]}, "id and extension"),
        ({"stems": [{"stemName": "..", "tracks": [{"id": "x"}]}]}, "outside the track's folder"),
        ({"stems": [{"stemName": "drums", "tracks": [{"id": "../../x"}]}]}, "outside the track's folder"),
        ({"stems": [{"stemName": "drums", "tracks": [{"id": "gone"}]}]}, "not there: drums/gone.wav"),
    ],
)
def test_descriptions_that_lead_astray(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    moises(tmp_path / "one")
    (tmp_path / "one" / "data.json").write_text(json.dumps(change))
    with pytest.raises(AudioFileError, match=fault) as caught:
        find_tracks(tmp_path)
    assert "data.json:1:" in str(caught.value)


def test_files_of_these_names_elsewhere_are_no_tracks(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text("[1, 2]")
    (tmp_path / "metadata.yaml").write_text("a: b")
    write_track(tmp_path / "deeper" / "Song", stems=STEMS)
    assert [track.name for track in find_tracks(tmp_path)] == ["deeper/Song"]


@pytest.mark.parametrize("below", ["", "stems"])
def test_a_plain_track_may_have_files_of_these_names(tmp_path: Path, below: str) -> None:
    write_track(tmp_path / "Song" / below, stems=STEMS)
    (tmp_path / "Song" / "data.json").write_text("[1, 2]")
    (tmp_path / "Song" / "metadata.yaml").write_text("artist: Somebody")
    (track,) = find_tracks(tmp_path)
    assert {stem: [file.name for file in files] for stem, files in track.parts.items()} == {
        stem: [f"{stem}.wav"] for stem in STEMS
    }


@pytest.mark.parametrize("residual", ["rest", "other"])
def test_stems_and_a_residual_add_up_to_the_mixture(tmp_path: Path, residual: str) -> None:
    write_track(tmp_path / "in" / "Song", stems=(*STEMS, "mixture"), suffix=".flac")
    (track,) = find_tracks(tmp_path / "in", STEMS, residual=residual)
    found = track.read(500, 3000, RATE, dict.fromkeys((*STEMS, residual), 2))
    mixture, _ = read(track.folder / "mixture.flac")
    torch.testing.assert_close(sum(found.values()), mixture[:, 500:3500])
    if residual == "rest":
        drums, _ = read(track.folder / "drums.flac")
        torch.testing.assert_close(found["drums"], drums[:, 500:3500])
    pairs = StemPairs([track, track], 0.5, RATE, stems=STEMS, residual=residual, length=2)
    assert list(pairs[0]["inputs"]["track_a"]) == list(dict.fromkeys((*STEMS, residual)))
    begin = round(pairs[1]["start"]["track_b"] * RATE)
    rest = mixture - sum(read(track.folder / f"{stem}.flac")[0] for stem in STEMS if stem != residual)
    heard = pairs[1]["inputs"]["track_b"][residual]
    torch.testing.assert_close(heard, rest[:, begin : begin + heard.shape[1]])
    (track.folder / "mixture.flac").unlink()
    with pytest.raises(AudioFileError, match="no file mixture: a residual stem"):
        find_tracks(tmp_path / "in", STEMS, residual=residual)


def item(channels: int = 2) -> dict[str, Any]:
    stems = {
        name: torch.full((channels, 4), i + 1.0) + torch.arange(channels)[:, None]
        for i, name in enumerate(STEMS)
    }
    return {"inputs": {"track_a": dict(stems), "track_b": dict(stems)}}


def test_changes_at_random() -> None:
    before = item()
    gains = []
    for seed in range(300):
        found = Gains(-6, 3)(item(), random_state(seed))
        for deck, stems in before["inputs"].items():
            for name, audio in stems.items():
                ratio = found["inputs"][deck][name] / audio
                assert float(ratio.std()) < 1e-6
                gains.append(20 * float(ratio.mean().log10()))
    assert -6.001 <= min(gains) < -5.9
    assert 2.9 < max(gains) <= 3.001
    assert np.mean(gains) == pytest.approx(-1.5, abs=0.2)

    silent = [Silence(0.5)(item(), random_state(seed))["inputs"]["track_a"] for seed in range(400)]
    counts = [sum(not audio.any() for audio in stems.values()) for stems in silent]
    assert max(counts) == 3
    # Four coins, and the last that falls silent is kept: 2 - 1/16.
    assert np.mean(counts) == pytest.approx(2 - 1 / 16, abs=0.15)
    assert all(
        audio.any()
        for stems in (Silence(1.0)(item(), random_state(1))["inputs"],)
        for audio in [sum(stems["track_a"].values())]
    )

    swapped = SwapSides(1.0)(item(), random_state(1))["inputs"]["track_a"]["bass"]
    assert torch.equal(swapped, before["inputs"]["track_a"]["bass"].flip(0))
    assert torch.equal(
        SwapSides(1.0)(item(1), random_state(1))["inputs"]["track_a"]["bass"],
        item(1)["inputs"]["track_a"]["bass"],
    )
    decks = [FlipPolarity(0.5)(item(), random_state(seed))["inputs"] for seed in range(200)]
    signs = [{float(x.sign().mean()) for x in stems.values()} for one in decks for stems in one.values()]
    assert all(len(sign) == 1 for sign in signs)  # of a deck as a whole
    assert 150 < sum(sign == {-1.0} for sign in signs) < 250
    for wrong in (lambda: Gains(3, -3), lambda: Silence(1.5), lambda: SwapSides(-1), lambda: FlipPolarity(2)):
        with pytest.raises(InputError):
            wrong()


@pytest.mark.slow
def test_changed_items_are_the_same_in_any_worker(library: Path) -> None:
    change = Chain(Gains(-12, 0), Silence(0.3), SwapSides(), FlipPolarity())
    plain, changed = (
        StemPairs(library, 0.5, RATE, stems=("drums", "bass"), length=6, seed=3, transform=transform)
        for transform in (None, change)
    )
    alone = [changed[i] for i in range(6)]
    assert [one["start"] for one in alone] == [plain[i]["start"] for i in range(6)]
    loaded = [one for one in DataLoader(changed, batch_size=None, num_workers=2)]
    for one, other in zip(alone, loaded):
        for deck in ("track_a", "track_b"):
            for stem in ("drums", "bass"):
                assert torch.equal(one["inputs"][deck][stem], other["inputs"][deck][stem])
    assert any(
        not torch.equal(a["inputs"]["track_a"]["drums"], plain[i]["inputs"]["track_a"]["drums"])
        for i, a in enumerate(alone)
    )
    with pytest.raises(InputError, match="expected a callable"):
        StemPairs(library, 0.5, RATE, stems=("drums", "bass"), transform=3)  # type: ignore[arg-type]
