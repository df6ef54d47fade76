"""djgraph: describe a mixer in YAML, get a differentiable PyTorch module.

    import djgraph
    mixer = djgraph.compile("dj_mixer")
    audio = mixer({"track_a": stems_a, "track_b": stems_b}, params)

Importing this module is cheap: PyTorch and the plugins are loaded when something here is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from djgraph.version import __version__

_WHERE = {
    "Block": "djgraph.effects",
    "Clock": "djgraph.effects",
    "Control": "djgraph.effects",
    "ControlModel": "djgraph.effects",
    "Effect": "djgraph.effects",
    "Environment": "djgraph.effects",
    "Port": "djgraph.effects",
    "SettingModel": "djgraph.effects",
    "SpectralEffect": "djgraph.effects",
    "TimeEffect": "djgraph.effects",
    "Graph": "djgraph.graph",
    "load": "djgraph.graph",
    "validate": "djgraph.validation",
    "ParameterLayout": "djgraph.layout",
    "Mixer": "djgraph.mixer",
    "Reference": "djgraph.runtime.reference",
    "compile": ("djgraph.mixer", "compile_graph"),
    "registry": "djgraph.plugins",
    "effect": "djgraph.plugins",
    "DifferentiableDJMixer": "djgraph.seed.mixer",
    "MixerConfig": "djgraph.seed.mixer",
    "create_mixer": "djgraph.seed.mixer",
    "SimpleCrossfader": "djgraph.seed.crossfade",
    "fit": "djgraph.fitting",
    "AudioFileError": "djgraph.errors",
    "AutomationError": "djgraph.errors",
    "CheckpointError": "djgraph.errors",
    "CompileError": "djgraph.errors",
    "CorpusError": "djgraph.errors",
    "DJGraphError": "djgraph.errors",
    "DocumentError": "djgraph.errors",
    "EffectError": "djgraph.errors",
    "GraphError": "djgraph.errors",
    "InputError": "djgraph.errors",
    "LayoutError": "djgraph.errors",
    "PluginError": "djgraph.errors",
    "SetError": "djgraph.errors",
}
_MODULES = (
    "audio",
    "automation",
    "checkpoint",
    "data",
    "effects",
    "errors",
    "features",
    "losses",
    "metrics",
    "nn",
    "plugins",
)

# Written out: type checkers read no expression here.
__all__ = [
    "AudioFileError",
    "AutomationError",
    "Block",
    "CheckpointError",
    "Clock",
    "CompileError",
    "Control",
    "ControlModel",
    "CorpusError",
    "DJGraphError",
    "DifferentiableDJMixer",
    "DocumentError",
    "Effect",
    "EffectError",
    "Environment",
    "Graph",
    "GraphError",
    "InputError",
    "LayoutError",
    "Mixer",
    "MixerConfig",
    "ParameterLayout",
    "PluginError",
    "Port",
    "Reference",
    "SetError",
    "SettingModel",
    "SimpleCrossfader",
    "SpectralEffect",
    "TimeEffect",
    "__version__",
    "audio",
    "automation",
    "checkpoint",
    "compile",
    "create_mixer",
    "data",
    "effect",
    "effects",
    "errors",
    "features",
    "fit",
    "load",
    "losses",
    "metrics",
    "nn",
    "plugins",
    "registry",
    "validate",
]

if TYPE_CHECKING:
    from djgraph import (
        audio,
        automation,
        checkpoint,
        data,
        effects,
        errors,
        features,
        losses,
        metrics,
        nn,
        plugins,
    )
    from djgraph.effects import (
        Block,
        Clock,
        Control,
        ControlModel,
        Effect,
        Environment,
        Port,
        SettingModel,
        SpectralEffect,
        TimeEffect,
    )
    from djgraph.errors import (
        AudioFileError,
        AutomationError,
        CheckpointError,
        CompileError,
        CorpusError,
        DJGraphError,
        DocumentError,
        EffectError,
        GraphError,
        InputError,
        LayoutError,
        PluginError,
        SetError,
    )
    from djgraph.fitting import fit
    from djgraph.graph import Graph, load
    from djgraph.layout import ParameterLayout
    from djgraph.mixer import Mixer
    from djgraph.mixer import compile_graph as compile
    from djgraph.plugins import effect, registry
    from djgraph.runtime.reference import Reference
    from djgraph.seed.crossfade import SimpleCrossfader
    from djgraph.seed.mixer import DifferentiableDJMixer, MixerConfig, create_mixer
    from djgraph.validation import validate


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"djgraph.{name}")
    if name not in _WHERE:
        raise AttributeError(f"module 'djgraph' has no attribute {name!r}")
    where = _WHERE[name]
    module, attribute = where if isinstance(where, tuple) else (where, name)
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
