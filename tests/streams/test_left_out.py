"""What streams leave out behind and before closed switches: nothing changes by it, and effects are not called."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
import torch
from effort import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runtime.mixes import make_params

import djgraph
from djgraph.effects import is_silent
from djgraph.errors import InputError
from djgraph.graph import load
from djgraph.host.calls import EffectCall
from djgraph.mixer import Mixer

from .playing import cut, play

RATE = 16000
CHAINS: list[list[Any]] = [
    [],
    [{"effect": "delay_samples", "settings": {"samples": 40}}],
    ["phaser", "saturate"],
    [{"effect": "filter", "settings": {"kind": "highpass"}}, "crush"],
    [{"effect": "convolve", "settings": {}}],
    ["ringmod", "chorus"],
    ["lowpass", "tremolo"],
    ["compressor", {"effect": "isolator"}],
    [{"effect": "saturate", "settings": {"oversampling": 2}}],
    ["flanger"],
    ["eq3"],
    ["multitap"],
    [{"effect": "delay_beats", "settings": {"beats": 0.01}}],
]
"""What a switch chooses among; some of it rings out within the clips of these tests, some does not."""


OPEN = (2 + 2 * 6, 2 + 2 * 7)
"""Nodes that run in a batch of two: in the whole clip, and in six of ten blocks or, where they lag, in one more."""


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many nodes of each effect were run, by its type."""
    count: Counter[str] = Counter()
    process = EffectCall.process

    def counting(self: EffectCall, audio: Any, controls: Any, state: Any, block: Any, size: Any) -> Any:
        count[self.module.type] += size[0]
        return process(self, audio, controls, state, block, size)

    monkeypatch.setattr(EffectCall, "process", counting)
    return count


def switched(chains: list[list[Any]], **strip: Any) -> dict[str, Any]:
    """A strip whose switch ``fx`` chooses one of several chains."""
    choices = {f"way_{number}": chain for number, chain in enumerate(chains)}
    return {
        "djgraph": 1,
        "name": "switched",
        "sample_rate": RATE,
        "transform": {"size": 64, "hop": 16},
        "inputs": [{"name": "track"}],
        "mixer": [
            {
                "strip": "a",
                "input": "track",
                "chain": [{"switch": "fx", "choices": choices}],
                "to": "master",
                **strip,
            },
            {"strip": "b", "input": "track", "chain": ["gain"], "to": "master"},
            {"bus": "master"},
        ],
        "outputs": ["master"],
    }


def numbered(chains: list[list[Any]]) -> list[list[Any]]:
    """The chains with an id for each node."""
    return [
        [
            {**({"effect": item} if isinstance(item, str) else item), "id": f"n{number}_{place}"}
            for place, item in enumerate(chain)
        ]
        for number, chain in enumerate(chains)
    ]


def tempo_for(mixer: Mixer) -> float | None:
    return 97.0 if mixer.compiled.uses_clock else None


