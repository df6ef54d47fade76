"""What a mixer will cost, and did: explain, estimates, profiles."""
