"""The graphs that a graph may be put together of: those that ship, and files in its own folder. Each is read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from djgraph.errors import DocumentError, Problem
from djgraph.language import limits
from djgraph.language.load import Document, Graphs, files_beside, read, sound
from djgraph.language.site import Site


class Shelf:
    """Finds graphs by the names that documents have for them.

    document: the one that all is a part of. graphs: those known by name.
    """

    def __init__(self, document: Document, graphs: Graphs) -> None:
        self._graphs = graphs
        self._read: dict[Path, Document] = {}
        self._place: dict[int, Path] = {}
        if document.file is not None:
            self._place[id(document)] = Path(document.file).resolve()

    def ships(self, name: str) -> bool:
        """Whether a graph of that name is known."""
        return name in self._graphs

    def find(self, name: str, site: Site, around: Sequence[Document]) -> Document:
        """The document that ``name`` at ``site`` means, or what of it is sound.

        around: the documents that it would be a part of, from the outside in. Raises DocumentError, in whose
        problems the place is that of the name, or one in the other file.
        """
        path = self._path(name, site)
        self._refuse_circle(path, name, site, around)
        if path not in self._read:
            if len(self._read) >= limits.GRAPHS:
                raise DocumentError(site.problem(f"more than {limits.GRAPHS} graphs in one (the limit)"))
            try:
                document = sound(read(path, self._graphs))
            except DocumentError as error:
                raise DocumentError(
                    *(
                        site.problem(one.message, hint=one.hint) if one.position is None else _used(one, site)
                        for one in error.problems
                    )
                ) from None
            self._read[path] = document
            self._place[id(document)] = path.resolve()
        return self._read[path]

    def _path(self, name: str, site: Site) -> Path:
        """The file of a graph. Whatever its name is, it stands beside the file that names it, or is known by name."""
        suffixes = limits.GRAPH.suffixes
        if Path(name).suffix not in suffixes:
            if name in self._graphs:
                return Path(self._graphs[name])
            beside = [f"{name}{suffix}" for suffix in suffixes]
            there = [one for one in self._beside(site) if one in beside]
            hint = f"a file is named with its ending: {there[0] if there else beside[0]}"
            message = f"there is no graph named {name!r}"
            raise DocumentError(site.problem(message, allowed=tuple(self._graphs), name=name, hint=hint))
        if site.source.file is None:
            message = f"{name} would be beside the file of this graph, which has none"
            hint = "a graph from text or a mapping is put together of shipped ones only"
            raise DocumentError(site.problem(message, allowed=tuple(self._graphs), hint=hint))
        folder = Path(site.source.file).parent
        path = folder / name
        if path.resolve().parent != folder.resolve():
            hint = "a graph is put together of files in its own folder"
            raise DocumentError(site.problem(f"{name} leads to another folder", hint=hint))
        if not path.exists():
            message = f"there is no file {name} beside this one"
            shipped = name.rpartition(".")[0]
            only = f"the graph that ships has no ending: {shipped}" if shipped in self._graphs else None
            raise DocumentError(site.problem(message, allowed=self._beside(site), name=name, hint=only))
        return path

    def _refuse_circle(self, path: Path, name: str, site: Site, around: Sequence[Document]) -> None:
        places = [self._place.get(id(document)) for document in around]
        if (here := path.resolve()) in places:
            names = [place.name for place in places[places.index(here) :] if place is not None]
            circle = " → ".join([*names, names[0]])
            raise DocumentError(site.problem(f"graphs are parts of one another in a circle: {circle}"))

    @staticmethod
    def _beside(site: Site) -> list[str]:
        """The other graphs in the folder of a file."""
        if site.source.file is None:
            return []
        own = Path(site.source.file)
        return [name for name in files_beside(own) if name != own.name]


def _used(problem: Problem, site: Site) -> Problem:
    hints = [problem.hint, *site.uses, *([f"used at {site.position()}"] if site.position() else [])]
    return replace(problem, hint="; ".join(hint for hint in hints if hint))
