"""ControlHead, the last layer of a model that controls a mixer; ControlInput, one that hears where controls stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from djgraph.arguments import whole
from djgraph.errors import InputError, LayoutError, shorten
from djgraph.layout import ParameterLayout
from djgraph.layout.compare import origins

LAYOUT_KEY = "_extra_state"
"""Where torch keeps a module's extra state in a state dict; here, the layout's JSON as bytes."""


class ControlHead(nn.Module):
    """Features ``[…, features]`` to values of every control ``[…, controls]``, in plain units and within
    range.

    A linear layer moves each control along its scale, away from its neutral value::

        position = to_unit(neutral) + weight · features + bias
        values = from_unit(position)

    Weight and bias start at zero, so that an untrained head leaves the signal alone. There is no sigmoid:
    most controls are neutral at an end of their range, where a sigmoid only arrives in the limit, with a
    gradient of zero. A position may leave 0…1; its value stays at the end of the range, and the gradient
    passes where it brings the position back (:func:`djgraph.layout.clamp_inward`). As the weight starts at
    zero, the layers below the head receive their first gradients with the second step of the optimiser.

    Under autocast it computes in the type of its own weights: in bfloat16 a knob would have some 256 places.

    snap: values of controls with a step or choices snap to what they may take (straight-through gradient).

    A state dict carries the layout (a uint8 tensor, which safetensors and ``torch.load(weights_only=True)``
    read). Loading one of another layout raises LayoutError that says what differs; :meth:`remap` moves it
    over.

    >>> head = djgraph.nn.ControlHead(256, mixer.layout)
    >>> audio = mixer(inputs, head(features))
    """

    origin: Tensor
    """Positions of the neutral values ``[controls]``, saved so that a checkpoint keeps its meaning if they
    change."""

    def __init__(self, features: int, layout: ParameterLayout, snap: bool = False) -> None:
        super().__init__()
        features = whole(features, "features", 1)
        if not isinstance(layout, ParameterLayout):
            raise LayoutError(f"layout is a {type(layout).__name__}; expected mixer.layout")
        self.features = features
        self.layout = layout
        self.snap = snap
        self.weight = nn.Parameter(torch.zeros(len(layout), features))
        self.bias = nn.Parameter(torch.zeros(len(layout)))
        self.register_buffer("origin", layout.to_unit(layout.neutral.to(self.bias)))

    def reset_parameters(self) -> None:
        """Back to the untrained, neutral head."""
        with torch.no_grad():
            self.weight.zero_()
            self.bias.zero_()
            self.origin.copy_(self.layout.to_unit(self.layout.neutral.to(self.origin)))

    def forward(self, features: Tensor) -> Tensor:
        """Plain values ``[…, controls]`` for features ``[…, features]``."""
        return self.layout.from_unit(self.positions(features), self.snap)

    def positions(self, features: Tensor) -> Tensor:
        """Positions ``[…, controls]`` along each control's scale, for features ``[…, features]``, not yet held to
        0…1."""
        if not features.ndim or features.shape[-1] != self.features:
            raise InputError(f"features: expected [..., {self.features}], got shape {list(features.shape)}")
        with torch.autocast(features.device.type, enabled=False):
            # bfloat16 has 256 places for a knob's whole travel: of a network under autocast this layer stays out.
            moved = functional.linear(features.to(self.weight.dtype), self.weight, self.bias)
        return self.origin + moved

    def extra_repr(self) -> str:
        return f"features={self.features}, controls={len(self.layout)}, layout={self.layout.fingerprint}"

    # ── Checkpoints ─────────────────────────────────────────────────────────────────────────────────────────

    def get_extra_state(self) -> Tensor:
        """The layout's JSON in UTF-8, ``[bytes]`` uint8."""
        return torch.frombuffer(bytearray(self.layout.to_json().encode()), dtype=torch.uint8).clone()

    def set_extra_state(self, state: Any) -> None:
        """LayoutError where a checkpoint's layout is another one than this head's."""
        other = _read_layout(state)
        if other.fingerprint != self.layout.fingerprint:
            raise LayoutError(
                f"this checkpoint was made for another parameter layout ({other.fingerprint}, here "
                f"{self.layout.fingerprint}); from the checkpoint to this head:\n"
                f"{_indent(other.diff(self.layout))}\n"
                "to move it over by name: model.load_state_dict(model.head.remap(state, prefix='head.'))"
            )

    def remap(self, state: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        """A copy of a state dict in which the head's tensors are in this head's layout, by name and alias.

        state: of a head, or of a model whose head lies under ``prefix`` (``"head."``). Controls keep what
        they have learned, also where a linear or log control's range has changed; new controls, and those
        whose scale has changed, start neutral. Raises LayoutError where the state holds no head or one of
        other features.
        """
        keys = {key: prefix + key for key in ("weight", "bias", "origin", LAYOUT_KEY)}
        if missing := [key for key in keys.values() if key not in state]:
            raise LayoutError(
                f"this state holds no ControlHead under {prefix!r}: it lacks {', '.join(missing)}"
            )
        old = _read_layout(state[keys[LAYOUT_KEY]])
        shapes = {"weight": (len(old), self.features), "bias": (len(old),), "origin": (len(old),)}
        weight, bias, origin = (
            _shaped(state, keys[key], shape, "controls, features" if key == "weight" else "controls")
            for key, shape in shapes.items()
        )
        fresh = ControlHead(self.features, self.layout).to(weight)
        moved: dict[str, Any] = {key: value.detach().clone() for key, value in fresh.named_parameters()}
        moved["origin"] = fresh.origin.clone()
        for column, source in enumerate(origins(old, self.layout)):
            line = None if source is None else _carry(old, source, self.layout, column)
            if source is None or line is None:
                continue
            stretch, shift = line
            moved["weight"][column] = stretch * weight[source]
            moved["bias"][column] = stretch * bias[source]
            moved["origin"][column] = stretch * origin[source] + shift
        moved[LAYOUT_KEY] = self.get_extra_state()
        return {**state, **{keys[key]: value for key, value in moved.items()}}

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any, **kwargs: Any) -> None:
        # Before torch copies or complains of sizes: a head half loaded, or "size mismatch", would help
        # nobody.
        if prefix + LAYOUT_KEY in state_dict:
            self.set_extra_state(state_dict[prefix + LAYOUT_KEY])
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class ControlInput(nn.Linear):
    """Features ``[…, features]`` and positions of every control ``[…, controls]`` to ``[…, out]``: a linear layer, for
    models that hear where controls stand, such as one that draws them step by step.

    Positions, 0…1 along each control's scale, are heard from -1 to 1. Its weight has a column for each feature, then
    for each control; :meth:`remap` moves it to another layout.
    """

    def __init__(self, features: int, layout: ParameterLayout, out: int) -> None:
        if not isinstance(layout, ParameterLayout):
            raise LayoutError(f"layout is a {type(layout).__name__}; expected mixer.layout")
        super().__init__(whole(features, "features", 0) + len(layout), whole(out, "out", 1))
        self.features = features
        self.layout = layout

    def forward(self, features: Tensor, positions: Tensor) -> Tensor:  # type: ignore[override]
        """``[…, out]`` for features ``[…, features]`` and positions ``[…, controls]``."""
        return super().forward(torch.cat((features, 2 * positions - 1), -1))

    def remap(
        self, state: Mapping[str, Any], layout: ParameterLayout, prefix: str = "", strict: bool = True
    ) -> dict[str, Any]:
        """A copy of a state dict in which the layer hears this one's controls, by name and alias.

        state: of a layer for ``layout``, or of a model in which it lies under ``prefix``. New controls are not heard,
        so with a head that was remapped (:meth:`ControlHead.remap`) a model does with the others what it did. What it
        did hung on all that it heard, so LayoutError for a control that is gone, or whose range or scale has changed;
        with ``strict=False`` a control that is gone is heard in the middle of its travel, one of another linear or log
        range where its value was, and one of another scale not at all, which is near what was learned, not that.
        LayoutError, too, where the state holds no such layer.
        """
        keys = f"{prefix}weight", f"{prefix}bias"
        width = self.features + len(layout)
        weight = _shaped(state, keys[0], (self.out_features, width), "out, features and controls")
        bias = _shaped(state, keys[1], (self.out_features,), "out").clone()
        sources = origins(layout, self.layout)
        lines = [None if i is None else _carry(layout, i, self.layout, j) for j, i in enumerate(sources)]
        lost = [name for i, name in enumerate(layout.names) if i not in sources]
        other = [self.layout.names[j] for j, i in enumerate(sources) if i is not None and lines[j] != (1, 0)]
        if strict and (lost or other):
            gone = [f"gone: {shorten(lost, 8)}"] if lost else []
            gone += [f"of another range or scale: {shorten(other, 8)}"] if other else []
            raise LayoutError(
                f"this model hears where all its controls stand ({prefix}weight), so what it does with those that"
                f" stayed hangs on those that are {'; '.join(gone)}\n"
                "  it cannot be carried over as it was: keep these controls in the graph, train anew, or take it for a"
                " beginning, with strict=False"
            )
        heard = weight.new_zeros(self.out_features, len(self.layout))
        for j, (source, line) in enumerate(zip(sources, lines)):
            if source is None or line is None:
                continue
            column, (stretch, shift) = weight[:, self.features + source], line
            # Of the position p here, the old one is (p − shift)/stretch; both are heard as 2·position − 1.
            heard[:, j] = column / stretch
            bias += column * ((1 - 2 * shift) / stretch - 1)
        moved = torch.cat((weight[:, : self.features], heard), 1)
        return {**state, **dict(zip(keys, (moved, bias)))}


