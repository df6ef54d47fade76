"""Streams of graphs whose inputs are played from material: equal to the whole, for any cut, from any reader."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import djgraph
from djgraph.analysis.grid import Grid
from djgraph.decks import MemoryMaterial
from djgraph.errors import InputError

RATE, SAMPLES = 8000, 3001


def graph(sync="off"):
    source = {"effect": "deck", "settings": {"sync": sync}}
    return djgraph.load(
        {
            "djgraph": 1,
            "name": "decks",
            "sample_rate": RATE,
            "inputs": [{"name": "a", "stems": ["x", "y"], "source": source}, {"name": "b", "source": "deck"}],
            "mixer": [
                {"strip": "x", "input": "a.x", "chain": ["gain", "lowpass"], "to": "master"},
                {"strip": "y", "input": "a.y", "to": "master"},
                {"strip": "b", "input": "b", "chain": ["delay"], "to": "master"},
                {"bus": "master"},
            ],
            "outputs": ["master"],
        }
    )


def noise(*shape, seed=0):
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def score(layout, frames=5, seed=3):
    rows = layout.default.expand(frames, -1).clone()
    generator = torch.Generator().manual_seed(seed)
    for name, low, high in (
        ("a.rate", 0.5, 2),
        ("b.rate", 0.8, 1.2),
        ("b.start", 0, 0.1),
        ("x.gain.gain", 0, 1),
    ):
        rows[:, layout.index(name)] = low + (high - low) * torch.rand(frames, generator=generator)
    return rows, torch.linspace(0, SAMPLES - 1, frames).round().long()


def material(grid=None):
    a = MemoryMaterial({"x": noise(2, 6000), "y": noise(1, 6000, seed=1)}, grid=grid)
    return {"a": a, "b": noise(1, 2, 4000, seed=2)}


MIXERS = {sync: djgraph.compile(graph(sync)) for sync in ("off", "bar")}
GRID = Grid.at_tempo(97.0, 0.05)


@pytest.mark.parametrize("sync", ["off", "bar"])
@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(1, SAMPLES - 1), max_size=6, unique=True))
def test_a_stream_equals_the_whole(sync, cuts):
    mixer, tempo = MIXERS[sync], None if sync == "off" else torch.tensor([[100.0, 130.0]])
    params, positions = score(mixer.layout)
    kwargs = {} if tempo is None else {"tempo": tempo[:, :1]}
    whole = mixer(material(GRID), params, positions=positions, samples=SAMPLES, **kwargs)
    stream = mixer.stream(
        score=(params, positions),
        material=material(GRID),
        **({} if tempo is None else {"tempo": float(tempo[0, 0])}),
    )
    edges = [0, *sorted(cuts), SAMPLES]
    blocks = [stream(samples=b - a) for a, b in itertools.pairwise(edges)]
    out = torch.cat([*blocks, stream.finish()], -1)[..., stream.latency :]
    torch.testing.assert_close(out, whole, rtol=0, atol=2e-6)


def test_a_stream_goes_on_from_its_state():
    mixer = MIXERS["off"]
    params, positions = score(mixer.layout)
    one = mixer.stream(score=(params, positions), material=material())
    one(samples=1111)
    other = mixer.stream(score=(params, positions), material=material(), state=one.state())
    assert torch.equal(one(samples=700), other(samples=700))
    with pytest.raises(InputError, match="none of this mixer's streams"):
        MIXERS["bar"].stream(
            score=(params, positions), tempo=100.0, material=material(GRID), state=one.state()
        )


def test_gradients_pass_through_blocks():
    mixer = djgraph.compile(graph())
    params, positions = score(mixer.layout)
    grads = []
    for cut in (None, 1200):
        rows = params.double().clone().requires_grad_()
        track = {"a": {"x": noise(1, 2, 6000).double(), "y": noise(1, 2, 6000, seed=1).double()}}
        track["b"] = noise(1, 2, 4000, seed=2).double().requires_grad_()
        if cut is None:
            out = mixer(track, rows, positions=positions, samples=SAMPLES)
        else:
            stream = mixer.stream(score=(rows, positions), material=track, dtype=torch.float64)
            blocks = [stream(samples=cut), stream(samples=SAMPLES - cut), stream.finish()]
            out = torch.cat(blocks, -1)[..., stream.latency :]
        out.square().sum().backward()
        grads.append((rows.grad, track["b"].grad))
    for got, want in zip(*grads):
        torch.testing.assert_close(got, want, rtol=1e-7, atol=1e-10)


class Watched(MemoryMaterial):
    """Notes what is read of it."""

    most, read_at_all = 0, 0

    def read(self, first, samples):
        self.most, self.read_at_all = max(self.most, samples), self.read_at_all + samples
        return super().read(first, samples)


def test_only_what_a_block_needs_is_read():
    mixer = MIXERS["off"]
    track = Watched({"x": noise(2, 60_000), "y": noise(2, 60_000, seed=1)})
    stream = mixer.stream(material={"a": track, "b": noise(1, 2, 100)})
    for _ in range(20):
        stream(params=mixer.layout.default, samples=512)
    assert track.most < 512 + 200
    assert track.read_at_all < 20 * 712


def test_what_does_not_fit_is_told():
    mixer = MIXERS["off"]
    with pytest.raises(InputError, match="missing material: a, b"):
        mixer.stream()
    with pytest.raises(InputError, match="plays no input 'c' from material"):
        mixer.stream(material={**material(), "c": noise(1, 2, 9)})
    with pytest.raises(InputError, match="this stream has a batch of 1, but b has 2"):
        mixer.stream(material={**material(), "b": noise(2, 2, 9)})
    stream = mixer.stream(material=material())
    with pytest.raises(InputError, match="say how long the mix is"):
        stream(params=mixer.layout.default)
    assert stream(params=mixer.layout.default, samples=5).shape == (1, 2, 5)
