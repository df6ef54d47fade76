"""A plugin's memory is used in its place and nowhere else."""

from __future__ import annotations

import copy
import pickle

import djgraph_pedalboard
import pytest
import torch
from djgraph_pedalboard import seats
from djgraph_pedalboard.builtin import Gain, Reverb
from runs import make, noise, resting, run

import djgraph
from djgraph.effects import Block
from djgraph.errors import EffectError, InputError
from djgraph.plugins import registry, reset

GRAPH = {
    "djgraph": 1,
    "name": "wrapped",
    "inputs": [{"name": "left"}, {"name": "right"}],
    "mixer": [
        *(
            {"strip": name, "input": name, "chain": ["pedalboard_reverb"], "to": "master"}
            for name in ("left", "right")
        ),
        {"bus": "master", "chain": ["pedalboard_brickwall_limiter"]},
    ],
    "outputs": ["master"],
}


@pytest.fixture
def mixer():
    """The plugin in the process's registry, as if it were installed."""
    reset()
    if "pedalboard_reverb" not in registry().effects:
        registry().register(djgraph_pedalboard, name="pedalboard")
    yield djgraph.compile(djgraph.load(GRAPH))
    reset()


def begun(effect, samples=500):
    sound = noise(samples)
    controls = resting(effect, {}, 1, samples)
    block = Block(0, samples, 44100)
    return (
        sound,
        controls,
        block,
        effect.process({"in": sound}, controls, effect.initial_state(1, 2, sound), block)[1],
    )


def test_a_state_is_good_for_one_call():
    effect = make(Reverb)
    sound, controls, block, state = begun(effect)
    effect.process({"in": sound}, controls, state, block)
    with pytest.raises(
        EffectError, match="the plugin of this state is at sample 1000, the state at sample 500"
    ):
        effect.process({"in": sound}, controls, state, block)


def test_a_state_does_not_go_into_a_copy():
    effect = make(Reverb)
    sound, controls, block, state = begun(effect)
    for other in (copy.deepcopy(effect), pickle.loads(pickle.dumps(effect)), make(Reverb)):
        with pytest.raises(EffectError, match="is not here: a plugin's memory stays in its process"):
            other.process({"in": sound}, controls, state, block)


def test_plugins_are_bounded_and_the_oldest_goes(monkeypatch):
    monkeypatch.setattr(seats, "MOST", 4)
    effect = make(Gain)
    sound, controls, block, oldest = begun(effect)
    for _ in range(9):
        begun(effect)
        assert len(effect._seats) <= 4
    with pytest.raises(EffectError, match="is not here"):
        effect.process({"in": sound}, controls, oldest, block)


def test_streams_side_by_side_do_not_hear_each_other():
    effect, values = make(Reverb), {"room_size": 0.9}
    sounds = [noise(3000, seed=seed) for seed in range(3)]
    alone = [run(effect, sound, resting(effect, values, 1, 3000)) for sound in sounds]
    states = [effect.initial_state(1, 2, sounds[0]) for _ in sounds]
    made = [[] for _ in sounds]
    for start in range(0, 3000, 500):
        for number, sound in enumerate(sounds):
            piece = sound[..., start : start + 500]
            out, states[number] = effect.process(
                {"in": piece}, resting(effect, values, 1, 500), states[number], Block(start, 500, 44100)
            )
            made[number].append(out["out"])
    for want, got in zip(alone, made):
        assert torch.equal(torch.cat(got, -1), want)


def test_a_stream_of_a_mixer_is_its_clip(mixer):
    sounds = {"left": noise(7000), "right": noise(7000, seed=1)}
    params = mixer.layout.default.float()[None, None].repeat(1, 2, 1)
    for name, ends in {
        "left.pedalboard_reverb.mix": (1.0, 1.0),
        "left.pedalboard_reverb.room_size": (0.1, 0.9),
        "right.pedalboard_reverb.mix": (0.0, 1.0),
        "master.pedalboard_brickwall_limiter.mix": (1.0, 1.0),
        "master.pedalboard_brickwall_limiter.ceiling_db": (-3.0, -12.0),
    }.items():
        params[0, :, mixer.layout.index(name)] = torch.tensor(ends)
    with torch.no_grad():
        whole = mixer(sounds, params)
        stream = mixer.stream(score=(params, torch.tensor([0, 6999])))
        pieces = [
            stream({"left": a, "right": b}) for a, b in zip(*(s.split(650, -1) for s in sounds.values()))
        ]
        streamed = torch.cat([*pieces, stream.finish()], -1)[..., stream.latency :]
    assert float((whole - sum(sounds.values())).abs().max()) > 0.1
    assert float((streamed - whole).abs().max()) < 1e-5


def test_a_state_of_a_stream_cannot_be_kept(mixer):
    stream = mixer.stream()
    stream({"left": noise(500), "right": noise(500)}, mixer.layout.default.float())
    with pytest.raises(InputError, match="'pedalboard_reverb' remembers in a foreign plugin"):
        stream.state()


def test_explain_counts_without_running_a_plugin(mixer):
    assert "pedalboard_reverb" in mixer.explain()
