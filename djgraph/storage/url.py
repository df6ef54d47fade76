"""Places behind URLs: what a file there is called, and what of a URL may be shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_KEYS = re.compile(r"(?<=://)[^/\s]*@|\?[^\s]*")

_PARTS = re.compile(r"[:=&]")


def shown_url(text: str) -> str:
    """A URL, or a text with URLs in it, without what may be keys: no name and password before ``@``, no ``?…``."""
    return _KEYS.sub(lambda found: "…@" if found[0].endswith("@") else "?…", text)


def without_keys(text: str, url: str) -> str:
    """What a library says about a URL, which may repeat parts of it, without what may be keys."""
    for found in _KEYS.findall(url):
        whole = found.strip("@?")
        for part in (whole, *_PARTS.split(whole)[1:]):
            text = text.replace(part, "…") if part else text
    return shown_url(text)


@dataclass(frozen=True)
class UrlPath:
    """A file or folder behind a URL; ``str`` is what messages call it.

    root: the URL of a folder, as it was given. below: the path from there on, parted by ``/``; empty for the folder
    itself. given: whether a user of this process gave the URL; one that stands in a file is told, and never opened.
    """

    root: str
    below: str = ""
    given: bool = field(default=True, compare=False)

    @property
    def name(self) -> str:
        """The last part; of a chain of URLs that of the first one with a path, and never what follows a ``?``."""
        paths = (_path(url) for url in self.root.split("::"))
        return (self.below or next(filter(None, paths), "")).rpartition("/")[2]

    @property
    def beside(self) -> UrlPath | None:
        """The folder that it lies in; None where a URL does not say, as one with a query may not."""
        if self.below:
            return UrlPath(self.root, self.below.rpartition("/")[0], self.given)
        first, chain, others = self.root.partition("::")
        folder = first.rstrip("/").rpartition("/")[0]
        return (
            UrlPath(folder + chain + others, "", self.given) if "://" in folder and "?" not in first else None
        )

    def __truediv__(self, name: str) -> UrlPath:
        return UrlPath(self.root, f"{self.below}/{name}" if self.below else name, self.given)

    def __str__(self) -> str:
        root = shown_url(self.root)
        return f"{root.rstrip('/')}/{self.below}" if self.below else root


def _path(url: str) -> str:
    """What stands behind ``://``, without a query."""
    return url.partition("://")[2].partition("?")[0].rstrip("/")