def played(
    mixer: Mixer, params: Any, positions: Any, seed: int, samples: int, blocks: list[int], **options: Any
) -> Any:
    """The whole clip, and the same from a stream without gradients."""
    audio = (
        torch.rand(2, 2, samples, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.5
    )
    tempo = tempo_for(mixer)
    with torch.no_grad():
        whole = mixer({"track": audio}, params, positions=positions, tempo=tempo)
        stream = mixer.stream(batch=2, score=(params, positions), dtype=torch.float64, tempo=tempo, **options)
        return whole, play(stream, {"track": audio}, itertools.cycle(blocks))[0]


POSITIONS = st.lists(
    st.tuples(st.integers(0, 3), st.booleans(), st.integers(20, 900)), min_size=1, max_size=6
)


def frames_of(mixer: Mixer, steps: list[tuple[int, bool, int]], ways: int, seed: int) -> tuple[Any, Any, int]:
    """Params that stand still between changes of 10 samples: the switch's positions, mute, everything else anywhere."""
    layout, place, positions, values = mixer.layout, 0, [], []
    for number, (position, mute, length) in enumerate(steps):
        frame = make_params(mixer, 1, 1, torch.float64, seed + number)[0, 0]
        frame[layout.index("a.fx")] = min(position, ways - 1)
        if "a.mute" in layout.names:
            frame[layout.index("a.mute")] = float(mute)
        positions += [place, place + length]
        values += [frame, frame]
        place += length + 10
    return torch.stack(values), torch.tensor(positions), place


@settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    chains=st.lists(st.sampled_from(CHAINS), min_size=2, max_size=4),
    steps=POSITIONS,
    mute=st.booleans(),
    blocks=st.lists(st.integers(1, 300), min_size=1, max_size=5),
    lowering=st.sampled_from(["studio", "causal"]),
    seed=st.integers(0, 100),
)
def test_a_stream_still_equals_the_whole_clip(
    chains: Any, steps: Any, mute: bool, blocks: list[int], lowering: Any, seed: int
) -> None:
    graph = load(switched(numbered(chains), mute=mute))
    mixer = Mixer(graph, lowering=lowering).double()
    params, positions, samples = frames_of(mixer, steps, len(chains), seed)
    whole, made = played(mixer, params, positions, seed, samples, blocks)
    assert torch.allclose(made, whole, atol=1e-9)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    chains=st.lists(st.sampled_from(CHAINS), min_size=2, max_size=4),
    steps=POSITIONS,
    blocks=st.lists(st.integers(20, 300), min_size=1, max_size=5),
    unheard=st.sampled_from(["exact", "rest"]),
    seed=st.integers(0, 100),
)
def test_saved_streams_go_on_bit_for_bit(
    chains: Any, steps: Any, blocks: list[int], unheard: Any, seed: int
) -> None:
    mixer = Mixer(load(switched(numbered(chains), mute=True)))
    params, positions, samples = frames_of(mixer, steps, len(chains), seed)
    audio = {"track": torch.rand(1, 2, samples, generator=torch.Generator().manual_seed(seed)) - 0.5}
    options = {"score": (params.float(), positions), "unheard": unheard, "tempo": tempo_for(mixer)}
    with torch.inference_mode():
        stream, start = mixer.stream(**options), 0
        for length in itertools.cycle(blocks):
            if start >= samples:
                break
            block = cut(audio, start, start + length)
            again = mixer.stream(**options, state=stream.state())
            assert torch.equal(again(block), stream(block))
            assert again.state().keys() == stream.state().keys()
            start += length
        again = mixer.stream(**options, state=stream.state())
        assert torch.equal(again.finish(), stream.finish())


def test_chains_that_are_not_chosen_are_not_called(called: Counter[str]) -> None:
    chains = numbered(
        [[], ["phaser"], [{"effect": "convolve"}], ["chorus", "saturate"], ["lowpass", "flanger"]]
    )
    mixer = Mixer(load(switched(chains))).double()
    params = mixer.layout.pack({"a.fx": [1.0, 1.0, 3.0, 3.0]}, n_frames=4)
    positions = torch.tensor([0, 8000, 8100, 15999])
    whole, made = played(mixer, params.double(), positions, 0, 16000, [100])
    assert torch.allclose(made, whole, atol=1e-9)
    streamed = {name: count - 2 for name, count in called.items()}  # less the whole clip's
    blocks = 2 * 160
    assert blocks * 0.5 <= streamed["phaser"] <= blocks * 0.75  # it rings a while
    assert blocks * 0.5 <= streamed["chorus"] <= blocks * 0.55
    assert blocks * 0.5 <= streamed["saturate"] <= blocks * 0.6
    assert streamed["convolve"] == streamed["flanger"] == 0


def test_one_of_several_decks_is_called(called: Counter[str]) -> None:
    """Equal effects of several strips share a call; those that are at rest take no part in it."""
    decks = ["a", "b", "c"]
    document = {
        **switched([[]]),
        "inputs": [{"name": "track"}],
        "mixer": [
            *(
                {
                    "strip": deck,
                    "input": "track",
                    "chain": [{"switch": "fx", "choices": {"none": [], "phaser": ["phaser"]}}],
                    "to": "master",
                }
                for deck in decks
            ),
            {"bus": "master"},
        ],
    }
    mixer = Mixer(load(document)).double()
    wanted = {f"{deck}.phaser.mix": 0.5 for deck in decks} | {"b.fx": 1.0, "c.fx": [0.0, 0.0, 1.0, 1.0]}
    params = mixer.layout.pack(wanted, n_frames=4).double()
    whole, made = played(mixer, params, torch.tensor([0, 400, 410, 999]), 0, 1000, [100])
    assert torch.allclose(made, whole, atol=1e-12)
    assert called["phaser"] in [
        4 + 2 * 11 + count for count in OPEN
    ]  # the last block is what is inside at the end


