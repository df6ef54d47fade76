"""Graph files that ship with the plugin."""
