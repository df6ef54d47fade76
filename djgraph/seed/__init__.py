"""The interface of the project's seed: a DJ mixer of two tracks, and crossfades."""