def test_with_gradients_everything_is_computed(called: Counter[str]) -> None:
    mixer = Mixer(load(switched(numbered([[], ["phaser"]]))))
    params = mixer.layout.default.clone().requires_grad_()
    stream = mixer.stream()
    for _ in range(3):
        stream({"track": torch.rand(1, 2, 100)}, params)
    assert called["phaser"] == 3
    with torch.no_grad():
        for _ in range(3):
            stream({"track": torch.rand(1, 2, 100)}, params)
    assert called["phaser"] == 3


def test_graphs_without_switches_have_no_gates() -> None:
    for name in ("dj_mixer", "dj_mixer_live"):
        assert djgraph.compile(name).stream()._plan.gates is None


def test_a_switch_among_buses_leaves_the_reverb_out(called: Counter[str]) -> None:
    document = switched([[]])
    document["mixer"] = [
        {
            "strip": "a",
            "input": "track",
            "chain": ["gain"],
            "sends": [{"name": "unit", "switch": {"name": "unit", "choices": {"off": [], "room": "room"}}}],
            "to": "master",
        },
        {"bus": "room", "chain": [{"effect": "fdn", "controls": {"mix": 1}}], "to": "master"},
        {"bus": "master"},
    ]
    mixer = Mixer(load(document)).double()
    params = mixer.layout.pack({"a.unit": [0.0, 0.0, 1.0, 1.0], "a.unit_send": 1.0}, n_frames=4).double()
    whole, made = played(mixer, params, torch.tensor([0, 400, 410, 999]), 0, 1000, [100])
    assert torch.allclose(made, whole, atol=1e-9)
    assert called["fdn"] in OPEN


def test_before_a_mute_what_remembers_nothing_is_left_out(called: Counter[str]) -> None:
    mixer = Mixer(load(switched(numbered([["filter", "width"], []]), mute=True))).double()
    params = mixer.layout.pack({"a.mute": [1.0, 1.0, 0.0, 0.0]}, n_frames=4).double()
    whole, made = played(mixer, params, torch.tensor([0, 400, 410, 999]), 0, 1000, [100])
    assert torch.allclose(made, whole, atol=1e-12)
    assert called["width"] in OPEN
    assert called["filter"] == 2 + 2 * 11  # the last one is what is inside at the end


def test_with_rest_what_was_muted_begins_from_silence(called: Counter[str]) -> None:
    """As a stream that begins where the mute opens; the gain of the mute is heard on a chain without effects."""
    chain = [
        {"effect": "phaser", "controls": {"mix": 0.5, "rate": 3}},
        {"effect": "delay", "controls": {"mix": 0.5}},
    ]
    documents = [{**switched([[], []], mute=True)} for _ in range(2)]
    documents[0]["mixer"][0]["chain"], documents[1]["mixer"][0]["chain"] = numbered([chain])[0], []
    muted, plain = (Mixer(load(document)).double() for document in documents)
    positions, samples, opens = torch.tensor([0, 3000, 3010, 5999]), 6000, 2960
    wanted = {"a.mute": [1.0, 1.0, 0.0, 0.0], "b.gain.gain": 0.0}
    params = muted.layout.pack(wanted, n_frames=4).double()
    audio = torch.rand(2, 2, samples, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5
    with torch.no_grad():
        fresh = muted({"track": audio[..., opens:]}, params[-1:])
        gain = plain(
            {"track": torch.ones_like(audio)},
            plain.layout.pack(wanted, n_frames=4).double(),
            positions=positions,
        )
        called.clear()
        stream = muted.stream(batch=2, score=(params, positions), dtype=torch.float64, unheard="rest")
        assert stream.latency == 40  # so that a block of 500 ends with sample 2959
        (made,) = play(stream, {"track": audio}, itertools.cycle([500]))
    assert not made[..., :opens].any()
    assert torch.allclose(made[..., opens:], fresh * gain[..., opens:], atol=1e-9)
    assert called["phaser"] == called["delay"] == 2 * 7


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    chains=st.lists(st.sampled_from(CHAINS), min_size=2, max_size=4),
    steps=POSITIONS,
    blocks=st.lists(st.integers(1, 300), min_size=1, max_size=5),
    seed=st.integers(0, 100),
)
def test_with_rest_chains_of_a_switch_are_nearly_exact(
    chains: Any, steps: Any, blocks: list[int], seed: int
) -> None:
    """They rest when what is left of them is below -120 dB."""
    mixer = Mixer(load(switched(numbered(chains)))).double()
    params, positions, samples = frames_of(mixer, steps, len(chains), seed)
    whole, made = played(mixer, params, positions, seed, samples, blocks, unheard="rest")
    assert torch.allclose(made, whole, atol=1e-4)


