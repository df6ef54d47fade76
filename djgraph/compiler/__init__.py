"""From a graph to a plan: lowering, passes, verification."""
