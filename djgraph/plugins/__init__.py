"""Plugins: the hooks to implement, and the registry of what is installed."""

from djgraph.plugins.hookspecs import Exporter, GraphFile, RecipeFile, hookimpl, hookspec
from djgraph.plugins.records import (
    EffectEntry,
    ExporterEntry,
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
    "Exporter",
    "ExporterEntry",
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