def test_with_rest_what_does_not_tell_rests_after_two_seconds(called: Counter[str]) -> None:
    mixer = Mixer(load(switched(numbered([[], ["limiter"]])))).double()
    params = mixer.layout.pack({"a.fx": [1.0, 1.0, 0.0, 0.0]}, n_frames=4).double()
    positions = torch.tensor([0, RATE, RATE + 10, 5 * RATE - 1])
    for unheard, least, most in (("exact", 80, 81), ("rest", 3 * 16, 3 * 16 + 4)):
        called.clear()
        whole, made = played(mixer, params, positions, 0, 5 * RATE, [1000], unheard=unheard)
        assert torch.allclose(made, whole, atol=1e-9)
        assert least <= called["limiter"] / 2 - 1 <= most


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=2, max_size=8),
    length=st.integers(90, 700),
)
def test_nothing_clicks_with_rest(steps: list[tuple[int, bool]], length: int) -> None:
    """Of a sine through chains that turn its phase, live: no sample is further from the next than cross-fades allow."""
    chains = [
        [],
        [{"effect": "delay_samples", "settings": {"samples": 40}}],
        ["phaser"],
        ["allpass", "delay"],
    ]
    mixer = Mixer(load(switched(numbered(chains), mute=True)))
    sine = 0.5 * torch.sin(2 * torch.pi * 200 / RATE * torch.arange(length * len(steps))).expand(1, 2, -1)
    with torch.inference_mode():
        stream, made = mixer.stream(unheard="rest"), []
        for number, (position, mute) in enumerate(steps):
            wanted = {"a.fx": float(position), "a.mute": float(mute), "a.n2_0.mix": 0.5, "b.gain.gain": 0.0}
            wanted = {name: value for name, value in wanted.items() if name in mixer.layout.names}
            frame = mixer.layout.pack(wanted).flatten()
            made.append(stream({"track": sine[..., number * length : (number + 1) * length]}, frame))
    heard = torch.cat(made, -1)
    # The sine itself moves by 0.04 in a sample, and is cross-faded with another one in 80 samples or more.
    assert float(heard.diff(dim=-1).abs().max()) < 2 * 0.04 + 4 * 1.0 / 80


def test_explain_says_what_is_left_out() -> None:
    mixer = Mixer(load(switched(numbered([[], ["phaser", "width"], ["limiter"]]), mute=True)))
    text = mixer.explain(stream=True).split("left out")[1]
    assert "  a.fx:way_1 closed: rung out: a.n1_0, a.n1_1\n" in text
    assert "a.fx:way_2" not in text.partition("a.mute:solo")[0]  # a limiter does not tell
    mute = text.partition("a.mute:solo closed: ")[2]
    assert mute.startswith('unheard: a.fx:way_0, a.n1_1; with unheard="rest": ')
    assert "a.n1_0" in mute
    assert "left out" not in djgraph.compile("dj_mixer").explain(stream=True)


def test_what_is_no_way_is_refused() -> None:
    with pytest.raises(InputError, match=r"unheard is one of exact, rest, not 'resting'.*did you mean"):
        djgraph.compile("dj_mixer").stream(unheard="resting")  # type: ignore[arg-type]


def test_what_counts_as_silence() -> None:
    assert is_silent(torch.zeros(3), torch.full((2,), -(2.0**-80)), torch.empty(0))
    assert not is_silent(torch.tensor([0.0, 1e-20]))
    assert not is_silent(torch.tensor([0.0, float("nan")]))
    assert is_silent(torch.tensor([1e-7], dtype=torch.float64), below=1e-6)
