"""Benchmarks: djgraph against a plain PyTorch program, its peers and bare FFTs. Run by ``python -m benchmarks``."""
