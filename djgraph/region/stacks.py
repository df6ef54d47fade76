"""Named tensors that live as rows of stacks, so that what was made together is read together without a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor


class _Stack:
    """A tensor and its rows, taken apart at most once: the gradient of many single rows is one stack again."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self._rows: tuple[Tensor, ...] | None = None

    def row(self, index: int) -> Tensor:
        if len(self.tensor) == 1:
            return self.tensor.squeeze(
                0
            )  # unlike a row that is taken apart from others, this may be written to
        if not self.tensor.requires_grad:
            return self.tensor[index]
        if self._rows is None:
            self._rows = self.tensor.unbind(0)
        return self._rows[index]


class Stacks:
    """Values by name; each is one row of a stack ``[rows, …]`` that an operation made."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[_Stack, int]] = {}

    def put(self, names: Sequence[str], tensor: Tensor) -> None:
        stack = _Stack(tensor)
        for row, name in enumerate(names):
            self._rows[name] = (stack, row)

    def get(self, name: str) -> Tensor:
        stack, row = self._rows[name]
        return stack.row(row)

    def view(self, names: Sequence[str]) -> Tensor | None:
        """The values as one stack without a copy, or None where they do not lie side by side.

        Nor is there a view of a part of a stack that needs a gradient, since that would be as large as the whole.
        """
        stack, first = self._rows[names[0]]
        for offset, name in enumerate(names):
            other, row = self._rows[name]
            if other is not stack or row != first + offset:
                return None
        if len(names) == len(stack.tensor):
            return stack.tensor
        return None if stack.tensor.requires_grad else stack.tensor[first : first + len(names)]

    def is_whole(self, names: Sequence[str]) -> bool:
        """The values are all rows of one stack, in order."""
        view = self.view(names)
        return view is not None and view.shape[0] == len(self._rows[names[0]][0].tensor)

    def alone(self, name: str) -> bool:
        """The value is the only row of its stack."""
        return len(self._rows[name][0].tensor) == 1

    def gather(self, names: Sequence[str]) -> Tensor:
        """The values as one stack, copied only where they do not lie side by side."""
        view = self.view(names)
        return torch.stack([self.get(name) for name in names]) if view is None else view

    def add(self, name: str, value: Tensor) -> None:
        """Adds to a value, or begins it."""
        self.put((name,), (self.get(name) + value if name in self else value).unsqueeze(0))

    def alias(self, name: str, other: str) -> None:
        """Gives a value a second name."""
        self._rows[name] = self._rows[other]

    def same(self, name: str, other: str) -> bool:
        """Whether two names stand for one row of one stack."""
        (stack, row), (other_stack, other_row) = self._rows[name], self._rows[other]
        return stack is other_stack and row == other_row

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def replace(self, names: Iterable[str], function: Callable[[Tensor], Tensor]) -> None:
        """Puts ``function(stack)`` in place of each stack that one of ``names`` is a row of."""
        replaced: dict[int, _Stack] = {}
        for name in names:
            stack, row = self._rows[name]
            if id(stack) not in replaced:
                replaced[id(stack)] = _Stack(function(stack.tensor))
            self._rows[name] = (replaced[id(stack)], row)

    def drop(self, names: Iterable[str]) -> None:
        """Forgets values; a stack is freed with the last of its rows."""
        for name in names:
            del self._rows[name]
