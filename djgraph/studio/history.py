"""Undo and redo: projects that were, with what was done to each."""

from __future__ import annotations

from djgraph.studio.project import Project

DEPTH = 500


class History:
    """The project as it is, what it was before, and what has been undone."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._before: list[tuple[str, Project]] = []
        self._after: list[tuple[str, Project]] = []

    def change(self, project: Project, what: str, gesture: str = "") -> None:
        """Go on with another project. what: was done, in words. gesture: edits of one that follow one another, as of a
        drag, are undone together."""
        label = f"{what}\0{gesture}" if gesture else what
        if not (gesture and self._before and self._before[-1][0] == label):
            self._before.append((label, self.project))
            del self._before[:-DEPTH]
        self._after.clear()
        self.project = project

    def undo(self) -> str | None:
        """Back by one; what was undone, or None where there is nothing."""
        if not self._before:
            return None
        label, project = self._before.pop()
        self._after.append((label, self.project))
        self.project = project
        return label.partition("\0")[0]

    def redo(self) -> str | None:
        """Forth by one."""
        if not self._after:
            return None
        label, project = self._after.pop()
        self._before.append((label, self.project))
        self.project = project
        return label.partition("\0")[0]

    @property
    def labels(self) -> tuple[str | None, str | None]:
        """What would be undone, and what redone."""
        before, after = (
            stack[-1][0].partition("\0")[0] if stack else None for stack in (self._before, self._after)
        )
        return before, after
