"""The controls of causal twins: those of a spectral effect, read at every sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import create_model

from djgraph.effects.control import Control, ControlModel
from djgraph.errors import EffectError

SMOOTHING = 5.0
"""Width in ms of the box that rounds a twin's controls, as it does those of other time effects."""

_OWN = ("rate", "smoothing", "neutral", "label", "description", "aliases", "gradient")
"""What a twin may declare of a control for itself."""


def twin_controls(controls: Sequence[Control]) -> type[ControlModel]:
    """A model of the same controls, read at every sample instead of every frame."""
    fields: dict[str, Any] = {}
    for control in controls:
        read = control
        if control.rate == "frame":
            read = read.replace(rate="sample", smoothing=0.0 if control.held else SMOOTHING)
        fields[control.id] = (Annotated[float, read], control.default)
    return create_model("TwinControls", __base__=ControlModel, **fields)


def check_twin_controls(name: str, of: str, own: Sequence[Control], controls: Sequence[Control]) -> None:
    """Raises EffectError where a twin's own controls differ from those of its effect, ``of``, in what users see."""
    ids, theirs = [control.id for control in own], [control.id for control in controls]
    if ids != theirs:
        raise EffectError(
            f"{name}: controls {', '.join(ids) or 'none'} are not those of {of}:"
            f" {', '.join(theirs) or 'none'}"
        )
    for mine, declared in zip(own, controls):
        same = {key: getattr(declared, key) for key in _OWN}
        if mine.replace(**same) != declared:
            raise EffectError(
                f"{name}: control {mine.id} differs from that of {of} in more than {', '.join(_OWN)}"
            )
