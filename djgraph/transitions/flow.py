"""Flow matching in the unit cube: a model that draws controls, and can be guided by what they sound like."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from djgraph.arguments import real, whole
from djgraph.errors import InputError
from djgraph.layout import ParameterLayout
from djgraph.nn import ControlHead, ControlInput
from djgraph.transitions.attention import body_of, heard_steps, sines

STEPS = 16
"""Steps from noise to controls unless asked otherwise."""
WAVES = 32
"""Sines that tell the time of the flow."""

Guide = Callable[[Tensor], Tensor]
"""Params ``[batch, frames, controls]`` → how wrong each item is, ``[batch]``, differentiable."""


class FlowModel(nn.Module):
    """Features of the beats to control frames in plain units, by flow matching (Y. Lipman et al., ICLR 2023).

    Positions of all controls at all steps are a point of the unit cube. Noise x₀ is uniform in it, x₁ are the positions
    that made a mix, and x_t = (1 − t)·x₀ + t·x₁ runs straight from one to the other: the cube is convex, so every point
    on the way is a set of controls that a mixer can play. A transformer estimates x₁ from x_t, t and the features; the
    velocity of the flow is (x̂₁ − x_t)/(1 − t).

    A checkpoint goes on with more controls: of the same noise, those that it knew run as before, the new ones to
    neutral. Fewer controls, or other ranges, are another flow (:meth:`djgraph.nn.ControlInput.remap`).

    size, layout, hidden, layers: as of :class:`djgraph.transitions.TransformerModel`.
    """

    def __init__(self, size: int, layout: ParameterLayout, hidden: int = 96, layers: int = 2) -> None:
        super().__init__()
        hidden += hidden % 2
        self.layout = layout
        self.encoder = ControlInput(size, layout, hidden)
        self.time = nn.Sequential(nn.Linear(WAVES, hidden), nn.SiLU(), nn.Linear(hidden, hidden))
        self.body = body_of(hidden, layers)
        self.norm = nn.LayerNorm(hidden)
        self.head = ControlHead(hidden, layout)

    def estimate(self, place: Tensor, time: Tensor, features: Tensor, steps: Tensor | None = None) -> Tensor:
        """Where the flow ends, ``[batch, steps, controls]``, not held to 0…1.

        place: ``[batch, steps, controls]`` in 0…1; time: ``[batch]`` in 0…1; features, steps: as of
        :meth:`TransitionModel.forward`.
        """
        hidden = heard_steps(features, steps)
        seen = self.encoder(features, place)
        seen = seen + sines(features.shape[1], seen.shape[-1]).to(seen)
        seen = seen + self.time(_waves(time).to(seen.dtype))[:, None]
        states = self.norm(self.body(seen, src_key_padding_mask=hidden))
        positions: Tensor = self.head.positions(states)
        return positions

    def matching_loss(
        self, params: Tensor, features: Tensor, spread: Tensor, steps: Tensor | None = None
    ) -> Tensor:
        """How far the estimate of x₁ is off at random times of the flow, squared: a mean over controls and steps.

        params: those that made the mix, ``[batch, frames, controls]`` in plain units. Noise and times are drawn from
        PyTorch's own generator.
        """
        wanted = _at_steps(self.layout.to_unit(params), spread)
        noise = torch.rand_like(wanted)
        time = torch.rand(len(wanted), dtype=wanted.dtype, device=wanted.device)
        place = noise + time[:, None, None] * (wanted - noise)
        off = (self.estimate(place, time, features, steps) - wanted).square().mean(-1)
        hidden = heard_steps(features, steps)
        if hidden is None:
            return off.mean()
        kept = (~hidden).to(off.dtype)
        return (off * kept).sum() / kept.sum()

    def sample(
        self,
        features: Tensor,
        spread: Tensor,
        steps: Tensor | None = None,
        *,
        generator: torch.Generator | None = None,
        noise: Tensor | None = None,
        flow_steps: int = STEPS,
        guide: Guide | None = None,
        strength: float = 0.1,
    ) -> Tensor:
        """Controls drawn from what was learned, ``[batch, frames, controls]`` in plain units.

        generator: of the noise, on the CPU (default: seed 0, the same noise for every item). noise: itself, where the
        flow begins, ``[steps, controls]`` or one for each item, in 0…1. flow_steps: of Euler's
        method. guide: pulls every estimate of x₁ towards what sounds right, before the flow goes on to it: down the
        gradient of the guide through whatever makes sound of the params, by ``strength`` of a knob's travel where the
        gradient is the largest, as H. Chung et al. (Diffusion posterior sampling, ICLR 2023) do with images. Of what a
        guide asks for is given only what a mixer's gradient reaches; the flow sees to the rest.

        Raises InputError for numbers that cannot be, and for noise of another shape.
        """
        flow_steps = whole(flow_steps, "flow_steps", 1)
        real(strength, "strength", 0)
        generator = torch.Generator().manual_seed(0) if generator is None else generator
        shape = (features.shape[1], len(self.layout))
        if noise is None:
            noise = torch.rand(shape, generator=generator, dtype=torch.float32, device="cpu")
        elif tuple(noise.shape) not in (shape, (len(features), *shape)):
            raise InputError(f"noise: expected {list(shape)} (steps, controls), got {list(noise.shape)}")
        place = noise.to(features).expand(len(features), -1, -1)
        with torch.no_grad():
            for number in range(flow_steps):
                time = number / flow_steps
                times = torch.full((len(place),), time, dtype=torch.float32, device=place.device)
                end = self.estimate(place, times, features, steps).float().clamp(0, 1)
                if guide is not None:
                    end = self._guided(end, spread, guide, strength)
                place = place + (end - place) / (flow_steps - number)
        return self._params(place, spread)

    def forward(self, features: Tensor, spread: Tensor, steps: Tensor | None = None) -> Tensor:
        """One draw, always of the same noise: as of :meth:`TransitionModel.forward`."""
        return self.sample(features, spread, steps)

    def _params(self, place: Tensor, spread: Tensor) -> Tensor:
        return self.layout.from_unit((spread.to(place.dtype) @ place).clamp(0, 1))

    @torch.enable_grad()
    def _guided(self, end: Tensor, spread: Tensor, guide: Guide, strength: float) -> Tensor:
        here = end.detach().requires_grad_()
        (slope,) = torch.autograd.grad(guide(self._params(here, spread)).sum(), here)
        steepest = slope.abs().amax((1, 2), keepdim=True).clamp(min=1e-12)
        return (end - strength * slope / steepest).clamp(0, 1)


def _at_steps(positions: Tensor, spread: Tensor) -> Tensor:
    """Positions of frames at steps: of each the mean of the frames that are made of it, weighted as they are."""
    weights = spread.mT.to(positions.dtype)
    return weights @ positions / weights.sum(-1, keepdim=True).clamp(min=1e-6)


def _waves(time: Tensor) -> Tensor:
    """``[batch]`` → ``[batch, WAVES]``: sines and cosines of ⅛, ¼, ½, 1 … half turns."""
    turns = torch.pi * 2 ** torch.arange(WAVES // 2, dtype=torch.float32, device=time.device) / 8
    angle = time.float()[:, None] * turns
    return torch.cat((angle.sin(), angle.cos()), -1)
