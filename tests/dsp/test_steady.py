"""Controls that stand still: read as the number that they are, with the same results."""

import pytest
import torch
from dsp_recursions import noise, without_compiled_code

from djgraph.dsp import first_order, follow, linkwitz_riley, steady, svf
from djgraph.dsp.checked import checked_control

RATE = 8000.0
KERNELS = {
    "first_order": (lambda x, *c: first_order(x, *c), (0.4, 0.2, -0.5)),
    "svf": (lambda x, *c: svf(x, *c, sample_rate=RATE), (900.0, 2.0, 1.0, 0.5, -1.0)),
    "linkwitz_riley": (lambda x, *c: linkwitz_riley(x, *c, sample_rate=RATE), (700.0,)),
    "follow": (lambda x, *c: follow(x, *c, sample_rate=RATE), (5.0, 80.0)),
}


def test_only_an_expanded_curve_is_one_number():
    one = torch.tensor([[[3.0]]])
    assert steady(one.expand(2, 1, 50)).shape == (2, 1, 1)
    assert steady(one) is one
    for moving in (one.repeat(1, 1, 50), noise(2, 1, 50), noise(2, 1, 1).expand(2, 3, 1)):
        assert steady(moving) is moving


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kernels_read_an_expanded_curve_as_one_number(dtype):
    """No samples of it are made, neither by a change of type."""
    signal, control = noise(2, 3, 50), torch.full((2, 1, 1), 3.0, dtype=dtype).expand(2, 1, 50)
    read, hop = checked_control("kernel", "control", control, signal, "signal", signal.dtype)
    assert (read.shape, hop) == ((2, 1, 1), 1)
    moving, hop = checked_control("kernel", "control", noise(2, 1, 50), signal, "signal", signal.dtype)
    assert (moving.shape, hop) == ((2, 1, 50), 0)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", KERNELS)
def test_kernels_give_the_same(name, dtype, compiled):
    kernel, values = KERNELS[name]
    samples = 700

    def run(spread):
        audio = noise(3, 2, samples, dtype=dtype).requires_grad_()
        leaves = [torch.full((3, 1, 1), value, dtype=dtype).requires_grad_() for value in values]
        made = kernel(audio, *(spread(leaf) for leaf in leaves))
        return made, torch.autograd.grad(sum(one.square().sum() for one in made), [audio, *leaves])

    def both():
        return run(lambda leaf: leaf.expand(3, 1, samples)), run(lambda leaf: leaf.repeat(1, 1, samples))

    if compiled:
        (got, slopes), (want, wanted) = both()
    else:
        with without_compiled_code():
            (got, slopes), (want, wanted) = both()
    for one, other in zip(got, want):
        assert torch.equal(one, other)
    for one, other in zip(slopes, wanted):
        torch.testing.assert_close(one, other, rtol=1e-3 if dtype == torch.float32 else 1e-9, atol=1e-5)
