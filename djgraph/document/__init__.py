"""Graph files: text → a validated document that knows file, line and column; nothing of torch or effects."""

from djgraph.document.load import Document, load_document
from djgraph.document.source import Source, plain
from djgraph.document.text import parse

__all__ = ["Document", "Source", "load_document", "parse", "plain"]