def _shaped(state: Mapping[str, Any], key: str, shape: tuple[int, ...], what: str) -> Tensor:
    """A state's tensor; LayoutError where it has none of that shape, whose dimensions are ``what``."""
    held = state.get(key)
    if not isinstance(held, Tensor) or tuple(held.shape) != shape:
        came = list(held.shape) if isinstance(held, Tensor) else type(held).__name__
        raise LayoutError(f"{key}: expected {list(shape)} ({what}), got {came}")
    return held.detach()


def _read_layout(state: Any) -> ParameterLayout:
    if not isinstance(state, Tensor) or state.dtype != torch.uint8:
        raise LayoutError(f"a head's layout is a uint8 tensor in its state dict, got {type(state).__name__}")
    try:
        text = bytes(state.cpu().tolist()).decode()
    except ValueError as error:
        raise LayoutError(f"the layout in this state dict is no text: {error}") from error
    return ParameterLayout.from_json(text)


def _carry(old: ParameterLayout, i: int, new: ParameterLayout, j: int) -> tuple[float, float] | None:
    """Stretch and shift that turn a position on the old control's scale into the same value's on the new
    one's.

    None where no straight line does so.
    """
    before, after = old.columns[i].control, new.columns[j].control
    exponent = (before.exponent, after.exponent) if before.scale == "power" else (1.0, 1.0)
    if before.scale != after.scale or exponent[0] != exponent[1]:
        return None
    if (before.min, before.max) == (after.min, after.max):
        return 1.0, 0.0
    if before.scale not in ("linear", "log"):
        return None
    ends = torch.tensor(
        [[before.min], [before.max], [after.min], [after.max]], dtype=torch.float64, device="cpu"
    )
    low, high, new_low, new_high = (ends.log() if before.scale == "log" else ends).flatten().tolist()
    stretch = (high - low) / (new_high - new_low)
    return stretch, (low - new_low) / (new_high - new_low)


def _indent(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())
