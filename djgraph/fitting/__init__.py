"""Un-mixing: recover a mixer's controls from its stems and a recording of the mix. ``djgraph.fit`` is the way in."""

from djgraph.fitting.job import Progress, fit
from djgraph.fitting.listen import UnrelatedError
from djgraph.fitting.losses import MixLoss
from djgraph.fitting.priors import Priors
from djgraph.fitting.result import FitResult

__all__ = ["FitResult", "MixLoss", "Priors", "Progress", "UnrelatedError", "fit"]
