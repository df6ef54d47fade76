"""The hooks that a plugin implements, and the records that it hands over.

A plugin is a module (or any object) with functions marked :data:`hookimpl`. Every hook's docstring holds an
example that the tests run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pluggy

from djgraph.effects import Effect

PROJECT = "djgraph"
"""Name of the pluggy project, and of the entry-point group through which plugins are found."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True)
class GraphFile:
    """A graph file that ships with a plugin.

    name: what users write instead of a path; lower-case letters, digits and underscores.
    path: absolute path of a ``.yaml``, ``.yml`` or ``.json`` file.
    description: one line for ``djgraph graphs``; left empty, it is read from the file.
    """

    name: str
    path: str | os.PathLike[str]
    description: str = ""


@dataclass(frozen=True)
class RecipeFile:
    """A transition recipe that ships with a plugin: an automation file with arguments.

    name: what users write instead of a path; lower-case letters, digits and underscores.
    path: absolute path of a ``.yaml``, ``.yml`` or ``.json`` file.
    description: one line for ``djgraph transitions``; left empty, it is read from the file.
    """

    name: str
    path: str | os.PathLike[str]
    description: str = ""


@dataclass(frozen=True)
class Exporter:
    """An effect in JavaScript, for pages that ``djgraph export --to web`` makes: its causal twin, where it has one.

    effect: its type. script: absolute path of a ``.js`` file that defines ``class Processor``; several effects may
    share one. settings: what the processor is told, as JSON holds it, from the effect as it was built and how many
    channels the node has; left out, the effect's settings. fault: of the same, why there is no JavaScript, or None.
    early: whether the processor has ``early(outputs, controls, count, ticks)``, which gives a block before what comes
    in is known, and leaves the state as it is: a loop that closes through the effect asks for it.
    """

    effect: str
    script: str | os.PathLike[str]
    settings: Callable[[Any, int], Mapping[str, Any]] | None = None
    fault: Callable[[Any, int], str | None] | None = None
    early: bool = False


@hookspec
def djgraph_effects() -> Iterable[type[Effect]]:
    """Effect classes that the plugin provides; each is known to graph files by its ``type``.

    Example::

        from typing import Annotated

        from djgraph.effects import Control, ControlModel, TimeEffect
        from djgraph.plugins import hookimpl


        class Trim(TimeEffect):
            type = "acme_trim"
            description = "Gain in decibels."
            memoryless = True

            class Controls(ControlModel):
                level: Annotated[float, Control(-12, 12, neutral=0, unit="dB")] = 0.0

            def process(self, audio, controls, state, block):
                return {"out": audio["in"] * 10 ** (controls["level"] / 20)}, state


        @hookimpl
        def djgraph_effects():
            return [Trim]
    """
    raise NotImplementedError  # pluggy never calls a specification


@hookspec
def djgraph_graphs() -> Iterable[GraphFile]:
    """Graph files that the plugin provides; each is found by name, as in ``djgraph.load("my_mixer")``.

    Example::

        from importlib.resources import files

        from djgraph.plugins import GraphFile, hookimpl


        @hookimpl
        def djgraph_graphs():
            folder = files("djgraph_graphs")  # your own package that holds the files
            return [GraphFile("house_mixer", folder / "dj_mixer.yaml", "Two tracks for house.")]
    """
    raise NotImplementedError  # pluggy never calls a specification


@hookspec
def djgraph_recipes() -> Iterable[RecipeFile]:
    """Transition recipes that the plugin provides; each is found by name, as in ``djgraph render -t my_recipe``.

    Example::

        from importlib.resources import files

        from djgraph.plugins import RecipeFile, hookimpl


        @hookimpl
        def djgraph_recipes():
            folder = files("djgraph_recipes")  # your own package that holds the files
            return [RecipeFile("house_swap", folder / "bass_swap.yaml", "Swaps the basses, for house.")]
    """
    raise NotImplementedError  # pluggy never calls a specification


@hookspec
def djgraph_exporters() -> Iterable[Exporter]:
    """Effects in JavaScript, the plugin's own or another's; a page has the script of each effect of its graph.

    Example::

        from importlib.resources import files

        from djgraph.plugins import Exporter, hookimpl


        @hookimpl
        def djgraph_exporters():
            folder = files("djgraph_fx") / "web"  # your own package that holds the scripts
            return [Exporter("acme_fader", folder / "gain.js")]
    """
    raise NotImplementedError  # pluggy never calls a specification
