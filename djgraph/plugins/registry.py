"""The registry: every effect, graph and recipe that installed plugins provide, and the plugins that failed."""

from __future__ import annotations

import importlib.metadata
import os
import threading
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from djgraph.effects import Effect
from djgraph.errors import PluginError, nearest, shorten
from djgraph.plugins.collect import ask
from djgraph.plugins.failures import apart, failure, is_ours, said
from djgraph.plugins.hookspecs import PROJECT
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

STRICT = "DJGRAPH_STRICT_PLUGINS"
"""Environment variable that makes a failing plugin fatal; for continuous integration."""

_Entry = TypeVar("_Entry", EffectEntry, GraphEntry, RecipeEntry, ExporterEntry)
_Record = TypeVar("_Record", PluginEntry, PluginFailure)


class Registry:
    """Effects, graphs and recipes by name.

    ``djgraph.plugins.registry()`` is the one that a process normally uses. One of your own starts empty::

        registry = Registry()
        registry.register(my_module)

    What it holds never depends on the order in which plugins were found or registered. Reading needs no lock:
    a change replaces the tables as a whole.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._effects: Mapping[str, EffectEntry] = MappingProxyType({})
        self._graphs: Mapping[str, GraphEntry] = MappingProxyType({})
        self._recipes: Mapping[str, RecipeEntry] = MappingProxyType({})
        self._exporters: Mapping[str, ExporterEntry] = MappingProxyType({})
        self._plugins: tuple[PluginEntry, ...] = ()
        self._failures: tuple[PluginFailure, ...] = ()
        self._builtins_missing = False

    @property
    def effects(self) -> Mapping[str, EffectEntry]:
        """All effects by type, sorted; read-only."""
        return self._effects

    @property
    def graphs(self) -> Mapping[str, GraphEntry]:
        """All graphs that ship with plugins by name, sorted; read-only."""
        return self._graphs

    @property
    def recipes(self) -> Mapping[str, RecipeEntry]:
        """All transition recipes that ship with plugins by name, sorted; read-only."""
        return self._recipes

    @property
    def exporters(self) -> Mapping[str, ExporterEntry]:
        """All effects in JavaScript by the effect's type, sorted; read-only."""
        return self._exporters

    @property
    def plugins(self) -> tuple[PluginEntry, ...]:
        """The plugins that were loaded, sorted by name and distribution."""
        return self._plugins

    @property
    def failures(self) -> tuple[PluginFailure, ...]:
        """The installed plugins that could not be loaded, sorted by name and distribution."""
        return self._failures

    def effect(self, name: str) -> type[Effect]:
        """The effect class of that type; raises PluginError with the nearest name where there is none."""
        return self._find("effect", name, self._effects).effect

    def graph(self, name: str) -> GraphEntry:
        """The shipped graph of that name; raises PluginError with the nearest name where there is none."""
        return self._find("graph", name, self._graphs)

    def recipe(self, name: str) -> RecipeEntry:
        """The shipped recipe of that name; raises PluginError with the nearest name where there is none."""
        return self._find("recipe", name, self._recipes)

    def hint(self) -> str | None:
        """Why a name may be missing: plugins that failed, built-ins not installed; None where all is well.

        For the error messages of those who look names up themselves.
        """
        reasons = []
        if self._builtins_missing:
            reasons.append(
                "djgraph is not installed, so its own effects and graphs are not registered; "
                "run `pip install -e .` in its folder"
            )
        if self._failures:
            failed = "; ".join(map(str, self._failures))
            reasons.append(f"a plugin that failed to load may provide it (see `djgraph plugins`): {failed}")
        return "; ".join(reasons) or None

    def register(
        self, plugin: Any, name: str | None = None, distribution: str = "", version: str = ""
    ) -> PluginEntry:
        """Add a plugin that is at hand: a module, or any object with functions marked ``hookimpl``.

        For tests and notebooks; installed plugins come through entry points. Raises PluginError if the plugin
        does not keep to the hooks or takes a name that is taken, and whatever the plugin's own code raises;
        the registry is then as it was.
        """
        if name is None:
            name = getattr(plugin, "__name__", type(plugin).__name__)
        origin = Origin(name, distribution, version)
        try:
            collected = _collect(plugin, origin)
        except PluginError as error:
            raise PluginError(f"{origin} {error}") from error
        with self._lock:
            self._add([collected])
        return collected.plugin

    def load_entry_points(self) -> None:
        """Add every installed plugin: the entry points of group ``djgraph``, djgraph's own among them.

        A plugin that raises, when imported or in a hook, or hands over something unfit, is left out as a
        whole and listed in :attr:`failures`; one PluginWarning names all of them. What it prints meanwhile goes to
        standard error. With the environment
        variable ``DJGRAPH_STRICT_PLUGINS=1`` it raises PluginError instead. Two plugins that provide one name
        are always a PluginError: whichever won, a graph file would sound different depending on what else
        is installed.
        """
        points = sorted(importlib.metadata.entry_points(group=PROJECT), key=_sort_key)
        collected: list[_Collected] = []
        failures: list[PluginFailure] = []
        for point in points:
            origin = _origin(point)
            try:
                with apart():
                    collected.append(_collect(point.load(), origin))
            except BaseException as error:  # a stranger's code may do anything, sys.exit() too
                if is_ours(error):
                    raise
                if _strict():
                    message = f"{origin} failed to load: {said(error)}"
                    raise PluginError(f"{message} (fatal, because {STRICT} is set)") from error
                failures.append(failure(origin, error))
        with self._lock:
            self._add(collected)
            self._failures = _sorted((*self._failures, *failures))
            self._builtins_missing = not any(_origin(point).distribution == PROJECT for point in points)
        if failures:
            warnings.warn(
                "left out, because loading failed (see `djgraph plugins`): " + "; ".join(map(str, failures)),
                PluginWarning,
                stacklevel=2,
            )

    def _add(self, collected: Sequence[_Collected]) -> None:
        effects, effect_clashes = _merge(
            "effect", self._effects, (e for one in collected for e in one.effects)
        )
        graphs, graph_clashes = _merge("graph", self._graphs, (g for one in collected for g in one.graphs))
        recipes, recipe_clashes = _merge(
            "recipe", self._recipes, (r for one in collected for r in one.recipes)
        )
        exporters, exporter_clashes = _merge(
            "an exporter of", self._exporters, (e for one in collected for e in one.exporters)
        )
        if clashes := effect_clashes + graph_clashes + recipe_clashes + exporter_clashes:
            raise PluginError("\n".join(clashes))
        self._effects, self._graphs = MappingProxyType(effects), MappingProxyType(graphs)
        self._recipes = MappingProxyType(recipes)
        self._exporters = MappingProxyType(exporters)
        self._plugins = _sorted((*self._plugins, *(one.plugin for one in collected)))

    def _find(self, kind: str, name: str, table: Mapping[str, _Entry]) -> _Entry:
        if name in table:
            return table[name]
        lines = [f"there is no {kind} {name!r}"]
        if table:
            lines.append(f"  known: {shorten(list(table))}")
        if (guess := nearest(name, table)) is not None:
            lines.append(f"  did you mean: {guess}")
        if (hint := self.hint()) is not None:
            lines.append(f"  hint: {hint}")
        raise PluginError("\n".join(lines))


