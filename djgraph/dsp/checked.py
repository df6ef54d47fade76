"""What kernels are given, checked: signals, states, controls, sample rates. DJGraphError names kernel and argument."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from djgraph.dsp.frames import Curve, Frames, steady
from djgraph.errors import DJGraphError


def check_signal(kernel: str, name: str, signal: Tensor) -> None:
    """Refuses what is not floating point of shape ``[…, samples]``."""
    if signal.ndim < 1 or not signal.is_floating_point():
        raise DJGraphError(
            f"{kernel}: {name} has to be floating point of shape [..., samples], not {signal.dtype} "
            f"of shape {list(signal.shape)}"
        )


def checked_state(
    kernel: str,
    state: Tensor | None,
    signal: Tensor,
    *sizes: int,
    rest: float = 0.0,
    dtype: torch.dtype | None = None,
    name: str = "state",
) -> Tensor:
    """The state, ``[…, *sizes]`` as the signal leads and lies; filled with ``rest`` where it is None.

    dtype: the signal's where left out.
    """
    shape, dtype = (*signal.shape[:-1], *sizes), dtype or signal.dtype
    if state is None:
        return signal.new_full(shape, rest, dtype=dtype)
    if state.shape != shape or state.dtype != dtype or state.device != signal.device:
        raise DJGraphError(
            f"{kernel}: {name} has to be {dtype} on {signal.device} of shape {list(shape)}, "
            f"not {state.dtype} on {state.device} of shape {list(state.shape)}"
        )
    return state


def checked_control(
    kernel: str, name: str, control: Curve, signal: Tensor, given: str, dtype: torch.dtype
) -> tuple[Tensor, int]:
    """A control as a tensor that broadcasts to the signal, and its hop: 0 for one at each sample, 1 for one in all.

    A control that was expanded along its samples is one number. given: the signal's name.
    """
    samples = signal.shape[-1]
    if isinstance(control, Tensor):
        tensor = steady(control) if control.ndim and control.shape[-1] == samples else control
        if tensor.dtype != dtype or tensor.device != signal.device:
            tensor = tensor.to(signal.device, dtype)
    elif isinstance(control, Frames):
        tensor = torch.as_tensor(control.values, dtype=dtype, device=signal.device)
    elif signal.device.type == "cpu" and not torch.compiler.is_compiling():
        return one_number(float(control), dtype), 1
    else:
        tensor = torch.full((), control, dtype=dtype, device=signal.device)
    tensor = tensor if tensor.ndim else tensor[None]
    hop = control.hop if isinstance(control, Frames) else int(tensor.shape[-1] == 1)
    fits = tensor.ndim <= signal.ndim and all(
        [size in (1, wanted) for size, wanted in zip(tensor.shape[-2::-1], signal.shape[-2::-1])]
    )
    if not fits or (not hop and tensor.shape[-1] != samples):
        raise DJGraphError(
            f"{kernel}: {name} of shape {list(tensor.shape)} does not broadcast to {given} of shape "
            f"{list(signal.shape)}; its last size is 1, {samples} or, in Frames, that of the frames"
        )
    return tensor, hop


def checked_rate(sample_rate: float) -> float:
    """A sample rate in Hz: a number above 0."""
    if not 0 < sample_rate < math.inf:
        raise DJGraphError(f"sample_rate has to be a number of Hz above 0, not {sample_rate}")
    return sample_rate


@lru_cache(maxsize=256)
def one_number(value: float, dtype: torch.dtype) -> Tensor:
    """A control that is one number, ``[1]`` on the CPU; not to be written to. A stream asks for it at every block."""
    with torch.inference_mode(False):
        return torch.tensor([value], dtype=dtype, device="cpu")
