"""The demo's tracks as the studio reads them, against all of them at once."""

from __future__ import annotations

import pytest
import torch

from djgraph.automation import TempoMap
from djgraph.demo import demo_tracks
from djgraph.rendering.matched import matched
from djgraph.studio.samples import DemoFeed

from .served import compiled

RATE = 44100


@pytest.mark.parametrize("bpm", [120.0, 140.0])
def test_the_demo_is_read_in_pieces_as_it_is_matched(bpm: float) -> None:
    tracks = demo_tracks(RATE, 1.5)
    given = {name: (name, stems) for name, stems in tracks.items()}
    feed = DemoFeed(compiled("dj_mixer").graph, given, None, {}).at_tempo(TempoMap(bpm))
    wanted = matched(tracks, RATE, bpm)
    assert feed.samples == round(1.5 * RATE * 120 / bpm)
    for first, samples in ((0, 30_000), (30_000, feed.samples - 30_000), (-100, 200), (feed.samples - 5, 10)):
        read = feed.read(first, samples)
        for name, stems in wanted.items():
            for stem, whole in stems.items():
                padded = torch.nn.functional.pad(whole, (100, 100))[:, first + 100 : first + 100 + samples]
                torch.testing.assert_close(read[name][stem], padded, atol=1e-6, rtol=0)
