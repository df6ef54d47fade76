"""Names of what is made: what they may be, and the other names that follow from one."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec

from djgraph.errors import InputError
from djgraph.text import clip, one_line

LONGEST = 60
"""Characters of the longest name."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*\Z")
_RULE = f"lower-case letters and digits in words, parted by one _ or -, that begin with a letter; at most {LONGEST}"


@dataclass(frozen=True)
class Names:
    """All names of a plugin: ``acme-glue``, ``acme_glue`` (its package and its effect), ``AcmeGlue``, ``Acme glue``."""

    distribution: str
    package: str
    cls: str
    title: str

    @property
    def graph(self) -> str:
        """The graph that it ships."""
        return f"{self.package}_demo"


def plain_name(name: str, what: str) -> str:
    """The name, if it is one that a folder, a package and an effect may have; InputError with the rule if not.

    What passes has no dot, slash, space or letter beyond ASCII: it cannot lead out of the folder that it is made in.
    """
    if len(name) <= LONGEST and _NAME.match(name):
        return name
    words = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name[: 2 * LONGEST]).lower())
    near = "_".join(words).lstrip("0123456789_")[:LONGEST].strip("_")
    hint = f"\n  did you mean: {near}" if _NAME.match(near) else ""
    raise InputError(f"{one_line(clip(name))!r} is no name for a {what}\n  allowed: {_RULE}{hint}")


def plugin_names(name: str) -> Names:
    """The names of a plugin of that name.

    InputError where the name is none, or where Python already has a module of it, which one of both would hide.
    """
    plain_name(name, "plugin")
    package = name.replace("-", "_")
    near = f"\n  did you mean: my_{package}" if len(package) < LONGEST - 2 else ""
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        raise InputError(f"{name!r} is a word of Python's, so no package can be called like that{near}")
    if package in sys.stdlib_module_names or _is_real(_spec(package)):
        raise InputError(f"there is a Python package {package!r} already, and one would hide the other{near}")
    words = package.split("_")
    cls = "".join(word.capitalize() for word in words)
    return Names(name.replace("_", "-"), package, cls, " ".join(words).capitalize())


def _spec(package: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(package)
    except (ImportError, ValueError):  # of a module that is half loaded
        return None


def _is_real(spec: ModuleSpec | None) -> bool:
    """Whether it is more than a folder without ``__init__.py``, such as the one that is in the way itself."""
    return spec is not None and spec.origin is not None
