"""The graphs stem_performer and club_mixer: at rest, against the reference, as streams, gradients, and by hand."""

import pytest
import torch

import djgraph
from djgraph.runtime.reference import Reference

from .bench import noise

RATE = 44100
STEMS = ("drums", "bass", "vocals", "other")
NAMES = ("stem_performer", "club_mixer")


@pytest.fixture(scope="module", params=NAMES)
def mixer(request):
    return djgraph.compile(request.param)


@pytest.fixture(scope="module")
def performer():
    return djgraph.compile("stem_performer")


def decks(mixer, samples, dtype=torch.float64):
    if mixer.graph.name == "club_mixer":
        return {f"deck_{k}": 0.03 * noise(1, 2, samples, seed=k, dtype=dtype) for k in range(1, 5)}
    return {
        deck: {
            stem: 0.03 * noise(1, 2, samples, seed=10 * d + i, dtype=dtype) for i, stem in enumerate(STEMS)
        }
        for d, deck in enumerate(("deck_a", "deck_b"))
    }


def part(audio, span):
    return {name: part(one, span) if isinstance(one, dict) else one[..., span] for name, one in audio.items()}


def busy(layout):
    """Every control somewhere within its range, faders at 0 dB, switches pressed at the second frame of three."""
    position = 0.3 + 0.4 * torch.rand(
        1, 3, len(layout), generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    params = layout.from_unit(position)
    for index, name in enumerate(layout.names):
        if name.endswith((".fader", ".trim", ".return", ".volume")):
            params[..., index] = 0
        if name.endswith(("beats", "roll", "brake")):
            params[..., index] = {"beats": 0.125, "roll_beats": 1 / 32}.get(name.rpartition(".")[2], 0)
    for name in ("deck_a.roll", "deck_b.brake"):
        if name in layout.names:
            params[:, 1, layout.index(name)] = 1
    return params


def test_at_rest_it_is_the_sum(mixer):
    """Of the club mixer: level for level, for an isolator is an all-pass."""
    audio = decks(mixer, 4000)
    out = mixer(audio, mixer.layout.default.double()[None, None], tempo=120.0)
    if mixer.graph.name == "stem_performer":
        torch.testing.assert_close(out, sum(sum(deck.values()) for deck in audio.values()))
    else:
        want = sum(audio.values())
        spectra = [torch.fft.rfft(one * torch.hann_window(4000)).abs() for one in (out["master"], want)]
        assert spectra[0].square().sum() == pytest.approx(float(spectra[1].square().sum()), rel=0.02)
        assert not out["cue"].any()


def test_it_equals_the_graph_run_node_by_node(mixer):
    audio, params = decks(mixer, 6000), busy(mixer.layout)
    want = Reference(mixer.graph)(audio, params, tempo=140.0)
    torch.testing.assert_close(mixer(audio, params, tempo=140.0), want, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_a_stream_is_the_whole_clip(mixer):
    audio, params = decks(mixer, 9000, torch.float32), busy(mixer.layout).float()
    whole = mixer(audio, params, tempo=140.0, positions=[0, 3000, 8000])
    stream = mixer.stream(score=(params, [0, 3000, 8000]), tempo=140.0)
    parts = [stream(part(audio, slice(start, start + 777))) for start in range(0, 9000, 777)]
    parts.append(stream.finish())
    for name in mixer.graph.outputs:
        of = (lambda made, name=name: made[name]) if isinstance(whole, dict) else (lambda made: made)
        streamed = torch.cat([of(one) for one in parts], -1)[..., stream.latency :]
        torch.testing.assert_close(streamed, of(whole), rtol=0, atol=1e-5)


def test_gradients_reach_what_is_heard(mixer):
    audio, params = decks(mixer, 12000), busy(mixer.layout).requires_grad_()
    made = mixer(audio, params, tempo=140.0)
    made = made if isinstance(made, dict) else {"master": made}
    sum(one.square().mean() for one in made.values()).backward()
    assert params.grad.isfinite().all()
    heard = params.grad.abs().amax((0, 1)) > 0
    silent = {name for name, moved in zip(mixer.layout.names, heard.tolist()) if not moved}
    # Choices and switches, whose gradient is declared to be none; and of deck a, whose brake is never on, its time.
    assert {name.rpartition(".")[2] for name in silent} <= {
        "beats",
        "roll",
        "roll_beats",
        "brake",
        "brake_time",
    }
    assert "deck_b.brake_time" not in silent


def play(performer, samples, moves, tempo=120.0):
    """One deck of noise; moves: column → [(sample, value), …]."""
    audio = decks(performer, samples)
    audio["deck_b"] = {stem: torch.zeros_like(one) for stem, one in audio["deck_b"].items()}
    places = sorted({0, *(at for moved in moves.values() for at, _ in moved)})
    params = performer.layout.default.double().repeat(1, len(places), 1)
    for name, moved in moves.items():
        for at, value in moved:
            params[:, places.index(at) :, performer.layout.index(name)] = value
    plain = sum(audio["deck_a"].values())
    return plain, performer(audio, params, tempo=tempo, positions=places)


def test_a_roll_repeats_on_the_beat_and_lets_go(performer):
    start, stop, period = 11025, 33075, 5513
    plain, out = play(
        performer,
        44100,
        {"deck_a.roll": [(start, 1), (stop, 0)], "deck_a.roll_beats": [(0, 0.25)]},
    )
    for number in range(1, 4):
        seam = start + -(-number * 11025 // 2)
        torch.testing.assert_close(out[..., seam + 100 : seam + 5000], plain[..., start + 100 : start + 5000])
    assert stop - start > 3 * period
    torch.testing.assert_close(out[..., stop + 100 :], plain[..., stop + 100 :])


def test_a_brake_comes_to_silence(performer):
    _, out = play(performer, 44100, {"deck_a.brake": [(11025, 1)], "deck_a.brake_time": [(0, 400.0)]})
    assert not out[..., 11025 + 17640 + 1 :].any()
    assert out[..., 11025:20000].abs().max() > 0.015


def test_an_echo_out_leaves_echoes_alone(performer):
    moves = {f"deck_a.{stem}.echo_out": [(22050, 0.5), (33075, 1.0)] for stem in STEMS}
    _, out = play(performer, 88200, moves)
    level = [float(out[..., at : at + 5000].square().mean().sqrt()) for at in (36000, 58000, 80000)]
    assert level[0] > level[1] > level[2] > 0.0003


def test_a_mute_mutes_its_stem_only(performer):
    audio = decks(performer, 4000)
    params = performer.layout.default.double()[None, None].clone()
    params[..., performer.layout.index("deck_a.vocals.open")] = 0
    want = sum(sum(deck.values()) for deck in audio.values()) - audio["deck_a"]["vocals"]
    torch.testing.assert_close(performer(audio, params, tempo=120.0), want)
