"""Ask one plugin for its effects, graphs and recipes, and refuse what is not fit to be registered."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pluggy

from djgraph.effects import Effect, SourceEffect, SpectralEffect, TimeEffect
from djgraph.effects.control import IDENTIFIER
from djgraph.errors import PluginError
from djgraph.plugins import hookspecs
from djgraph.plugins.hookspecs import PROJECT, Exporter, GraphFile, RecipeFile

SUFFIXES = (".yaml", ".yml", ".json")

_Record = TypeVar("_Record", GraphFile, RecipeFile)


class Provided(NamedTuple):
    """What one plugin provides, each by name."""

    effects: dict[str, type[Effect]]
    graphs: dict[str, GraphFile]
    recipes: dict[str, RecipeFile]
    exporters: dict[str, Exporter]


def ask(plugin: Any) -> Provided:
    """The effects, graph files and recipes of one plugin.

    The plugin gets a pluggy manager of its own: no plugin can see, wrap or break another. Raises PluginError
    for anything that does not keep to the hooks, and lets through what the plugin itself raises.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        known = ", ".join(f"{name}()" for name in hook_names())
        raise PluginError(f"{error}; the hooks are: {known}") from error
    if not manager.get_hookcallers(plugin):
        known = " or ".join(f"{name}()" for name in hook_names())
        raise PluginError(f"implements no hook: no function {known} marked with djgraph.plugins.hookimpl")

    effects: dict[str, type[Effect]] = {}
    for effect in _call(manager, "djgraph_effects"):
        name = _check_effect(effect)
        if name in effects:
            both = f"{effects[name].__qualname__} and {effect.__qualname__}"
            raise PluginError(f"djgraph_effects() gave two effects of type {name!r}: {both}")
        effects[name] = effect
    return Provided(
        effects,
        _files(manager, "djgraph_graphs", "graph", GraphFile),
        _files(manager, "djgraph_recipes", "recipe", RecipeFile),
        _exporters(manager),
    )


def hook_names() -> list[str]:
    """The names of all hooks, sorted."""
    return sorted(name for name, value in vars(hookspecs).items() if hasattr(value, f"{PROJECT}_spec"))


def _call(manager: pluggy.PluginManager, hook: str) -> list[Any]:
    caller = getattr(manager.hook, hook)
    if not caller.get_hookimpls():
        return []
    results = caller()
    if not results:  # pluggy leaves None out
        raise PluginError(f"{hook}() returned None; return or yield the records")
    (records,) = results
    if not isinstance(records, Iterable) or isinstance(records, str):
        raise PluginError(f"{hook}() returned {records!r}, which is not a list of records")
    return list(records)


def _check_effect(effect: Any) -> str:
    if not (inspect.isclass(effect) and issubclass(effect, Effect)):
        what = f"an instance of {type(effect).__name__}" if isinstance(effect, Effect) else repr(effect)
        raise PluginError(f"djgraph_effects() gave {what}, not a subclass of djgraph.effects.Effect")
    name = f"{effect.__module__}.{effect.__qualname__}"
    if not isinstance(effect.type, str):
        raise PluginError(f"djgraph_effects() gave {name}, which is abstract: it has no `type`")
    kinds: dict[type[Effect], str] = {TimeEffect: "process", SpectralEffect: "mask", SourceEffect: "process"}
    base = next((base for base in kinds if issubclass(effect, base)), None)
    if base is None:
        raise PluginError(
            f"djgraph_effects() gave {name}; subclass TimeEffect, SpectralEffect or SourceEffect"
        )
    method = kinds[base]
    if getattr(effect, method) is getattr(base, method) or inspect.isabstract(effect):
        raise PluginError(f"djgraph_effects() gave {name}, which is abstract: it does not define {method}()")
    return effect.type


def _exporters(manager: pluggy.PluginManager) -> dict[str, Exporter]:
    """Effects in JavaScript, by effect."""
    records: dict[str, Exporter] = {}
    for record in _call(manager, "djgraph_exporters"):
        if not isinstance(record, Exporter):
            raise PluginError(f"djgraph_exporters() gave {record!r}, which is not a djgraph.plugins.Exporter")
        if not isinstance(record.effect, str) or not IDENTIFIER.match(record.effect):
            raise PluginError(
                f"exporter of effect {record.effect!r}: not lower-case letters, digits and underscores"
            )
        _check_path(f"exporter of effect {record.effect!r}", record.script, (".js",))
        if record.effect in records:
            raise PluginError(f"djgraph_exporters() gave two exporters of effect {record.effect!r}")
        records[record.effect] = record
    return records


def _files(
    manager: pluggy.PluginManager, hook: str, kind: str, record_type: type[_Record]
) -> dict[str, _Record]:
    """The file records that a hook gives, by name."""
    records: dict[str, _Record] = {}
    for record in _call(manager, hook):
        if not isinstance(record, record_type):
            name = record_type.__name__
            raise PluginError(f"{hook}() gave {record!r}, which is not a djgraph.plugins.{name}")
        _check_file(kind, record)
        if record.name in records:
            raise PluginError(f"{hook}() gave two {kind}s named {record.name!r}")
        records[record.name] = record
    return records


def _check_file(kind: str, record: GraphFile | RecipeFile) -> None:
    if not isinstance(record.name, str) or not IDENTIFIER.match(record.name):
        raise PluginError(f"{kind} name {record.name!r} is not lower-case letters, digits and underscores")
    _check_path(f"{kind} {record.name!r}", record.path, SUFFIXES)


def _check_path(what: str, given: Any, suffixes: tuple[str, ...]) -> None:
    if not isinstance(given, str | os.PathLike):
        raise PluginError(f"{what}: path {given!r} is not a path in the file system")
    path = Path(given)
    if not path.is_absolute():
        raise PluginError(f"{what}: path {path} is relative; use importlib.resources.files(…)")
    if path.suffix not in suffixes:
        raise PluginError(f"{what}: {path.name} is none of {', '.join(suffixes)}")
    if not path.is_file():
        raise PluginError(f"{what}: there is no file {path}")
