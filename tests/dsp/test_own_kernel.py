"""The compiled kernel of the plugin author's guide: it runs as it stands there, and keeps what the guide promises."""

import re
from pathlib import Path

import pytest
import torch
from effort import gradcheck, gradgradcheck

pytest.importorskip("numba")
GUIDE = Path(__file__).parents[2] / "docs" / "plugins.md"


@pytest.fixture(scope="module")
def guide():
    """What the example defines."""
    (code,) = [
        block
        for block in re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
        if "class SoftLoop" in block
    ]
    names: dict[str, object] = {}
    exec(compile(code, str(GUIDE), "exec"), names)
    return names


def arguments(samples=12):
    generator = torch.Generator().manual_seed(0)
    audio = torch.randn(3, samples, generator=generator, dtype=torch.float64)
    return [
        audio,
        torch.tensor([0.7], dtype=torch.float64),
        torch.tensor([0.1, -0.2, 0.3], dtype=torch.float64),
    ]


def test_compiled_code_is_the_plain_function(guide):
    given = arguments()
    torch.testing.assert_close(guide["soft_loop"](*given), guide["SoftLoop"]().plainly(given)[0])


def test_derivatives_of_every_order(guide):
    given = [tensor.requires_grad_() for tensor in arguments(6)]
    assert gradcheck(guide["soft_loop"], given)
    assert gradgradcheck(guide["soft_loop"], given)
    primal, tangent = (arguments(6)[0] for _ in range(2))
    _, moved = torch.func.jvp(lambda x: guide["soft_loop"](x, *given[1:]), (primal,), (tangent,))
    _, plainly = torch.func.jvp(
        lambda x: guide["SoftLoop"]().plainly([x, *given[1:]])[0], (primal,), (tangent,)
    )
    torch.testing.assert_close(moved, plainly)


def test_it_is_one_operator_of_a_compiled_program(guide):
    ours, theirs = ([tensor.requires_grad_() for tensor in arguments()] for _ in range(2))
    calls = []

    def backend(graph, inputs):
        calls.extend(str(node.target) for node in graph.graph.nodes if node.op == "call_function")
        return graph.forward

    torch.compile(guide["soft_loop"], backend=backend, fullgraph=True)(*arguments())
    assert any("acme.soft_loop" in name for name in calls)
    assert not any("tanh" in name for name in calls)
    program = torch.compile(guide["soft_loop"], backend="aot_eager", fullgraph=True)
    made, want = program(*ours), guide["soft_loop"](*theirs)
    torch.testing.assert_close(made, want)
    for one, other in zip(
        torch.autograd.grad(made.square().sum(), ours), torch.autograd.grad(want.square().sum(), theirs)
    ):
        torch.testing.assert_close(one, other)


def test_tracing_needs_the_shapes_only(guide):
    exported = torch.export.export(_Module(guide["soft_loop"]), tuple(arguments()))
    torch.testing.assert_close(exported.module()(*arguments()), guide["soft_loop"](*arguments()))


class _Module(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *tensors):
        return self.function(*tensors)
