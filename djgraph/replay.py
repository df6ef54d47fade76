"""Mixers recorded as CUDA graphs: calls of one size that the host starts at once, without any of Python's work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from djgraph.errors import CompileError, InputError
from djgraph.mixer import Mixer

WARMUPS = 3
"""Calls before the recording: kernels are compiled, plans of transforms made, tables copied to the device."""

DEVICE = "cuda"
"""What can be recorded."""

Inputs = Mapping[str, Tensor | Mapping[str, Tensor]]


class Replayed(nn.Module):
    """A mixer for inputs and params of fixed sizes on a CUDA device, recorded once and replayed, forward and backward.

    A mix is hundreds of kernels, and on short clips and small batches a GPU waits for Python to start them. A CUDA
    graph starts them all at once.

    mixer: with its weights on the device. inputs, params: as :meth:`djgraph.Mixer.forward` takes them; their shapes,
    dtypes, devices, and which of them want gradients, are those of all calls. tempo: BPM, fixed too. warmups: calls
    before the recording, at least 1.

    Raises CompileError for tensors that are on no CUDA device, and for mixers that look at their values
    (``out_of_range="error"``); InputError where a call does not fit.
    """

    def __init__(
        self,
        mixer: Mixer,
        inputs: Inputs,
        params: Tensor,
        *,
        tempo: float | None = None,
        warmups: int = WARMUPS,
    ) -> None:
        super().__init__()
        if mixer.out_of_range == "error":
            raise CompileError(
                'a mixer of out_of_range="error" looks at values, which no CUDA graph can record; '
                'compile it with out_of_range="clamp"'
            )
        tensors = [params, *_flat(inputs).values()]
        self._sizes = {name: _size(one) for name, one in zip(["params", *_flat(inputs)], tensors)}
        for name, one in zip(self._sizes, tensors):
            if one.device.type != DEVICE:
                raise CompileError(f"CUDA graphs need a CUDA device, but {name} is on {one.device}")
        self.mixer = mixer
        self._names = list(_flat(inputs))
        self._single = len(mixer.outputs) == 1
        step = _Step(mixer, self._names, tempo)
        samples = tuple(one.detach().clone().requires_grad_(one.requires_grad) for one in tensors)
        recorded: Any = torch.cuda.make_graphed_callables(
            step, samples, num_warmup_iters=max(1, warmups), allow_unused_input=True
        )
        self._replay = (recorded,)  # no submodule: the mixer is one already

    def forward(self, inputs: Inputs, params: Tensor) -> Tensor | dict[str, Tensor]:
        """The mix, as the mixer has it, in memory that the next call writes over: ``clone()`` what is kept.

        So do gradients.
        """
        if torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
            raise CompileError(
                "a recorded mixer has first derivatives alone; call the mixer itself in torch.func and forward mode"
            )
        flat = _flat(inputs)
        if list(flat) != self._names:
            raise InputError(f"recorded with {', '.join(self._names)}, but called with {', '.join(flat)}")
        tensors = [params, *flat.values()]
        for (name, size), one in zip(self._sizes.items(), tensors):
            if _size(one) != size:
                raise InputError(f"{name} was recorded as {_shown(size)}, but is {_shown(_size(one))}")
        (recorded,) = self._replay
        made = recorded(*tensors)
        return made[0] if self._single else dict(zip(self.mixer.outputs, made))


class _Step(nn.Module):
    """A mixer of tensors in a row, as CUDA graphs want it."""

    def __init__(self, mixer: Mixer, names: list[str], tempo: float | None) -> None:
        super().__init__()
        self.mixer, self._names, self._tempo = mixer, names, tempo

    def forward(self, params: Tensor, *audio: Tensor) -> tuple[Tensor, ...]:
        inputs: dict[str, Any] = {}
        for name, one in zip(self._names, audio):
            track, _, stem = name.partition("/")
            if stem:
                inputs.setdefault(track, {})[stem] = one
            else:
                inputs[track] = one
        made = self.mixer(inputs, params, tempo=self._tempo)
        return tuple(made.values()) if isinstance(made, dict) else (made,)


def _flat(inputs: Inputs) -> dict[str, Tensor]:
    """By input, or ``input/stem``."""
    flat: dict[str, Tensor] = {}
    for name, one in inputs.items():
        flat |= {name: one} if isinstance(one, Tensor) else {f"{name}/{stem}": x for stem, x in one.items()}
    return flat


_Size = tuple[tuple[int, ...], torch.dtype, torch.device, bool]


def _size(tensor: Tensor) -> _Size:
    return tuple(tensor.shape), tensor.dtype, tensor.device, tensor.requires_grad


def _shown(size: _Size) -> str:
    shape, dtype, device, gradient = size
    return f"{list(shape)} {dtype} on {device}" + (" with a gradient" if gradient else "")
