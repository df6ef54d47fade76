"""What the registry knows of each effect, graph and plugin: small frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from djgraph.effects import Effect
from djgraph.plugins.heading import Heading, read_heading
from djgraph.plugins.hookspecs import Exporter
from djgraph.text import one_line


class PluginWarning(UserWarning):
    """A plugin failed to load and was left out."""


@dataclass(frozen=True)
class Origin:
    """Where something was registered: entry point ``plugin`` of ``distribution`` at ``version``.

    ``distribution`` is empty for a plugin that was registered in this process rather than installed.
    """

    plugin: str
    distribution: str
    version: str

    def __str__(self) -> str:
        if not self.distribution:
            return f"plugin {self.plugin!r} (registered in this process)"
        source = one_line(" ".join((self.distribution, self.version)).strip())
        return f"plugin {self.plugin!r} of distribution {source}"


@dataclass(frozen=True)
class EffectEntry:
    """A registered effect class under the name that graph files use."""

    name: str
    effect: type[Effect]
    plugin: str
    distribution: str
    version: str

    @property
    def origin(self) -> Origin:
        return Origin(self.plugin, self.distribution, self.version)


@dataclass(frozen=True)
class _FileEntry:
    """A file that ships with a plugin and is found by name."""

    name: str
    path: Path
    plugin: str
    distribution: str
    version: str
    summary: str = ""
    """The description that the plugin gave, if any."""

    @property
    def origin(self) -> Origin:
        return Origin(self.plugin, self.distribution, self.version)

    @cached_property
    def _heading(self) -> Heading:
        return read_heading(self.path)

    @property
    def title(self) -> str:
        """The file's own title, on one line; empty where it has none."""
        return self._heading.title

    @property
    def description(self) -> str:
        """What the plugin says of the file, or else what the file says, on one line."""
        return self.summary or self._heading.description


@dataclass(frozen=True)
class GraphEntry(_FileEntry):
    """A graph file that ships with a plugin."""


@dataclass(frozen=True)
class RecipeEntry(_FileEntry):
    """A transition recipe that ships with a plugin: an automation file with arguments."""


@dataclass(frozen=True)
class ExporterEntry:
    """An effect in JavaScript; ``name`` is the effect's type. See :class:`djgraph.plugins.Exporter`."""

    name: str
    exporter: Exporter
    plugin: str
    distribution: str
    version: str

    @property
    def origin(self) -> Origin:
        return Origin(self.plugin, self.distribution, self.version)


@dataclass(frozen=True)
class PluginEntry:
    """A plugin that was loaded, with the names that it provides, sorted."""

    name: str
    distribution: str
    version: str
    effects: tuple[str, ...] = ()
    graphs: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    exporters: tuple[str, ...] = ()

    @property
    def origin(self) -> Origin:
        return Origin(self.name, self.distribution, self.version)


@dataclass(frozen=True)
class PluginFailure:
    """A plugin that could not be loaded: nothing of it is registered.

    error: the exception's type and message on one line. traceback: the whole text that Python would print.
    """

    name: str
    distribution: str
    version: str
    error: str
    traceback: str

    @property
    def origin(self) -> Origin:
        return Origin(self.name, self.distribution, self.version)

    def __str__(self) -> str:
        return f"{self.origin}: {self.error}"
