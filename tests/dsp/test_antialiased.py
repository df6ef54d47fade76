"""antialiased: compiled code against PyTorch, derivatives, blocks. Means against quadrature: test_saturate."""

from __future__ import annotations

import pytest
import torch
from counted_recursions import operations
from effort import examples, gradcheck, gradgradcheck
from hypothesis import given, settings
from hypothesis import strategies as st

from djgraph import simd
from djgraph.dsp import Frames, antialiased
from djgraph.dsp.antialiased import FLOPS, MEANS
from djgraph.errors import DJGraphError

CURVES = pytest.mark.parametrize("curve", MEANS)


def made(*shape, scale=1.0, seed=0, dtype=torch.float64):
    return scale * torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def plainly(monkeypatch, *arguments, **options):
    with monkeypatch.context() as patch:
        patch.setattr(simd, "takes", lambda tensor: False)
        return antialiased(*arguments, **options)


@CURVES
@pytest.mark.parametrize("drive", [1.0, 30.0, "each", "moving", "frames"])
def test_compiled_as_plain(curve, drive, monkeypatch):
    """Values and gradients, also where inputs stand still or move by very little."""
    audio, before = made(3, 2, 400), made(3, 2, 1, seed=1)
    audio[..., 50:100] = audio[..., 50:51]
    audio[..., 100:200] = audio[..., 50:51] + made(3, 2, 100, scale=1e-4, seed=2)
    audio[..., 200:250] = 0
    gain = {
        "each": made(3, 1, 1, seed=3),
        "moving": made(3, 1, 400, seed=3),
        "frames": Frames(made(3, 1, 5, seed=3), 100),
    }.get(drive, drive)
    leaves = [audio, before]
    leaves += [gain.values if isinstance(gain, Frames) else gain] if not isinstance(gain, float) else []
    for leaf in leaves:
        leaf.requires_grad_()
    got = antialiased(audio, gain, before, curve=curve)
    want = plainly(monkeypatch, audio, gain, before, curve=curve)
    torch.testing.assert_close(got, want, rtol=1e-11, atol=1e-12)
    weights = made(3, 2, 400, seed=4), made(3, 2, 1, seed=5)
    slopes = [
        torch.autograd.grad(sum((out * w).sum() for out, w in zip(outs, weights)), leaves)
        for outs in (got, want)
    ]
    torch.testing.assert_close(*slopes, rtol=1e-8, atol=1e-8)


@CURVES
def test_derivatives(curve):
    # No neighbours nearer than what finite differences step over, nor at a knee.
    audio = torch.tensor([[0.1, 0.7, -0.4, 1.9, 2.6, -2.0, 0.3]], dtype=torch.float64, requires_grad=True)
    before = torch.tensor([[0.45]], dtype=torch.float64, requires_grad=True)
    drive = torch.linspace(0.8, 1.3, 7, dtype=torch.float64)[None].requires_grad_()

    def run(*arguments):
        return antialiased(*arguments, curve=curve)

    assert gradcheck(run, (audio, drive, before))
    assert gradgradcheck(run, (audio, drive, before))


@given(st.sampled_from(list(MEANS)), st.lists(st.integers(0, 30), max_size=6), st.booleans())
@settings(max_examples=examples(60))
def test_blocks(curve, cuts, single):
    audio = made(2, 60, scale=2, dtype=torch.float32 if single else torch.float64)
    whole, last = antialiased(audio, 1.5, curve=curve)
    parts, state, place = [], None, 0
    for cut in [*cuts, 60]:
        part, state = antialiased(audio[..., place : place + cut], 1.5, state, curve=curve)
        parts.append(part)
        place += cut
    assert torch.equal(torch.cat(parts, -1), whole)
    assert torch.equal(state, last)
    assert whole.dtype == audio.dtype
    assert last.dtype == torch.float64


