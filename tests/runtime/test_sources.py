"""Inputs that sources play, over whole clips: held against reading by hand, and against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import djgraph
from djgraph.analysis.grid import Grid
from djgraph.decks import MemoryMaterial
from djgraph.dsp import read_material
from djgraph.effects import Markers
from djgraph.errors import InputError
from djgraph.runtime.reference import Reference

RATE = 8000


def graph(**settings):
    source = {"effect": "deck", "settings": settings}
    return djgraph.load(
        {
            "djgraph": 1,
            "name": "decks",
            "sample_rate": RATE,
            "inputs": [
                {"name": "a", "stems": ["drums", {"name": "voice", "optional": True}], "source": source},
                {"name": "b", "channels": 1},
            ],
            "mixer": [
                {"strip": "drums", "input": "a.drums", "chain": ["gain"], "to": "master"},
                {"strip": "voice", "input": "a.voice", "to": "master"},
                {"strip": "b", "input": "b", "to": "master"},
                {"bus": "master", "channels": 2},
            ],
            "outputs": ["master"],
        }
    )


def noise(*shape, seed=0):
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def control(layout, **values):
    params = layout.default.double().clone()
    for name, value in values.items():
        params[layout.index(name.replace("__", "."))] = value
    return params


def test_a_deck_at_rest_is_its_track_bit_for_bit():
    mixer = djgraph.compile(graph())
    drums, voice, b = noise(2, 2, 900).float(), noise(2, 1, 900, seed=1).float(), torch.zeros(1, 1, 1200)
    out = mixer({"a": {"drums": drums, "voice": voice}, "b": b}, mixer.layout.default[None])
    assert out.shape == (2, 2, 1200)
    assert torch.equal(out[..., :900], drums + voice)
    assert not out[..., 900:].any()


def test_positions_are_the_sum_of_the_rates_and_the_start():
    mixer = djgraph.compile(graph()).double()
    drums, params = noise(1, 2, 3000), control(mixer.layout, a__start=0.05, a__rate=1.25)
    out = mixer({"a": {"drums": drums}, "b": torch.zeros(1, 1, 500).double()}, params[None])
    position = 0.05 * RATE + 1.25 * torch.arange(500, dtype=torch.float64)
    torch.testing.assert_close(out, read_material(drums, position, 1.25), rtol=0, atol=1e-12)


def test_the_reference_plays_the_same():
    made = graph()
    frames = torch.stack([control(djgraph.compile(made).layout, a__rate=rate) for rate in (0.5, 2, 1)])
    audio = {"a": {"drums": noise(1, 2, 3000)}, "b": noise(1, 1, 800, seed=2)}
    torch.testing.assert_close(djgraph.compile(made)(audio, frames), Reference(made)(audio, frames))


def test_items_of_a_batch_have_positions_of_their_own():
    mixer = djgraph.compile(graph())
    drums, b = noise(1, 2, 2000), torch.zeros(1, 1, 300).double()
    params = torch.stack([control(mixer.layout, a__start=s, a__rate=r) for s, r in ((0, 1), (0.1, 0.7))])
    both = mixer({"a": {"drums": drums}, "b": b}, params[:, None])
    for item in range(2):
        alone = mixer({"a": {"drums": drums}, "b": b}, params[item : item + 1])
        torch.testing.assert_close(both[item : item + 1], alone, rtol=0, atol=1e-12)


def test_gradients_in_material_start_and_rate():
    mixer = djgraph.compile(graph())
    b, low = torch.zeros(1, 1, 60).double(), control(mixer.layout, a__start=0.011, a__rate=1.3)

    def run(drums, start, rate):
        params = torch.cat([torch.stack([start, rate]), low[2:]])
        return mixer({"a": {"drums": drums}, "b": b}, params[None])

    given = (noise(1, 2, 200), low[0].clone(), low[1].clone())
    assert torch.autograd.gradcheck(run, [one.requires_grad_() for one in given])


def test_gradients_in_markers():
    mixer = djgraph.compile(graph())
    drums, b = noise(2, 400), torch.zeros(1, 1, 100).double()

    def run(track):
        material = MemoryMaterial(
            {"drums": drums}, markers=Markers(torch.tensor([0.0, 60.0]).double(), track)
        )
        return mixer({"a": material, "b": b}, control(mixer.layout)[None])

    assert torch.autograd.gradcheck(run, [torch.tensor([30.2, 111.7]).double().requires_grad_()])


def test_markers_jump_and_loop():
    markers = Markers(*torch.tensor([[0.0, 100, 200, 250], [500, 500, 500, 1000], [1, 1, 1, 1]]).double())
    mixer = djgraph.compile(graph())
    drums = noise(2, 2000).float()
    audio = {"a": MemoryMaterial({"drums": drums}, markers=markers), "b": torch.zeros(1, 1, 300)}
    out = mixer(audio, mixer.layout.default[None])[0]
    assert torch.equal(out[:, :100], drums[:, 500:600])
    assert torch.equal(out[:, 100:200], drums[:, 500:600])
    assert torch.equal(out[:, 250:], drums[:, 1000:1050])


@pytest.mark.parametrize("sync", ["beat", "bar"])
def test_beats_lie_on_the_clocks_beats(sync):
    """A click on each of the track's beats sounds where the mix has one, through a ramp of tempo."""
    grid = Grid.at_tempo(97.3, 0.111, meter=3, downbeat=2)
    seconds = grid.at(torch.arange(60).double().numpy())
    place = torch.arange(round(40 * RATE), dtype=torch.float64)
    clicks = sum(torch.exp(-0.5 * ((place - second * RATE) / 3) ** 2) for second in seconds)
    mixer = djgraph.compile(graph(sync=sync))
    samples, tempo = 20 * RATE, torch.tensor([[110.0, 125.0, 118.0]])
    audio = {
        "a": MemoryMaterial({"drums": clicks.expand(2, -1)}, grid=grid),
        "b": torch.zeros(1, 1, samples).double(),
    }
    out = mixer(audio, control(mixer.layout, a__start=3.3)[None], tempo=tempo)[0, 0]
    peaks = [n for n in range(50, samples - 50) if out[n] > 0.5 and out[n - 1] <= out[n] > out[n + 1]]
    assert len(peaks) >= 38
    left, top, right = (out[torch.tensor(peaks) + k].log() for k in (-1, 0, 1))
    exact = torch.tensor(peaks) + 0.5 * (left - right) / (left - 2 * top + right)
    # The clock by hand: tempo goes in straight lines through three frames.
    rate = torch.from_numpy(np.interp(torch.arange(samples), [0, (samples - 1) / 2, samples - 1], tempo[0]))
    beats = torch.cat([torch.zeros(1), (rate / 60 / RATE).cumsum(0)]).double()
    whole = exact.floor().long()
    at = beats[whole] + (exact - whole) * (beats[whole + 1] - beats[whole])
    assert float((at - at.round()).abs().max()) * 60 / 110 * RATE < 0.1


