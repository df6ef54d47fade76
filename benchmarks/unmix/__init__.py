"""Un-mixing against known controls: ``python -m benchmarks.unmix``."""
