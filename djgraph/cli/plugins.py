"""Commands about what is installed: effects, plugins."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.errors import warn
from djgraph.cli.options import Json
from djgraph.cli.output import count, number, print_json, table

if TYPE_CHECKING:
    from djgraph.effects import Control
    from djgraph.plugins import EffectEntry


def effects(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="An effect; all are listed where left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the installed effects, or describe one: controls with ranges, units, neutral values; settings.

    \b
    Examples:
      djgraph effects
      djgraph effects eq3
      djgraph effects --json
    """
    import djgraph

    registry = djgraph.registry()
    if not registry.effects and (hint := registry.hint()):
        warn(hint)
    if name is None:
        entries = list(registry.effects.values())
        if as_json:
            print_json([describe(entry) for entry in entries])
            return
        rows = [
            (
                entry.name,
                entry.effect.domain,
                ", ".join(control.id for control in entry.effect.controls),
                entry.distribution or entry.plugin,
                entry.effect.description,
            )
            for entry in entries
        ]
        typer.echo(table(("effect", "domain", "controls", "from", "description"), rows))
        return
    registry.effect(name)  # refuses unknown names, with the nearest
    entry = registry.effects[name]
    if as_json:
        print_json(describe(entry))
    else:
        typer.echo(_page(entry))


def plugins(as_json: Json = False) -> None:
    """List the plugins that are loaded and those that failed, with versions.

    \b
    Examples:
      djgraph plugins
      DJGRAPH_STRICT_PLUGINS=1 djgraph plugins     (a failing plugin is then an error)
    """
    import djgraph
    from djgraph.plugins import PluginWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # it says what is listed here anyway
        registry = djgraph.registry()
    if as_json:
        loaded = [
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "effects": list(plugin.effects),
                "graphs": list(plugin.graphs),
                "recipes": list(plugin.recipes),
            }
            for plugin in registry.plugins
        ]
        failed = [
            {
                "name": failure.name,
                "distribution": failure.distribution,
                "version": failure.version,
                "error": failure.error,
                "traceback": failure.traceback,
            }
            for failure in registry.failures
        ]
        print_json({"loaded": loaded, "failed": failed})
        return
    rows = [
        (
            plugin.name,
            plugin.distribution,
            plugin.version,
            ", ".join(plugin.effects) or "–",
            ", ".join(plugin.graphs) or "–",
            ", ".join(plugin.recipes) or "–",
        )
        for plugin in registry.plugins
    ]
    typer.echo(table(("plugin", "distribution", "version", "effects", "graphs", "recipes"), rows))
    if registry.failures:
        typer.echo("\nfailed to load:")
        for failure in registry.failures:
            typer.echo(f"  {failure}")
        typer.echo("djgraph plugins --json has their tracebacks")


def describe(entry: EffectEntry) -> dict[str, Any]:
    """An effect as data, for ``--json``."""
    effect = entry.effect
    return {
        "name": entry.name,
        "description": effect.description,
        "domain": effect.domain,
        "inputs": [port.name for port in effect.inputs],
        "outputs": [port.name for port in effect.outputs],
        "controls": [_control(control) for control in effect.controls],
        "settings": _settings(entry),
        "plugin": entry.plugin,
        "distribution": entry.distribution,
        "version": entry.version,
    }


def _control(control: Control) -> dict[str, Any]:
    import dataclasses

    fields = dataclasses.asdict(control)
    return {"id": fields.pop("id"), "label": fields.pop("label"), **fields}


def _settings(entry: EffectEntry) -> list[dict[str, Any]]:
    properties = entry.effect.Settings.model_json_schema().get("properties", {})
    required = entry.effect.Settings.model_json_schema().get("required", [])
    return [
        {
            "name": key,
            "type": str(value.get("type", "any")),
            "default": value.get("default"),
            "required": key in required,
            "description": value.get("description", ""),
        }
        for key, value in properties.items()
    ]


def _page(entry: EffectEntry) -> str:
    effect = entry.effect
    lines = [f"{entry.name}: {effect.description}" if effect.description else entry.name]
    takes, gives = (", ".join(p.name for p in ports) for ports in (effect.inputs, effect.outputs))
    lines.append(f"{effect.domain} effect, {takes or 'nothing'} → {gives}; from {entry.origin}")
    if getattr(effect, "at_neutral", "identity") == "allpass":
        lines.append("at neutral an all-pass: every frequency keeps its level, not its phase")
    lines += ["", count(len(effect.controls), "control")]
    if effect.controls:
        rows = [
            (
                control.id,
                f"{number(control.min)} … {number(control.max)}",
                number(control.default),
                "none" if control.neutral is None else number(control.neutral),
                control.unit,
                control.scale,
                control.rate,
                control.description or control.label,
            )
            for control in effect.controls
        ]
        header = ("control", "range", "default", "neutral", "unit", "scale", "read per", "description")
        lines.append(table(header, rows))
    settings = _settings(entry)
    lines += ["", count(len(settings), "setting")]
    if settings:
        lines.append(
            table(
                ("setting", "type", "default", "description"),
                [
                    (s["name"], s["type"], "required" if s["required"] else s["default"], s["description"])
                    for s in settings
                ],
            )
        )
    return "\n".join(lines)
