"""The parameter layout: which column of ``params`` is which control, and what its values mean."""

from djgraph.layout.layout import ParameterLayout
from djgraph.layout.units import clamp_inward

__all__ = ["ParameterLayout", "clamp_inward"]
