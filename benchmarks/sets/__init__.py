"""Sets, measured: whether beats of both tracks fall together where it counts."""
