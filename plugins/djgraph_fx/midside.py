"""Mid and side as signals of their own, and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from djgraph.effects import Block, Port, State, TimeEffect


class MsSplit(TimeEffect):
    """``mid = (left + right)/2`` and ``side = (left − right)/2`` of each pair, as two outputs.

    Both have the channels of the input: the mid signal stands on both sides of its pair, the side signal on the left
    and with its sign turned on the right. So either is heard as it sounds in the mix, and their sum is the input. A
    channel without a partner is all mid.
    """

    type = "ms_split"
    family = "level"
    description = "Mid and side as two outputs; their sum is the input"
    outputs = (Port("mid"), Port("side"))
    memoryless = True

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        signal = audio["in"]
        paired = signal.shape[1] // 2 * 2
        left, right = signal[:, 0:paired:2], signal[:, 1:paired:2]
        mid, side = (left + right) / 2, (left - right) / 2
        alone = signal[:, paired:]
        return {
            "mid": torch.cat((_pairs(mid, mid), alone), dim=1),
            "side": torch.cat((_pairs(side, -side), torch.zeros_like(alone)), dim=1),
        }, state


class MsJoin(TimeEffect):
    """``left = mid + side``, ``right = mid − side`` of what is mid in one input and side in the other.

    Of a pair of the input ``mid`` only what both have in common counts, of one of ``side`` only what is opposite: what
    effects between split and join made beside it is left out, so mid stays mid, and side stays side.
    """

    type = "ms_join"
    family = "level"
    description = "Mid and side back into one signal"
    inputs = (Port("mid"), Port("side"))
    memoryless = True

    def process(
        self, audio: Mapping[str, Tensor], controls: Mapping[str, Tensor], state: State, block: Block
    ) -> tuple[dict[str, Tensor], State]:
        mid, side = audio["mid"], audio["side"]
        paired = mid.shape[1] // 2 * 2
        m = (mid[:, 0:paired:2] + mid[:, 1:paired:2]) / 2
        s = (side[:, 0:paired:2] - side[:, 1:paired:2]) / 2
        return {"out": torch.cat((_pairs(m + s, m - s), mid[:, paired:]), dim=1)}, state


def _pairs(left: Tensor, right: Tensor) -> Tensor:
    return torch.stack((left, right), dim=2).flatten(1, 2)
