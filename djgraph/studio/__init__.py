"""The studio: a page for any graph, on which it is seen, played and recorded. See docs/studio.md."""
