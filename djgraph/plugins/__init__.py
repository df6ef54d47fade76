"""Plugins: the hooks to implement, and the registry of what is installed."""

from djgraph.plugins.hookspecs import GraphFile, RecipeFile, hookimpl, hookspec
from djgraph.plugins.records import (
    EffectEntry,
    GraphEntry,
    Origin,
    PluginEntry,
    PluginFailure,
    PluginWarning,
    RecipeEntry,
)
from djgraph.plugins.registry import STRICT, Registry, effect, registry, reset

__all__ = [
    "STRICT",
    "EffectEntry",
    "GraphEntry",
    "GraphFile",
    "Origin",
    "PluginEntry",
    "PluginFailure",
    "PluginWarning",
    "RecipeEntry",
    "RecipeFile",
    "Registry",
    "effect",
    "hookimpl",
    "hookspec",
    "registry",
    "reset",
]
