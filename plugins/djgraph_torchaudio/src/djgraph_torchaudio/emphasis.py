"""torchaudio's pre-emphasis, its inverse, and ``lfilter`` itself with coefficients from the graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from djgraph.effects import Control, ControlModel, Environment, SettingModel
from djgraph_torchaudio.filters import Filter, MixControls

LARGEST = 0.995
"""Of the coefficient of emphasis: at 1 de-emphasis would never forget."""
COEFFICIENT = Control(
    0, LARGEST, neutral=0, rate="frame", description="torchaudio's coeff; speech takes 0.97"
)


class Preemphasis(Filter):
    """y[n] = x[n] − coeff·x[n−1], as ``torchaudio.functional.preemphasis``."""

    type = "torchaudio_preemphasis"
    description = "Raises high frequencies by a difference of neighbours"
    order = 1

    class Controls(ControlModel):
        coeff: Annotated[float, COEFFICIENT] = 0.0

    def coefficients(self, controls: Mapping[str, Tensor], like: Tensor) -> tuple[Tensor, Tensor]:
        return _of_first_order(controls["coeff"])

    def tail(self) -> int | None:
        return 1


class Deemphasis(Filter):
    """y[n] = x[n] + coeff·y[n−1], as ``torchaudio.functional.deemphasis``."""

    type = "torchaudio_deemphasis"
    description = "Undoes pre-emphasis"
    order = 1

    class Controls(ControlModel):
        coeff: Annotated[float, COEFFICIENT] = 0.0

    def coefficients(self, controls: Mapping[str, Tensor], like: Tensor) -> tuple[Tensor, Tensor]:
        b, a = _of_first_order(controls["coeff"])
        return a, b


def _of_first_order(coeff: Tensor) -> tuple[Tensor, Tensor]:
    one = torch.ones_like(coeff)
    return torch.stack((one, -coeff), -1), torch.stack((one, 0 * coeff), -1)


class LFilterSettings(SettingModel):
    """The coefficients, as ``torchaudio.functional.lfilter`` takes them."""

    b_coeffs: tuple[float, ...] = Field(
        (1.0, 0.0), min_length=2, max_length=33, description="Of the input, the present sample first"
    )
    a_coeffs: tuple[float, ...] = Field(
        (1.0, 0.0), min_length=2, max_length=33, description="Of the output, the present sample first"
    )

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if len(self.a_coeffs) != len(self.b_coeffs):
            raise ValueError(
                f"{len(self.b_coeffs)} coefficients b and {len(self.a_coeffs)} a: "
                "as many of each; fill up with zeros"
            )
        if self.a_coeffs[0] == 0:
            raise ValueError("the first of a_coeffs is 0; it is what all others are divided by")
        poles = np.abs(np.roots(self.a_coeffs))
        if poles.size and poles.max() >= 1:
            raise ValueError(
                f"unstable: a pole at a distance of {poles.max():.6g} from 0; all have to be within 1"
            )
        return self


class LFilter(Filter):
    """``torchaudio.functional.lfilter`` with fixed coefficients, of any order up to 32."""

    type = "torchaudio_lfilter"
    description = "A filter by its coefficients"
    Settings = LFilterSettings
    Controls = MixControls

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        self.order = len(settings.a_coeffs) - 1

    def constants(self) -> dict[str, Tensor]:
        """``b`` and ``a``, ``[1, 1, order + 1]``."""
        first = self.settings.a_coeffs[0]
        return {
            name: torch.tensor([[values]], dtype=torch.float64, device="cpu") / first
            for name, values in (("b", self.settings.b_coeffs), ("a", self.settings.a_coeffs))
        }

    def coefficients(self, controls: Mapping[str, Tensor], like: Tensor) -> tuple[Tensor, Tensor]:
        return self.constant("b", like.double()), self.constant("a", like.double())
