"""Where things are stored: a folder, or any URL that fsspec knows; whole files or none, also of what is fetched."""

from djgraph.storage.cache import cache_folder, local
from djgraph.storage.copies import lies_in, put_about_there, put_there, versions
from djgraph.storage.place import Storage, is_url, local_path, open_storage
from djgraph.storage.seen import announced, check_seen
from djgraph.storage.sketch import Sketch, sketched
from djgraph.storage.url import UrlPath, shown_url

__all__ = [
    "Sketch",
    "Storage",
    "UrlPath",
    "announced",
    "cache_folder",
    "check_seen",
    "is_url",
    "lies_in",
    "local",
    "local_path",
    "open_storage",
    "put_about_there",
    "put_there",
    "shown_url",
    "sketched",
    "versions",
]
