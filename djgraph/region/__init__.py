"""The spectral region: its schedule, its program, and the engines that run it."""