def test_a_bar_of_the_track_begins_where_the_mix_does():
    grid = Grid.at_tempo(120.0, 0.25, meter=4, downbeat=1)
    position = {}
    for sync, start in (("beat", 1.4), ("bar", 1.4), ("bar", 2.6)):
        ramp = torch.arange(10 * RATE, dtype=torch.float64).expand(2, -1) / RATE
        audio = {"a": MemoryMaterial({"drums": ramp}, grid=grid), "b": torch.zeros(1, 1, 9).double()}
        mixer = djgraph.compile(graph(sync=sync))
        out = mixer(audio, control(mixer.layout, a__start=start)[None], tempo=120.0)
        position[sync, start] = float(out[0, 0, 0])
    # Beats at 0.25 + n/2; bars at beats 1, 5, …
    assert position["beat", 1.4] == pytest.approx(1.25, abs=1e-3)
    assert position["bar", 1.4] == pytest.approx(0.75, abs=1e-3)
    assert position["bar", 2.6] == pytest.approx(2.75, abs=1e-3)


def test_what_does_not_fit_is_told():
    mixer = djgraph.compile(graph())
    drums, b, params = torch.zeros(1, 2, 100), torch.zeros(1, 1, 50), mixer.layout.default[None]
    for inputs, message in (
        ({"b": b}, "missing material: a"),
        ({"a": drums, "b": b}, "input a has the stems drums, voice"),
        ({"a": {"voice": drums}, "b": b}, r"missing material: a\.drums"),
        (
            {"a": {"drums": drums, "voice": drums[..., :50]}, "b": b},
            r"a\.voice has 50 samples, but a\.drums has 100",
        ),
        ({"a": {"drums": drums.double()}, "b": b}, "a is torch.float64 on cpu; expected torch.float32"),
        ({"a": 3, "b": b}, "input a is played from material"),
        ({"a": MemoryMaterial({"bass": drums[0]}), "b": b}, "input a has no stem 'bass'"),
        ({"a": MemoryMaterial({"drums": torch.zeros(3, 9)}), "b": b}, r"a\.drums has 3 channels"),
    ):
        with pytest.raises(InputError, match=message):
            mixer(inputs, params)
    synced = djgraph.compile(graph(sync="bar"))
    with pytest.raises(InputError, match="its beats are not known"):
        synced({"a": {"drums": drums}, "b": b}, params, tempo=120.0)
    with pytest.raises(InputError, match="give its tempo in BPM"):
        synced({"a": MemoryMaterial({"drums": drums[0]}, grid=Grid.at_tempo(120)), "b": b}, params)


