"""Graphs that ship with djgraph, found by name (`djgraph graphs` lists them)."""
