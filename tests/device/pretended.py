"""A CUDA device that is not there: PyTorch's fake tensors on device ``cuda``, and what would wait for a real one.

Run in a process of its own (``python -m device.pretended NAME…`` with ``tests`` on the path): fake tensors find their
way into whatever keeps tensors. Prints one JSON object: for each name what came out, or the first fault.

A name is a shipped graph's, a path, or ``effect:NAME``, for one strip with one effect. ``broken:NAME`` leaves one
table on the CPU, and ``copied:NAME`` copies it anew in each call, to see that both are found.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CUDA, NOWHERE = torch.device("cuda", 0), torch.device("meta")
DEVICE_OF = torch.ops.prim.device.default
COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
SAMPLES, FRAMES, BATCH = 500, 3, 2


FAULTS = {
    "broken": lambda constant, device, dtype=None: constant.to(dtype or constant.dtype),
    "copied": lambda constant, device, dtype=None: constant.to(device, dtype),
}


class Fault(Exception):
    """Something that a mixer on a GPU may not do."""


def hide_from_autograd() -> None:
    """Lets backward passes run where PyTorch is built for CUDA and there is no GPU.

    Autograd's threads ask tensors for their device, and then the driver for that. So C++ hears ``meta``; Python hears
    ``cuda``, and :class:`Strict` translates what C++ hands back.
    """
    original = FakeTensor.__torch_dispatch__.__func__  # type: ignore[attr-defined]
    handlers: dict[Any, Any] = fake_tensor._DISPATCH_META_HANDLERS
    first: Callable[..., torch.device] = handlers[DEVICE_OF]

    def dispatch(cls: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is DEVICE_OF and args[0].fake_device.type == "cuda":
            return NOWHERE
        return original(cls, func, types, args, kwargs or {})

    FakeTensor.__torch_dispatch__ = classmethod(dispatch)
    handlers[DEVICE_OF] = lambda args: NOWHERE if args[0].fake_device.type == "cuda" else first(args)
    for kind in ("meta", "cuda", "cpu"):
        setattr(FakeTensor, f"is_{kind}", property(lambda self, kind=kind: self.fake_device.type == kind))


def where(tensor: Tensor) -> str:
    return str((tensor.fake_device if isinstance(tensor, FakeTensor) else tensor.device).type)


class Strict(TorchDispatchMode):
    """Refuses what mixes devices and what makes the host wait.

    ``uploads``: constants may go to the device, as they do in the first call; those of later ones have to lie there.
    """

    def __init__(self, uploads: bool) -> None:
        super().__init__()
        self.uploads = uploads

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is DEVICE_OF:
            return func(*args, **kwargs)
        if kwargs.get("device") is not None and torch.device(kwargs["device"]).type == "meta":
            kwargs["device"] = CUDA
        read = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        result = func(*args, **kwargs)
        made = {where(one) for one in tree_leaves(result) if isinstance(one, Tensor)}
        # A number on the CPU goes along with a kernel's arguments; in a copy it is one more transfer.
        given = {where(one) for one in read if one.ndim or func in COPIES}
        if {"cpu", "cuda"} <= given | made:
            upload = func in COPIES and made == {"cuda"}
            if not (upload and self.uploads):
                shapes = [(where(one), tuple(one.shape)) for one in read]
                raise Fault(f"{func} takes {shapes} and makes {sorted(made)}")
        return result


@contextmanager
def pretending() -> Iterator[Callable[[bool], Strict]]:
    """Inside, tensors are fake; yields a maker of :class:`Strict` modes."""
    hide_from_autograd()
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield Strict


def move(module: nn.Module) -> None:
    """Parameters and buffers on the device, as ``module.cuda()`` would have them."""
    for part in module.modules():
        for name, weight in part._parameters.items():
            if weight is not None:
                fake = torch.empty(weight.shape, dtype=weight.dtype, device=CUDA)
                part._parameters[name] = nn.Parameter(fake, requires_grad=weight.requires_grad)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device=CUDA)


def audio_for(graph: Any, dtype: torch.dtype) -> dict[str, Any]:
    """Audio of all inputs on the device, with gradients."""
    widths = {(n.input, n.stem): n.channels for n in graph.nodes if hasattr(n, "stem")}

    def one(width: int) -> Tensor:
        return torch.randn(BATCH, width, SAMPLES, dtype=dtype, device=CUDA, requires_grad=True)

    return {
        name: one(widths[name, None]) if stems is None else {stem: one(widths[name, stem]) for stem in stems}
        for name, stems in graph.inputs.items()
        if name not in graph.sources
    }


def mix(mixer: Any, dtype: torch.dtype, uploads: bool, strict: Callable[[bool], Strict]) -> dict[str, Any]:
    """Forward and backward; what came out, by output."""
    graph = mixer.graph
    inputs = audio_for(graph, dtype)
    for name in graph.sources:
        inputs[name] = material(graph, name, dtype)
    params = torch.randn(
        BATCH, FRAMES, len(mixer.layout), dtype=dtype, device=CUDA, requires_grad=bool(len(mixer.layout))
    )
    tempo = torch.full((BATCH,), 120.0, device=CUDA, dtype=dtype) if mixer.compiled.uses_clock else None
    more = {} if tempo is None else {"tempo": tempo}
    if not audio_for(graph, dtype):
        more["samples"] = SAMPLES
    with strict(uploads):
        made = mixer(inputs, params, **more)
        outputs = made if isinstance(made, Mapping) else {"": made}
        total = sum(one.square().mean() for one in outputs.values())
        leaves = [leaf for leaf in (*tree_leaves(inputs), params) if getattr(leaf, "requires_grad", False)]
        leaves += [weight for weight in mixer.parameters() if weight.requires_grad]
        gradients: tuple[Any, ...] = ()
        if isinstance(total, Tensor) and total.requires_grad:
            gradients = torch.autograd.grad(total, leaves, allow_unused=True)
    for leaf, gradient in zip(leaves, gradients):
        if gradient is not None and (where(gradient) != "cuda" or gradient.shape != leaf.shape):
            raise Fault(f"a gradient is {tuple(gradient.shape)} on {where(gradient)}")
    return {
        name: [where(one), list(one.shape), str(one.dtype).removeprefix("torch.")]
        for name, one in outputs.items()
    } | {"gradients": sum(one is not None for one in gradients)}


def material(graph: Any, name: str, dtype: torch.dtype) -> Any:
    """What a source effect is given to play: stems of a track."""
    stems = graph.inputs[name]
    made = lambda: torch.randn(BATCH, 2, 2 * SAMPLES, dtype=dtype, device=CUDA)  # noqa: E731
    return made() if stems is None else {stem: made() for stem in stems}


def load(name: str) -> Any:
    import djgraph

    if not name.startswith("effect:"):
        return djgraph.compile(name)
    from benchmarks.cases.repertoire import strip_of
    from djgraph.plugins import registry

    return djgraph.compile(djgraph.load(strip_of(registry().effects[name.removeprefix("effect:")].effect)))


def check(name: str, strict: Callable[[bool], Strict], dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """A first call, whose constants may go to the device, and a second one, for which they have to lie there."""
    fault, _, rest = name.partition(":")
    if fault in FAULTS:
        from djgraph.controls import bank

        with mock.patch.object(bank, "resident", FAULTS[fault]):
            return check(rest, strict, dtype)
    with torch._C._DisableTorchDispatch():
        mixer = load(name)
    move(mixer)
    mix(mixer, dtype, True, strict)
    return mix(mixer, dtype, False, strict)


def main(names: list[str]) -> None:
    results: dict[str, Any] = {}
    with pretending() as strict:
        for name in names:
            try:
                results[name] = check(name, strict)
            except Exception as error:  # told to the test
                lines = traceback.format_exception(error)
                ours = [line for line in lines if "djgraph" in line and "/tests/" not in line]
                results[name] = {"fault": f"{type(error).__name__}: {error}", "where": ours[-6:]}
    print(json.dumps(results))


if __name__ == "__main__":
    main(sys.argv[1:])
