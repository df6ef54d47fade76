"""Panning into quad and 5.1, and the downmix, against NumPy and the coefficients of ITU-R BS.775."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from djgraph_fx import Downmix, QuadPan, SurroundPan
from effort import gradcheck, gradgradcheck
from hypothesis import given
from hypothesis import strategies as st

from djgraph.errors import GraphError
from djgraph.graph import load
from djgraph.mixer import Mixer
from djgraph.runtime.reference import Reference

from .bench import build, noise, process, unit

R2 = np.sqrt(0.5)
PANS = [QuadPan, SurroundPan]


def quad(p, y, centre=None, lfe=None):
    """The gains of a point: angles in the square, from left to right and from back to front."""
    across, along = (p + 1) * np.pi / 4, (y + 1) * np.pi / 4
    return np.outer([np.sin(along), np.cos(along)], [np.cos(across), np.sin(across)]).ravel()


def surround(p, y, centre, lfe):
    """Pairwise panning over three speakers as an interpolation of angles, blended with the phantom centre."""
    phantom = np.array([np.cos((p + 1) * np.pi / 4), np.sin((p + 1) * np.pi / 4), 0])
    pair = np.array([np.cos((p + 1) * np.pi / 2), 0, np.sin((p + 1) * np.pi / 2)])
    if p > 0:
        pair = np.array([0, np.sin(p * np.pi / 2), np.cos(p * np.pi / 2)])
    front = np.cos(centre * np.pi / 2) * phantom + np.sin(centre * np.pi / 2) * pair
    front /= np.linalg.norm(front)
    angle = (y + 1) * np.pi / 4
    return np.concatenate((np.sin(angle) * front, [0], np.cos(angle) * phantom[:2]))


GAINS = {QuadPan: quad, SurroundPan: surround}


def by_hand(effect, audio, controls):
    """Sample by sample: each side of the signal is a point."""
    out = np.zeros((len(audio), effect.outputs[0].channels, audio.shape[-1]))
    for item in range(audio.shape[0]):
        for n in range(audio.shape[-1]):
            x, *rest = (values[item, 0, n] for values in controls.values())
            rest += [None] * (3 - len(rest))
            sides = audio[item, :, n]
            places = [x] if len(sides) == 1 else [2 * max(x, 0) - 1, 2 * min(x, 0) + 1]
            for place, side in zip(places, sides, strict=True):
                out[item, :, n] += side * GAINS[effect](place, *rest)
            if effect is SurroundPan:
                out[item, 3, n] = rest[2] * sides.mean()
    return out


def wander(effect, *shape, seed=1):
    """Values all over the range of each control, both ends and the middle among them."""
    found = {}
    for number, control in enumerate(effect.controls):
        values = control.min + (control.max - control.min) * unit(*shape, seed=seed + number)
        ends = torch.tensor([control.min, control.max, (control.min + control.max) / 2], dtype=torch.float64)
        values[..., number : number + 3] = ends
        found[control.id] = values
    return found


def run(effect, audio, controls, cuts=None):
    out, state = process(build(effect), audio, controls, cuts)
    assert state == {}
    return out


def constant(effect, audio, **values):
    full = {c.id: torch.full_like(audio[:, :1], values.get(c.id, c.default)) for c in effect.controls}
    return run(effect, audio, full)


@pytest.mark.parametrize("effect", PANS)
@pytest.mark.parametrize("channels", [1, 2])
def test_panning_is_the_closed_form(effect, channels):
    audio, controls = noise(2, channels, 60), wander(effect, 2, 1, 60)
    want = by_hand(effect, audio.numpy(), {name: values.numpy() for name, values in controls.items()})
    np.testing.assert_allclose(run(effect, audio, controls).numpy(), want, atol=1e-14)


@pytest.mark.parametrize("effect", PANS)
@given(x=st.floats(-1, 1), y=st.floats(-1, 1), centre=st.floats(0, 1), lfe=st.floats(0, 1))
def test_the_power_of_a_point_is_the_same_everywhere(effect, x, y, centre, lfe):
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    gains = constant(effect, one, x=x, y=y, centre=centre, lfe=lfe)[0, :, 0].numpy()
    assert (gains >= 0).all()
    low = gains[3] if effect is SurroundPan else 0.0
    assert np.sum(gains**2) - low**2 == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_corners_are_single_speakers_exactly(dtype):
    one = torch.ones(1, 1, 1, dtype=dtype)
    for place, speaker in {(-1, 1): 0, (1, 1): 1, (-1, -1): 2, (1, -1): 3}.items():
        wanted = torch.zeros(4, dtype=dtype)
        wanted[speaker] = 1
        assert torch.equal(constant(QuadPan, one, x=place[0], y=place[1])[0, :, 0], wanted)
    for place, speaker in {(-1, 1): 0, (1, 1): 1, (0, 1): 2, (-1, -1): 4, (1, -1): 5}.items():
        wanted = torch.zeros(6, dtype=dtype)
        wanted[speaker] = 1
        assert torch.equal(constant(SurroundPan, one, x=place[0], y=place[1])[0, :, 0], wanted)


@pytest.mark.parametrize("effect", PANS)
def test_stereo_at_rest_is_left_and_right_bit_for_bit(effect):
    audio = noise(2, 2, 50, dtype=torch.float32)
    out = constant(effect, audio)
    assert torch.equal(out[:, :2], audio)
    assert not out[:, 2:].any()


@pytest.mark.parametrize(("front", "channels"), [(1.0, [0, 1]), (-1.0, [2, 3])])
def test_across_it_is_the_stereo_pan(front, channels):
    """The built-in `pan`, on the front pair and on the rear one."""
    from djgraph_fx import Pan

    audio, x = noise(1, 2, 80), wander(QuadPan, 1, 1, 80)["x"]
    out = run(QuadPan, audio, {"x": x, "y": torch.full_like(x, front)})
    want, _ = process(build(Pan), audio, {"pan": x})
    torch.testing.assert_close(out[:, channels], want, rtol=0, atol=1e-14)


BS775 = {
    1: [[1], [1]],
    2: [[1, 0], [0, 1]],
    3: [[1, 0, R2], [0, 1, R2]],
    4: [[1, 0, R2, 0], [0, 1, 0, R2]],
    5: [[1, 0, R2, R2, 0], [0, 1, R2, 0, R2]],
    6: [[1, 0, R2, 0, R2, 0], [0, 1, R2, 0, 0, R2]],
    7: [[1, 0, R2, 0, 0.5, R2, 0], [0, 1, R2, 0, 0.5, 0, R2]],
    8: [[1, 0, R2, 0, R2, 0, R2, 0], [0, 1, R2, 0, 0, R2, 0, R2]],
}
"""The downmix of Recommendation ITU-R BS.775 from 3/2 to 2/0, and parts of it; the rear centre as a point between both
surrounds."""


@pytest.mark.parametrize("channels", BS775)
def test_the_downmix_is_that_of_the_recommendation(channels):
    audio = noise(2, channels, 40)
    out = constant(Downmix, audio)
    want = np.einsum("oc,bcn->bon", np.array(BS775[channels], dtype=float), audio.numpy())
    np.testing.assert_allclose(out.numpy(), want, atol=1e-14)


def test_levels_of_the_downmix():
    audio = noise(1, 6, 40)
    out = constant(Downmix, audio, centre=0.5, surround=0.25, lfe=2.0).numpy()[0]
    left, right, centre, low, behind_left, behind_right = audio[0].numpy()
    np.testing.assert_allclose(out[0], left + 0.5 * centre + 2 * low + 0.25 * behind_left, atol=1e-14)
    np.testing.assert_allclose(out[1], right + 0.5 * centre + 2 * low + 0.25 * behind_right, atol=1e-14)


def test_mono_of_the_recommendation():
    """BS.775 to 1/0 is the sum of its 2/0, less 3 dB: what `mono` gives, and 3 dB."""
    audio = noise(1, 5, 40)
    both = constant(Downmix, audio)[0].mean(0) / R2
    wanted = torch.tensor([R2, R2, 1, 0.5, 0.5], dtype=torch.float64) @ audio[0]
    torch.testing.assert_close(both, wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize("effect", [*PANS, Downmix])
def test_a_stereo_downmix_does_not_share_memory(effect):
    audio = noise(1, 2, 10)
    before = audio.clone()
    constant(effect, audio).add_(1)
    assert torch.equal(audio, before)


@pytest.mark.parametrize(
    ("effect", "channels"),
    [(QuadPan, 1), (QuadPan, 2), (SurroundPan, 1), (SurroundPan, 2), (Downmix, 6), (Downmix, 7)],
)
def test_gradients(effect, channels):
    random = {
        c.id: (c.min + (c.max - c.min) * (0.1 + 0.37 * unit(1, 1, 6, seed=n))).requires_grad_()
        for n, c in enumerate(effect.controls)
    }
    names = list(random)

    def call(audio, *values):
        return run(effect, audio, dict(zip(names, values, strict=True)))

    arguments = (noise(1, channels, 6).requires_grad_(), *random.values())
    assert gradcheck(call, arguments)
    assert gradgradcheck(call, arguments)


@pytest.mark.parametrize("effect", PANS)
def test_a_model_can_leave_the_middle(effect):
    """At a kink, where a stereo signal turns and the centre speaker ends, the gradient is the mean of both sides."""
    for channels in (1, 2):
        audio = noise(1, channels, 5).requires_grad_()
        x = torch.zeros(1, 1, 5, dtype=torch.float64, requires_grad=True)
        rest = {c.id: torch.full((1, 1, 5), 0.4, dtype=torch.float64) for c in effect.controls if c.id != "x"}
        assert gradcheck(lambda a, v, rest=rest: run(effect, a, {"x": v, **rest}), (audio, x))
        (gradient,) = torch.autograd.grad(run(effect, audio, {"x": x, **rest})[:, 1].sum(), x)
        assert (gradient != 0).all()


def mixer_of(chain, out, channels="stereo", **strip):
    return {
        "djgraph": 1,
        "name": "x",
        "inputs": [{"name": "a", "channels": channels}],
        "mixer": [
            {"strip": "a", "input": "a", "chain": chain, "to": "room", **strip},
            {"bus": "room", "channels": out},
            {"strip": "heard", "input": "room", "chain": ["downmix"]},
        ],
        "outputs": ["room", "heard"],
    }


@pytest.mark.parametrize(("effect", "out", "count"), [("quad_pan", "quad", 4), ("surround_pan", 5.1, 6)])
@pytest.mark.parametrize("channels", ["mono", "stereo"])
def test_in_a_mixer(effect, out, count, channels):
    """There and back: compiled, by the reference, and in a stream."""
    graph = load(mixer_of(["gain", "eq3", effect], out, channels))
    mixer, reference = Mixer(graph), Reference(graph)
    audio = noise(1, 1 if channels == "mono" else 2, 5000, dtype=torch.float32) * 0.1
    params = torch.rand(1, 7, len(mixer.layout), generator=torch.Generator().manual_seed(0))
    params.requires_grad_()
    made, wanted = mixer({"a": audio}, params), reference({"a": audio}, params)
    assert made["room"].shape == (1, count, 5000)
    assert made["heard"].shape == (1, 2, 5000)
    for name in made:
        torch.testing.assert_close(made[name], wanted[name], rtol=0, atol=2e-6)
    (gradient,) = torch.autograd.grad(made["heard"].square().sum(), params)
    (expected,) = torch.autograd.grad(wanted["heard"].square().sum(), params)
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-3)
    positions = torch.linspace(0, 4999, 7).round().long()
    whole = mixer({"a": audio}, params.detach(), positions=positions)
    stream = mixer.stream(score=(params.detach(), positions))
    parts = [stream({"a": audio[..., start : start + 777]}) for start in range(0, 5000, 777)]
    parts.append(stream.finish())
    for name in whole:
        played = torch.cat([part[name] for part in parts], -1)[..., stream.latency :]
        torch.testing.assert_close(played, whole[name], rtol=0, atol=1e-5)


def refused(document):
    with pytest.raises(GraphError) as caught:
        load(document)
    return str(caught.value)


def test_what_does_not_fit_says_what_would():
    message = refused(mixer_of(["quad_pan"], "quad", "5.1"))
    assert "quad_pan places a mono or stereo signal, and it gets 5.1" in message
    message = refused(mixer_of(["downmix"], "stereo", 9))
    assert "downmix does not know which of 9 channels is which" in message
    message = refused(mixer_of(["gain"], "quad"))
    assert "hint: only mono goes with any other count; quad is what quad_pan gives" in message
    message = refused(mixer_of(["gain"], "stereo", "5.1"))
    assert "bus 'room' is stereo, and 'a.gain' is 5.1" in message
    assert "stereo is what downmix gives" in message


def test_the_quad_room_of_the_page():
    """Two decks and a microphone in four speakers: streamed, and each source where its pan says."""
    page = (Path(__file__).parents[2] / "docs" / "effects.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(djgraph: 1\nname: quad_room\n.*?)```", page, re.DOTALL)
    mixer = Mixer(load(text))
    sound = {
        name: 0.1 * noise(1, 2 - (name == "mic"), 4000, dtype=torch.float32) for name in mixer.graph.inputs
    }
    places = {
        "deck_a.quad_pan.x": -1.0,
        "deck_a.quad_pan.y": -1.0,
        "deck_b.quad_pan.x": 1.0,
        "mic.quad_pan.x": 0.0,
    }
    params = mixer.layout.pack(places, n_frames=2)[None]
    positions = torch.tensor([0, 3999])
    whole = mixer(sound, params, positions=positions)
    stream = mixer.stream(score=(params, positions))
    parts = [
        stream({name: one[..., n : n + 333] for name, one in sound.items()}) for n in range(0, 4000, 333)
    ]
    parts.append(stream.finish())
    for name in whole:
        played = torch.cat([part[name] for part in parts], -1)[..., stream.latency :]
        torch.testing.assert_close(played, whole[name], rtol=0, atol=1e-5)
    voice, a, b = sound["mic"][0, 0] / 2, sound["deck_a"][0].sum(0), sound["deck_b"][0].sum(0)
    wanted = torch.stack((voice, voice + b, voice + a, voice))
    torch.testing.assert_close(whole["room"][0], wanted, rtol=0, atol=1e-5)
    heard = torch.stack((voice + R2 * (voice + a), voice + b + R2 * voice))
    torch.testing.assert_close(whole["headphones"][0], heard, rtol=0, atol=1e-5)
