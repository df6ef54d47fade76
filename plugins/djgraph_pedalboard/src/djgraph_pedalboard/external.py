"""VST3 and Audio Unit plugins as effects: one class for each entry of the catalogue.

A plugin of its own for djgraph, so that a catalogue with a fault takes none of Pedalboard's own effects away.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, create_model

from djgraph.effects import Effect, Environment, Port
from djgraph.errors import EffectError, PluginError, did_you_mean
from djgraph.plugins import hookimpl
from djgraph_pedalboard.folder import VARIABLE, Entry, folder, mark, read_catalogue, within
from djgraph_pedalboard.instance import Latency, Setter
from djgraph_pedalboard.wrapped import MixControls, PluginSettings, WrappedPlugin

PRESET = ".vstpreset"
MOST_PRESETS = 1000
"""Presets of a folder that are looked at for what was probably meant."""


def load(path: Path, name: str) -> Any:
    """Pedalboard's object of a plugin. Raises what Pedalboard does."""
    import pedalboard

    return pedalboard.load_plugin(str(path), plugin_name=name or None)


class ExternalSettings(PluginSettings):
    """How a plugin of the folder is run."""

    preset: str = Field(
        "", max_length=1000, description="A .vstpreset file, by its path from the folder of plugins on"
    )


class External(WrappedPlugin):
    """A plugin of the user's folder.

    Blocks have one length always, since a plugin may depend on it, and plugins are used again, since they take long to
    load; a tenth of a second of silence clears what a reset leaves.
    """

    type: ClassVar[str]
    entry: ClassVar[Entry]
    family = "plugins"
    Settings = ExternalSettings
    whole_blocks = True
    again = True

    def __init__(self, settings: Any, environment: Environment) -> None:
        super().__init__(settings, environment)
        inside = folder()
        if settings.preset and inside is not None:  # where no folder is named, make() says so
            preset_file(inside, settings.preset)

    def silence(self) -> int:
        return 1 + self.environment.sample_rate // 10 // self.settings.block

    def expected(self) -> Latency | None:
        return self._lags

    def make(self) -> Any:
        """Raises EffectError where the plugin is not what was scanned, or cannot be loaded."""
        inside, entry = folder(), self.entry
        if inside is None:
            raise EffectError(f"{VARIABLE} does not name the folder of plugins any more")
        path = within(inside, entry.path)
        if not path.exists():
            raise EffectError(f"the plugin {entry.path!r} is not in {inside} any more; scan again")
        if mark(path) != entry.mark:
            raise EffectError(
                f"the plugin {entry.path!r} has changed since the scan, and with it perhaps its parameters: "
                "python -m djgraph_pedalboard scan"
            )
        try:
            plugin = load(path, entry.name)
        except Exception as problem:  # a foreign plugin may raise anything
            raise EffectError(f"the plugin {entry.path!r} cannot be loaded: {problem}") from problem
        missing = [one.name for one in entry.parameters if one.name not in plugin.parameters]
        if missing:
            raise EffectError(
                f"the plugin {entry.path!r} has no parameter {missing[0]!r} any more; scan again"
            )
        if self.settings.preset:
            _load_preset(plugin, entry.path, preset_file(inside, self.settings.preset))
        return plugin

    def setters(self) -> Sequence[Setter]:
        return [partial(_set, parameter=parameter) for parameter in self.entry.parameters]


def preset_file(inside: Path, preset: str) -> Path:
    """The file of a preset in the folder of plugins. Raises EffectError where it is not there, or is none."""
    try:
        path = within(inside, preset)
    except PluginError as fault:
        raise EffectError(f"preset: {fault}") from None
    if path.suffix.lower() != PRESET:
        raise EffectError(f"preset: {preset!r} is no {PRESET} file")
    if not path.is_file():
        there = sorted(
            one.relative_to(inside).as_posix() for one in islice(inside.rglob(f"*{PRESET}"), MOST_PRESETS)
        )
        raise EffectError(f"preset: there is no {preset!r} in {inside}{did_you_mean(preset, there)}")
    return path


def _load_preset(plugin: Any, path: str, preset: Path) -> None:
    if not hasattr(plugin, "load_preset"):
        raise EffectError(
            f"preset: the plugin {path!r} is none that Pedalboard can give a preset: VST3 plugins are"
        )
    try:
        plugin.load_preset(str(preset))
    except Exception as problem:  # a foreign plugin may raise anything
        raise EffectError(
            f"preset: the plugin {path!r} does not take {preset.name!r}: {problem}"
        ) from problem


def _set(plugin: Any, value: float, *, parameter: Any) -> None:
    plugin.parameters[parameter.name].raw_value = parameter.raw(value)


def effect_class(entry: Entry) -> type[External]:
    """The effect of an entry."""
    fields: dict[str, Any] = {
        one.id: (Annotated[float, one.control()], one.default) for one in entry.parameters
    }
    controls = create_model("Controls", __base__=MixControls, **fields)
    body = {
        "__module__": __name__,
        "__doc__": f"The plugin {entry.path}.",
        "type": entry.type,
        "description": f"Plugin {entry.name or Path(entry.path).stem}",
        "entry": entry,
        "inputs": (Port("in", entry.channels, gradient="surrogate"),),
        "outputs": (Port("out", entry.channels),),
        "Controls": controls,
        "Settings": ExternalSettings,
    }
    return type(entry.type, (External,), body)


_CLASSES: dict[str, type[External]] = {}


def classes() -> dict[str, type[External]]:
    """The effects of the catalogue by type, made once. Raises PluginError as :func:`read_catalogue`."""
    inside = folder()
    if inside is None:
        return {}
    for entry in read_catalogue(inside).plugins:
        if entry.type not in _CLASSES or _CLASSES[entry.type].entry != entry:
            try:
                _CLASSES[entry.type] = effect_class(entry)
            except EffectError as fault:
                raise PluginError(f"{entry.path}: {fault}") from fault
    return dict(_CLASSES)


def __getattr__(name: str) -> Any:
    """The classes are found by name, so that mixers with them can be pickled."""
    found = classes().get(name) if name.startswith("plugin_") else None
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found


@hookimpl
def djgraph_effects() -> list[type[Effect]]:
    """The plugins of the folder; none where none is named."""
    return list(classes().values())
