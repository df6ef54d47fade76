"""The effect contract: declarations of controls, base classes, and the conformance kit for authors."""

from djgraph.effects.contract import (
    AmplitudeEffect,
    Block,
    Clock,
    Effect,
    Environment,
    Link,
    NoControls,
    NoSettings,
    Port,
    RatioEffect,
    SpectralEffect,
    State,
    TimeEffect,
    Transform,
)
from djgraph.effects.control import Control, ControlModel, SettingModel, Unit
from djgraph.effects.rest import is_silent
from djgraph.effects.source import Beats, Markers, Material, SourceEffect
from djgraph.effects.tape import Parted, Tape
from djgraph.effects.twin import CausalTwin
from djgraph.effects.use import Conflict, ControlUse, Use

__all__ = [
    "AmplitudeEffect",
    "Beats",
    "Block",
    "CausalTwin",
    "Clock",
    "Conflict",
    "Control",
    "ControlModel",
    "ControlUse",
    "Effect",
    "Environment",
    "Link",
    "Markers",
    "Material",
    "NoControls",
    "NoSettings",
    "Parted",
    "Port",
    "RatioEffect",
    "SettingModel",
    "SourceEffect",
    "SpectralEffect",
    "State",
    "Tape",
    "TimeEffect",
    "Transform",
    "Unit",
    "Use",
    "is_silent",
]
