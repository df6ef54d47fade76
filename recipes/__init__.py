"""Transition recipes that ship with djgraph, found by name (`djgraph transitions` lists them)."""
