"""The effect contract: declarations of controls, base classes, and the conformance kit for authors."""

from djgraph.effects.contract import (
    AmplitudeEffect,
    Block,
    Clock,
    Effect,
    Environment,
    NoControls,
    NoSettings,
    Port,
    RatioEffect,
    SpectralEffect,
    State,
    TimeEffect,
    Transform,
)
from djgraph.effects.control import Control, ControlModel, SettingModel
from djgraph.effects.twin import CausalTwin

__all__ = [
    "AmplitudeEffect",
    "Block",
    "CausalTwin",
    "Clock",
    "Control",
    "ControlModel",
    "Effect",
    "Environment",
    "NoControls",
    "NoSettings",
    "Port",
    "RatioEffect",
    "SettingModel",
    "SpectralEffect",
    "State",
    "TimeEffect",
    "Transform",
]