@CURVES
@pytest.mark.parametrize("moves", [False, True])
def test_a_drive_in_decibels(curve, moves, monkeypatch):
    """As the same drive as a factor, by compiled code and by PyTorch, with the gradient to its level."""
    audio, before = made(3, 2, 300).requires_grad_(), made(3, 2, 1, seed=1).requires_grad_()
    level = (12 * made(3, 1, 300 if moves else 1, seed=2)).requires_grad_()
    leaves, weights = (audio, before, level), made(3, 2, 300, seed=3)
    want = antialiased(audio, 10 ** (level / 20), before, curve=curve)
    results = [
        want,
        antialiased(audio, level, before, curve=curve, decibels=True),
        plainly(monkeypatch, audio, level, before, curve=curve, decibels=True),
    ]
    slopes = [torch.autograd.grad((out * weights).sum() + last.sum(), leaves) for out, last in results]
    for got in (1, 2):
        torch.testing.assert_close(results[got], want, rtol=1e-10, atol=1e-11)
        torch.testing.assert_close(slopes[got], slopes[0], rtol=1e-7, atol=1e-8)
    assert gradcheck(
        lambda *given: antialiased(*given, curve="tanh", decibels=True),
        (audio[:1, :1, :9].detach().requires_grad_(), level[:1, :, :9].detach().requires_grad_()),
    )


@CURVES
def test_a_drive_at_rest_gives_what_the_same_at_every_sample_gives(curve):
    audio, level = made(3, 2, 700, dtype=torch.float32), 10 * made(3, 1, 1, seed=1)
    for decibels in (False, True):
        rests = antialiased(audio, level, curve=curve, decibels=decibels)
        moves = antialiased(audio, level.repeat(1, 1, 700), curve=curve, decibels=decibels)
        assert all(map(torch.equal, rests, moves))


@pytest.mark.parametrize("curve", ["tanh", "cubic", "hard"])
def test_digits_do_not_depend_on_the_place_in_a_vector(curve):
    """Every pair of inputs gives the same wherever it stands, also at the end of a block."""
    pair = torch.tensor([0.3, 1.9, 0.3, 1.9001, -2.4, 1e-9, 2e-9])
    audio = pair.repeat(90)
    out, _ = antialiased(audio[None], 1.0, curve=curve)
    rows = out[0, 7:].view(-1, 7)
    assert torch.equal(rows, rows[:1].expand_as(rows))
    for length in range(8, 40):
        assert torch.equal(antialiased(audio[None, :length], 1.0, curve=curve)[0], out[:, :length])


@pytest.mark.skipif(not simd.available(), reason="counts the source of compiled code")
def test_flops():
    """Of tanh: the parts on vectors, the product of drive and audio, and what the backward pass does one by one."""
    from djgraph.simd import antialiased as compiled

    shape = compiled.Shape(compiled.TANH, 1e-3, 1.0, 0.0, False)
    chunk = compiled.Chunk(*[None] * 6)

    def count(*parts):
        """For one vector more."""
        two, one = (
            sum(operations(part, shape, chunk, vectors * compiled.LANES) for part in parts)
            for vectors in (2, 1)
        )
        return two - one

    forward = count(compiled._curve_chunk, compiled._mean_chunk) + 1
    assert (forward, forward + count(compiled._slope_chunk) + 5) == FLOPS


def test_no_samples_and_silence():
    before = torch.tensor([[0.3]], dtype=torch.float64, requires_grad=True)
    out, last = antialiased(
        torch.zeros(1, 0, dtype=torch.float64, requires_grad=True), 1.0, before, curve="tanh"
    )
    assert out.shape == (1, 0)
    assert torch.equal(last, before)
    last.sum().backward()
    assert before.grad.item() == 1
    for curve in MEANS:
        assert not antialiased(torch.zeros(2, 9), 4.0, curve=curve)[0].any()


def test_faults_are_named():
    audio = torch.zeros(2, 9)
    with pytest.raises(
        DJGraphError, match=r"curve is 'tan'; allowed: tanh, cubic, hard, fold; did you mean 'tanh'"
    ):
        antialiased(audio, 1.0, curve="tan")
    with pytest.raises(DJGraphError, match="before"):
        antialiased(audio, 1.0, torch.zeros(2, 1), curve="tanh")
    with pytest.raises(DJGraphError, match="drive"):
        antialiased(audio, torch.zeros(3, 9), curve="tanh")
