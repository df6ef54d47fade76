"""The effect contract: declarations of controls, base classes, and the conformance kit for authors."""

from djgraph.effects.contract import (
    Block,
    Clock,
    Effect,
    Environment,
    NoControls,
    NoSettings,
    Port,
    SpectralEffect,
    State,
    TimeEffect,
    Transform,
)
from djgraph.effects.control import Control, ControlModel, SettingModel

__all__ = [
    "Block",
    "Clock",
    "Control",
    "ControlModel",
    "Effect",
    "Environment",
    "NoControls",
    "NoSettings",
    "Port",
    "SettingModel",
    "SpectralEffect",
    "State",
    "TimeEffect",
    "Transform",
]
