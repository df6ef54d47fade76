"""From params to what effects read: rows of controls, and their values over time."""
