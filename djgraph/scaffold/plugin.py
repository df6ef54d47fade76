"""A plugin's distribution from the templates of a kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from djgraph.errors import InputError, did_you_mean
from djgraph.plugins import Registry, registry
from djgraph.scaffold.fill import fill, template
from djgraph.scaffold.kinds import KINDS, Kind
from djgraph.scaffold.names import Names, plugin_names
from djgraph.scaffold.write import new_folder
from djgraph.version import __version__


def new_plugin(name: str, kind: str, into: Path | str = ".") -> list[Path]:
    """Write the distribution of a plugin with one effect to the new folder ``into/name``; its files.

    name: lower-case words parted by ``_`` or ``-``; package and effect are called like it, with ``_``. kind: one of
    ``KINDS``. into: a folder that is there.

    InputError where the name is none, where a Python package, an effect or a graph of it exists, and where the folder
    does. Nothing is written then.
    """
    if kind not in KINDS:
        raise InputError(f"there is no kind {kind!r} of effect{did_you_mean(kind, KINDS)}")
    names = plugin_names(name)
    _check_free(names, registry())
    return new_folder(Path(into) / name, files(names, KINDS[kind]))


def files(names: Names, kind: Kind) -> dict[str, str]:
    """The text of each file by its path in the distribution."""
    words = _words(names, kind)
    package = f"src/{names.package}"
    texts = {
        "README.md": "common/README.md",
        "pyproject.toml": "common/pyproject.toml",
        ".gitignore": "common/gitignore",
        f"{package}/__init__.py": "common/init.py",
        f"{package}/effect.py": f"{kind.name}/effect.py",
        f"{package}/py.typed": None,
        f"{package}/graphs/__init__.py": "common/graphs.py",
        f"{package}/graphs/{names.graph}.yaml": f"{kind.name}/graph.yaml",
        f"tests/{names.package}_oracle.py": f"{kind.name}/oracle.py",
        "tests/test_effect.py": kind.test,
    }
    return {path: fill(template(source), words) if source else "" for path, source in texts.items()}


def _words(names: Names, kind: Kind) -> dict[str, str]:
    major, minor = (int(part) for part in __version__.split(".")[:2])
    words = {
        "distribution": names.distribution,
        "package": names.package,
        "type": names.package,
        "cls": _class_name(names, kind),
        "title": names.title,
        "graph": names.graph,
        "summary": kind.summary,
        "base": kind.base,
        "ranges": kind.ranges,
        "moved": kind.moved,
        "oracle_rate": ", rate=RATE" if kind.rate else "",
        "render": kind.render,
        "lowest": f"{major}.{minor}",
        "below": f"{major}.{minor + 1}",
        "oracles": "oracle",
        "more_imports": "",
        **dict(kind.words),
    }
    cls, package = words["cls"], words["package"]
    words["import_cls"] = f"from {package} import {cls}"
    if kind.twin:
        words["import_cls"] += f"\nfrom {package}.effect import {cls}Twin"
    words["subjects"] = f"[{cls}, {cls}Twin]" if kind.twin else f"[{cls}]"
    words["about"] = fill(template(f"{kind.name}/about.md"), words).strip()
    words["more_tests"] = fill(template(f"{kind.name}/test_more.py"), words) if kind.more_tests else ""
    return words


def _class_name(names: Names, kind: Kind) -> str:
    """Another one where the templates have the word for something else: an effect called ``control``, say."""
    others = re.findall(r"\b[A-Z]\w*", template(f"{kind.name}/effect.py") + template(kind.test))
    return f"{names.cls}Effect" if names.cls in others else names.cls


def _check_free(names: Names, known: Registry) -> None:
    """InputError where an installed plugin has an effect or a graph of that name."""
    tables: tuple[tuple[str, str, Mapping[str, object]], ...] = (
        ("effect", names.package, known.effects),
        ("graph", names.graph, known.graphs),
    )
    for what, name, taken in tables:
        if name in taken:
            origin = getattr(taken[name], "origin", "an installed plugin")
            raise InputError(
                f"there is {'an' if what == 'effect' else 'a'} {what} {name!r} already, of {origin}: two of one name"
                f" are an error for all graphs\n  did you mean: my_{names.package}"
            )
