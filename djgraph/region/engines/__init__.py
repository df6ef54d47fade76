"""The engines that run spectral regions, one package each."""
