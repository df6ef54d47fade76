"""Linear recursions by PyTorch's operations: s[n] = A[n]·s[n−1] + b[n] in about 2·log₂(samples) steps.

Two steps of the recursion are one of the same form, s[n] = A[n]·A[n−1]·s[n−2] + (A[n]·b[n−1] + b[n]). So every other
state comes from a recursion half as long, and the ones between from their neighbours (Blelloch 1990, "Prefix sums and
their applications"): work that grows with the samples, and no loop over them. Autograd sees plain operations.
"""

from __future__ import annotations

import torch
from torch import Tensor


def scan(matrices: Tensor, drive: Tensor, initial: Tensor) -> Tensor:
    """States of a linear recursion: ``s[n] = matrices[n] @ s[n−1] + drive[n]`` from ``s[−1] = initial``.

    matrices: ``[…, k, k, samples]``. drive: ``[…, k, samples]``. initial: ``[…, k]``. Returns ``[…, k, samples + 1]``,
    the first of which is ``initial``: state n is the one before sample n.
    """
    if drive.shape[-1] == 0:
        return initial[..., None]
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
