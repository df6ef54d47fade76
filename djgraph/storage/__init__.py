"""Where things are stored: a folder, or any URL that fsspec knows; whole files or none."""

from djgraph.storage.place import Storage, is_url, open_storage
from djgraph.storage.seen import announced, check_seen

__all__ = ["Storage", "announced", "check_seen", "is_url", "open_storage"]