class _Collected(NamedTuple):
    """One plugin, and the entries of what it provides."""

    plugin: PluginEntry
    effects: list[EffectEntry]
    graphs: list[GraphEntry]
    recipes: list[RecipeEntry]
    exporters: list[ExporterEntry]


def _collect(plugin: Any, origin: Origin) -> _Collected:
    effects, graphs, recipes, exporters = ask(plugin)
    where = (origin.plugin, origin.distribution, origin.version)
    return _Collected(
        PluginEntry(*where, *(tuple(sorted(names)) for names in (effects, graphs, recipes, exporters))),
        [EffectEntry(name, effect, *where) for name, effect in effects.items()],
        [GraphEntry(name, Path(file.path), *where, file.description) for name, file in graphs.items()],
        [RecipeEntry(name, Path(file.path), *where, file.description) for name, file in recipes.items()],
        [ExporterEntry(name, exporter, *where) for name, exporter in exporters.items()],
    )


def _sorted(records: Iterable[_Record]) -> tuple[_Record, ...]:
    return tuple(sorted(records, key=lambda record: (record.name, record.distribution)))


def _merge(
    kind: str, old: Mapping[str, _Entry], new: Iterable[_Entry]
) -> tuple[dict[str, _Entry], list[str]]:
    """Both tables in one, sorted, and a sentence for each pair of plugins that provide the same names."""
    table = dict(old)
    rivals: dict[tuple[Origin, Origin], list[str]] = {}
    for entry in new:
        holder = table.setdefault(entry.name, entry)
        if holder is not entry:
            rivals.setdefault((holder.origin, entry.origin), []).append(repr(entry.name))
    clashes = [
        f"two plugins provide {kind} {', '.join(sorted(names))}: {first} and {second}; "
        "uninstall one of them, or ask its author to choose another name"
        for (first, second), names in rivals.items()
    ]
    return dict(sorted(table.items())), clashes


def _sort_key(point: importlib.metadata.EntryPoint) -> tuple[str, str, str]:
    return point.name, _origin(point).distribution, point.value


def _origin(point: importlib.metadata.EntryPoint) -> Origin:
    distribution = point.dist
    if distribution is None:
        return Origin(point.name, "", "")
    # Either is None where a distribution's metadata is damaged.
    return Origin(point.name, distribution.metadata["Name"] or "", distribution.version or "")


def _strict() -> bool:
    return os.environ.get(STRICT, "").strip().lower() not in ("", "0", "false", "no", "off")


_lock = threading.RLock()
_current: Registry | None = None
_loading = False


def registry() -> Registry:
    """The registry of this process with every installed plugin in it; loaded on first use, then kept.

    Raises PluginError where two plugins clash, and where a plugin asks for it while plugins are being loaded.
    """
    global _current, _loading
    with _lock:
        if _current is None:
            if _loading:
                raise PluginError("registry() was called while plugins are being loaded; do so after import")
            _loading = True
            try:
                loaded = Registry()
                loaded.load_entry_points()
                _current = loaded
            finally:
                _loading = False
        return _current


def effect(name: str) -> type[Effect]:
    """The installed effect of that type: ``registry().effect(name)``."""
    return registry().effect(name)


def reset() -> None:
    """Forget the process's registry: the next :func:`registry` looks for plugins anew."""
    global _current
    with _lock:
        _current = None
