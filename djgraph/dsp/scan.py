"""Linear recursions as scans: s[n] = A[n]·s[n−1] + b[n], by PyTorch's operations in about 2·log₂(samples) steps.

Two steps of the recursion are one of the same form, s[n] = A[n]·A[n−1]·s[n−2] + (A[n]·b[n−1] + b[n]). So every other
state comes from a recursion half as long, and the ones between from their neighbours (Blelloch 1990, "Prefix sums and
their applications"): work that grows with the samples, and no loop over them. Autograd sees plain operations.

On a GPU with Triton the same is a chunked scan that reads and writes each number once (:mod:`djgraph.gpu.scan`).
Its gradient is another one, backwards in time with the matrices transposed: λ[n] = ∂s[n] + A[n+1]ᵀ·λ[n+1],
∂b[n] = λ[n], ∂A[n] = λ[n]·s[n−1]ᵀ.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from djgraph import gpu
from djgraph.dsp.derivatives import Operation


def scan(matrices: Tensor, drive: Tensor, initial: Tensor) -> Tensor:
    """States of a linear recursion: ``s[n] = matrices[n] @ s[n−1] + drive[n]`` from ``s[−1] = initial``.

    matrices: ``[…, k, k, samples]``. drive: ``[…, k, samples]``. initial: ``[…, k]``. Returns ``[…, k, samples + 1]``,
    the first of which is ``initial``: state n is the one before sample n.
    """
    if drive.shape[-1] == 0:
        return initial[..., None]
    if gpu.takes(drive) and drive.shape[-2] <= 2 and not torch.compiler.is_compiling():
        (states,) = Scan()(matrices, drive, initial)
        return states
    return _plainly(matrices, drive, initial)


def _plainly(matrices: Tensor, drive: Tensor, initial: Tensor) -> Tensor:
    first = drive[..., :1] + _apply(matrices[..., :1], initial[..., None])
    states = _from_zero(matrices, torch.cat((first, drive[..., 1:]), dim=-1))
    return torch.cat((initial[..., None], states), dim=-1)


def scan_one(decay: Tensor, drive: Tensor, initial: Tensor) -> Tensor:
    """:func:`scan` of one number: ``s[n] = decay[n]·s[n−1] + drive[n]``.

    decay, drive: ``[…, samples]``. initial: ``[…]``. Returns ``[…, samples + 1]``.
    """
    return scan(decay[..., None, None, :], drive[..., None, :], initial[..., None])[..., 0, :]


def _apply(matrices: Tensor, vectors: Tensor) -> Tensor:
    return (matrices * vectors[..., None, :, :]).sum(-2)


def _multiply(left: Tensor, right: Tensor) -> Tensor:
    return (left[..., :, :, None, :] * right[..., None, :, :, :]).sum(-3)


def _from_zero(matrices: Tensor, drive: Tensor) -> Tensor:
    """The states where the first matrix has nothing to act on."""
    samples = drive.shape[-1]
    if samples == 1:
        return drive
    even = samples // 2 * 2
    later, earlier = matrices[..., 1:even:2], matrices[..., 0:even:2]
    joined = _apply(later, drive[..., 0:even:2]) + drive[..., 1:even:2]
    odd_states = _from_zero(_multiply(later, earlier), joined)
    between = _apply(matrices[..., 2::2], odd_states[..., : (samples - 1) // 2]) + drive[..., 2::2]
    even_states = torch.cat((drive[..., :1], between), dim=-1)
    pairs = torch.stack((even_states[..., : even // 2], odd_states), dim=-1).flatten(-2)
    return torch.cat((pairs, even_states[..., even // 2 :]), dim=-1)


class Scan(Operation):
    """``(matrices, drive, initial)`` → the states, by kernels for GPUs; of one or two numbers each."""

    kept = 1

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        matrices, drive, initial = _alike(tensors)
        from djgraph.gpu.scan import gpu_scan

        states = drive.new_empty(*drive.shape[:-1], drive.shape[-1] + 1)
        states[..., 0] = initial
        states[..., 1:] = gpu_scan(*_flat(matrices, drive, initial), False).view(drive.shape)
        return states, states.detach()

    def backward(
        self,
        tensors: Sequence[Tensor],
        kept: Sequence[Tensor],
        gradients: Sequence[Tensor],
        needed: Sequence[bool],
    ) -> tuple[Tensor | None, ...]:
        from djgraph.gpu.scan import gpu_scan

        matrices, drive, initial = _alike(tensors)
        (states,), (gradient,) = kept, gradients
        at_rest = torch.zeros_like(initial)
        back = gpu_scan(*_flat(matrices, gradient[..., 1:], at_rest), True).view(drive.shape)
        of_initial = gradient[..., 0] + (matrices[..., 0] * back[..., :, None, 0]).sum(-2)
        found = (
            back[..., :, None, :] * states[..., None, :, :-1] if needed[0] else None,
            back if needed[1] else None,
            of_initial if needed[2] else None,
        )
        return tuple(
            None if one is None else one.sum_to_size(tensor.shape) for one, tensor in zip(found, tensors)
        )

    def plainly(self, tensors: Sequence[Tensor]) -> tuple[Tensor]:
        matrices, drive, initial = _alike(tensors)
        return (_plainly(matrices, drive, initial),)


def _alike(tensors: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices, drive and first states with the same leading dimensions, and as many samples."""
    matrices, drive, initial = tensors
    lead = torch.broadcast_shapes(matrices.shape[:-3], drive.shape[:-2], initial.shape[:-1])
    size, samples = drive.shape[-2:]
    return (
        matrices.expand(*lead, size, size, samples),
        drive.expand(*lead, size, samples),
        initial.expand(*lead, size),
    )


def _flat(matrices: Tensor, drive: Tensor, initial: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The leading dimensions as one."""
    size, samples = drive.shape[-2:]
    return (
        matrices.reshape(-1, size, size, samples),
        drive.reshape(-1, size, samples),
        initial.reshape(-1, size),
    )