def test_a_mix_of_sources_only_is_told_how_long_it_is():
    only = djgraph.load(
        {
            "djgraph": 1,
            "name": "only",
            "inputs": [{"name": "a", "source": "deck"}],
            "mixer": [{"strip": "s", "input": "a"}],
            "outputs": ["s"],
        }
    )
    mixer, track = djgraph.compile(only), {"a": torch.ones(1, 2, 40)}
    assert mixer(track, mixer.layout.default[None], samples=70).sum() == 80
    with pytest.raises(InputError, match="say how long the mix is"):
        mixer(track, mixer.layout.default[None])
    with pytest.raises(InputError, match="samples"):
        mixer(track, mixer.layout.default[None], samples=0)


@pytest.mark.parametrize("sync", ["off", "beat", "bar"])
def test_each_item_of_a_batch_may_play_a_track_of_its_own(sync):
    """With its own length and its own grid: as if it were played alone."""
    drift = Grid((0.3, 4.4, 10.1, 20.0), (0, 8, 20, 40), downbeat=1)
    grids = (Grid.at_tempo(97.3, 0.111, meter=3, downbeat=2), Grid.at_tempo(131.0, 0.4), drift)
    tracks = [
        MemoryMaterial({"drums": noise(2, 9000 + 999 * i, seed=i)}, grid=grid) for i, grid in enumerate(grids)
    ]
    mixer = djgraph.compile(graph(sync=sync))
    b, kwargs = torch.zeros(1, 1, 4000).double(), {"tempo": torch.tensor([[120.0, 128.0]])}
    params = control(mixer.layout, a__start=0.35, a__rate=1.1)[None]
    together = mixer({"a": tracks, "b": b}, params, **kwargs)
    assert together.shape == (3, 2, 4000)
    for item, track in enumerate(tracks):
        alone = mixer({"a": track, "b": b}, params, **kwargs)
        torch.testing.assert_close(together[item : item + 1], alone, rtol=0, atol=1e-12)
    stream = mixer.stream(
        batch=3,
        score=(params, torch.tensor([0])),
        material={"a": tracks},
        dtype=torch.float64,
        **({} if sync == "off" else {"tempo": 120.0}),
    )
    steady = {} if sync == "off" else {"tempo": 120.0}
    blocks = [stream({"b": b[..., :1500]}), stream({"b": b[..., 1500:]}), stream.finish()]
    whole = mixer({"a": tracks, "b": b}, params, **steady)
    torch.testing.assert_close(torch.cat(blocks, -1)[..., stream.latency :], whole, rtol=0, atol=1e-9)


def test_a_batch_of_tracks_that_do_not_fit_is_told():
    mixer, b = djgraph.compile(graph()), torch.zeros(1, 1, 50)
    one, two = (
        MemoryMaterial({"drums": torch.zeros(2, 9)}),
        {"drums": torch.zeros(2, 9), "voice": torch.zeros(1, 9)},
    )
    for tracks, message in (
        ([], "is given no track"),
        ([one, MemoryMaterial(two)], "track 2 has other stems"),
        ([one, one, 3], "one for each item of the batch, not"),
    ):
        with pytest.raises(InputError, match=message):
            mixer({"a": tracks, "b": b}, mixer.layout.default[None])
