"""One HTML file that plays a graph: program, engine, stems and console, and nothing from anywhere else."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from djgraph.errors import InputError
from djgraph.export.program import Program
from djgraph.export.scripts import engine_source, script
from djgraph.export.stems import Stem
from djgraph.graph.ir import Column, Graph
from djgraph.version import __version__

LARGEST = 400_000_000
"""Characters of a page: a browser keeps a text up to half a gigabyte."""


@dataclass(frozen=True)
class Page:
    """An HTML file. seconds: of the clip, where it is known."""

    html: str
    stems: int
    seconds: float | None


def web_page(
    graph: Graph,
    program: Program,
    stems: Sequence[Stem] = (),
    samples: int | None = None,
) -> Page:
    """The page of a program. stems: those that it brings, but for such as nothing hears; a listener may drop the
    others, or others in their place. samples: of the clip; the longest stem's, once there is one that no source plays.

    All text of strangers is escaped, and the page's own policy forbids it any request and any script but its own.
    Raises InputError for a page larger than browsers take.
    """
    heard = {(one["input"], one["stem"]) for one in program.data["inputs"]}
    stems = [one for one in stems if (one.input, one.stem) in heard]
    data = {
        "version": __version__,
        "name": graph.name,
        "title": graph.title or graph.name,
        "description": graph.description,
        "samples": samples,
        "program": program.data,
        "engine": engine_source(program.scripts) + "\n" + script("worklet.js"),
        "columns": [_control(column, number) for number, column in enumerate(graph.columns)],
        "groups": _groups(graph),
        "moving": list(program.moving),
        "stems": [
            {"input": one.input, "stem": one.stem, "gain": one.gain, "id": f"stem-{number}"}
            for number, one in enumerate(stems)
        ],
    }
    style, code = script("page.css"), script("page.js")
    policy = (
        f"default-src 'none'; script-src '{_hash(code)}' blob: data:; style-src '{_hash(style)}'; "
        "img-src data:; form-action 'none'; base-uri 'none'"
    )
    title = html.escape(graph.title or graph.name)
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta name="generator" content="djgraph {html.escape(__version__)}">',
        '<link rel="icon" href="data:,">',
        f"<title>{title}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        f"<header><h1>{title}</h1></header>",
        "<main><noscript>This page plays sound, and needs JavaScript.</noscript></main>",
        f'<script type="application/json" id="data">{_json(data)}</script>',
        *(
            f'<script type="text/plain" id="stem-{number}">{one.flac}</script>'
            for number, one in enumerate(stems)
        ),
        f"<script>{code}</script>",
        "</body>",
        "</html>",
        "",
    ]
    page = "\n".join(parts)
    if len(page) > LARGEST:
        raise InputError(
            f"the page would have {len(page) / 1e6:.0f} MB, and browsers take up to {LARGEST / 1e6:.0f}: leave the "
            "stems out (--no-embed) and drop them onto the page, or give shorter ones or --bits 16"
        )
    return Page(page, len(stems), None if samples is None else samples / graph.sample_rate)


def _json(data: Any) -> str:
    """JSON that no HTML parser takes for anything else."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _control(column: Column, number: int) -> dict[str, Any]:
    control = column.control
    return {
        "name": column.name,
        "column": number,
        "label": control.label or column.name.rpartition(".")[2],
        "description": control.description,
        "kind": column.kind,
        "unit": control.unit,
        "amplitude": control.amplitude,
        "scale": control.scale,
        "exponent": control.exponent,
        "min": control.min,
        "max": control.max,
        "default": control.default,
        "step": control.step,
        "choices": list(control.choices),
        "names": list(control.names),
        "fixed": control.rate == "clip",
    }


def _groups(graph: Graph) -> list[dict[str, Any]]:
    """The columns by input that a source plays, strip and bus in document order, and by effect within; macros of the
    whole graph in front."""
    groups: dict[str, dict[str, dict[str, list[int]]]] = {}
    kinds = dict.fromkeys(graph.sources, "source") | {owner.name: owner.kind for owner in graph.owners}
    for number, column in enumerate(graph.columns):
        driven = [graph.owner_of[node] for node, _ in column.drives if node in graph.owner_of]
        owner, block = "", ""
        if column.kind in ("control", "send") and driven:
            node = column.drives[0][0]
            owner = driven[0].name
            block = "sends" if column.kind == "send" else driven[0].name_of(node)
        elif (prefix := column.name.rpartition(".")[0]) in kinds:
            owner = prefix
        groups.setdefault(owner, {}).setdefault(block, {}).setdefault("columns", []).append(number)
    order = ["", *kinds]
    return [
        {
            "name": name or "Macros",
            "kind": kinds.get(name, "macros"),
            "blocks": [{"title": title.replace("_", " "), **block} for title, block in groups[name].items()],
        }
        for name in order
        if name in groups
    ]
