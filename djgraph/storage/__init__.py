"""Where things are stored: a folder, or any URL that fsspec knows; whole files or none."""

from djgraph.storage.place import Storage, is_url, open_storage

__all__ = ["Storage", "is_url", "open_storage"]
