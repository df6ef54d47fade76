"""Commands about what is installed: effects, plugins."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from djgraph.cli.errors import warn
from djgraph.cli.options import Json
from djgraph.cli.output import count, line_width, number, print_json, table
from djgraph.errors import shorten
from djgraph.speakers import word

if TYPE_CHECKING:
    from djgraph.effects import Control, Effect, Port
    from djgraph.plugins import EffectEntry, PluginEntry

RATE = 44100
"""Hz for which latencies are told."""
PAGE = 100
"""Characters of a line of a list of names where no terminal tells its own."""
MANY = 7
"""Controls of an effect that a listing names."""


def effects(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="An effect; all are listed where left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the installed effects by family, or describe one: ports, latency, controls with ranges, units, neutral
    values and choices; settings.

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
        typer.echo(_listing(entries))
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
                "exporters": list(plugin.exporters),
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
    rows = [row for plugin in registry.plugins for row in _provided(plugin)]
    header = ("plugin", "distribution", "version", "provides")
    typer.echo(table(header, rows, line_width() or PAGE))
    if registry.failures:
        typer.echo("\nfailed to load:")
        for failure in registry.failures:
            typer.echo(f"  {failure}")
        typer.echo("djgraph plugins --json has their tracebacks")


def _provided(plugin: PluginEntry) -> Iterator[tuple[str, str, str, str]]:
    """Rows of a table: a line for each kind of what a plugin provides, the first of them with its name."""
    kinds = {
        "effect": plugin.effects,
        "graph": plugin.graphs,
        "recipe": plugin.recipes,
        "exporter": plugin.exporters,
    }
    told = [f"{count(len(names), kind)}: {', '.join(names)}" for kind, names in kinds.items() if names]
    for place, text in enumerate(told or ["nothing"]):
        yield (*(("", "", "") if place else (plugin.name, plugin.distribution, plugin.version)), text)


def _listing(entries: Iterable[EffectEntry]) -> str:
    """A table of effects, a heading above each family."""
    from djgraph.effects.contract import FAMILIES

    families: dict[str, list[EffectEntry]] = {family: [] for family in FAMILIES}
    for entry in entries:
        families.setdefault(entry.effect.family, []).append(entry)
    listed = [entry for family in families.values() for entry in family]
    rows = [
        (
            entry.name,
            entry.effect.domain,
            "clock" if entry.effect.uses_clock else "",
            shorten([control.id for control in entry.effect.controls], MANY),
            entry.distribution or entry.plugin,
            entry.effect.description,
        )
        for entry in listed
    ]
    header = ("effect", "domain", "follows", "controls", "from", "description")
    *above, rest = table(header, rows).split("\n", 2)
    lines, texts = list(above), iter(rest.split("\n"))
    for family, members in families.items():
        if members:
            lines += ["", family, *islice(texts, len(members))]
    return "\n".join(lines)


def describe(entry: EffectEntry) -> dict[str, Any]:
    """An effect as data, for ``--json``."""
    effect = entry.effect
    latency, follows_clock = _in_a_stream(entry)
    return {
        "name": entry.name,
        "description": effect.description,
        "family": effect.family,
        "domain": effect.domain,
        "causal": _is_causal(effect),
        "inputs": [port.name for port in effect.inputs],
        "outputs": [port.name for port in effect.outputs],
        "follows_clock": follows_clock,
        "latency": latency,
        "controls": [_control(control) for control in effect.controls],
        "settings": _settings(entry),
        "plugin": entry.plugin,
        "distribution": entry.distribution,
        "version": entry.version,
    }


def _is_causal(effect: type[Effect]) -> bool:
    """Whether it can be under the causal lowering, as it is or by its twin."""
    return effect.domain == "time" or getattr(effect, "causal_twin", None) is not None


def _control(control: Control) -> dict[str, Any]:
    import dataclasses

    fields = dataclasses.asdict(control)
    return {"id": fields.pop("id"), "label": fields.pop("label"), **fields}


def _in_a_stream(entry: EffectEntry) -> tuple[int | None, bool]:
    """Latency in samples at 44.1 kHz and whether it follows the clock, both with the settings left out.

    None, and what the class says, where the effect needs settings, or fails: a graph that has it tells.
    """
    from djgraph.effects import Environment

    try:
        effect = entry.effect(entry.effect.Settings(), Environment(RATE))
        return int(effect.latency()), bool(effect.uses_clock)
    except Exception:  # a plugin's code may raise anything
        return None, bool(entry.effect.uses_clock)


def _kind(schema: dict[str, Any]) -> str:
    """The type of a setting's values in one word; of several, joined by "or", but for what leaving it out means."""
    if "anyOf" in schema:
        kinds = [_kind(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    return "file" if schema.get("format") == "path" else str(schema.get("type", "any"))


def _settings(entry: EffectEntry) -> list[dict[str, Any]]:
    properties = entry.effect.Settings.model_json_schema().get("properties", {})
    required = entry.effect.Settings.model_json_schema().get("required", [])
    return [
        {
            "name": key,
            "type": _kind(value),
            "unit": value.get("unit", ""),
            "default": value.get("default"),
            "allowed": value.get("enum") or [value[key] for key in ("const",) if key in value],
            "minimum": value.get("minimum", value.get("exclusiveMinimum")),
            "maximum": value.get("maximum", value.get("exclusiveMaximum")),
            "required": key in required,
            "description": value.get("description", ""),
        }
        for key, value in properties.items()
    ]


def _allowed(setting: Mapping[str, Any]) -> str:
    if setting["allowed"]:
        return ", ".join(map(str, setting["allowed"]))
    low, high = (setting[end] for end in ("minimum", "maximum"))
    if low is None and high is None:
        return ""
    return f"{'' if low is None else number(low)} … {'' if high is None else number(high)}".strip()


def _range(control: Control) -> str:
    if control.choices:
        return ", ".join(map(number, control.choices))
    step = f", steps of {number(control.step)}" if control.step else ""
    below = "" if control.below_rate is None else f", below {number(control.below_rate)} of the sample rate"
    return f"{number(control.min)} … {number(control.max)}{step}{below}"


def _port(port: Port) -> str:
    said = [] if port.channels is None else [word(port.channels)]
    if port.default is not None:
        said.append(f"{port.default} unless it is connected")
    if port.gradient != "exact":
        said.append("no gradient" if port.gradient == "none" else "gradient: a stand-in")
    return f"{port.name} ({', '.join(said)})" if said else port.name


def _page(entry: EffectEntry) -> str:
    effect = entry.effect
    lines = [f"{entry.name}: {effect.description}" if effect.description else entry.name]
    takes, gives = (", ".join(map(_port, ports)) for ports in (effect.inputs, effect.outputs))
    lines.append(
        f"{effect.domain} effect of the family {effect.family}, {takes or 'nothing'} → {gives}; from {entry.origin}"
    )
    lag, follows_clock = _in_a_stream(entry)
    if effect.domain == "time" and lag is not None:
        lines.append(f"latency in a stream: {count(lag, 'sample')} at 44.1 kHz" if lag else "no latency")
    if follows_clock:
        lines.append("follows the clock")
    if effect.domain == "spectral":
        lines.append("causal twin: " + ("yes, for --lowering causal" if _is_causal(effect) else "none"))
    if getattr(effect, "at_neutral", "identity") == "allpass":
        lines.append("at neutral an all-pass: every frequency keeps its level, not its phase")
    lines += ["", count(len(effect.controls), "control")]
    if effect.controls:
        rows = [
            (
                control.id,
                _range(control),
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
                ("setting", "type", "allowed", "unit", "default", "description"),
                [
                    (
                        s["name"],
                        s["type"],
                        _allowed(s),
                        s["unit"],
                        "required" if s["required"] else s["default"],
                        s["description"],
                    )
                    for s in settings
                ],
            )
        )
    return "\n".join(lines)
