"""Graph files: text → a validated document that knows file, line and column; nothing of torch or effects."""

from djgraph.language.load import Document, load_document
from djgraph.language.source import Source, plain
from djgraph.language.text import parse

__all__ = ["Document", "Source", "load_document", "parse", "plain"]
