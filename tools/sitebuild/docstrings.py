"""The extension of Griffe, which reads the sources for the API reference: makes Markdown of docstrings."""

from __future__ import annotations

from typing import Any

import griffe

from sitebuild.prose import markdown


class Prose(griffe.Extension):
    """Makes Markdown of each docstring as it is read."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is None:
            return
        parameters = set()
        if isinstance(obj, griffe.Function):
            parameters = {parameter.name for parameter in obj.parameters}
        elif isinstance(obj, griffe.Class):
            parameters = set(obj.members)
            if (init := obj.members.get("__init__")) and isinstance(init, griffe.Function):
                parameters |= {parameter.name for parameter in init.parameters}
        obj.docstring.value = markdown(obj.docstring.value, parameters)
