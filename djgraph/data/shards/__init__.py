"""Corpora packed in shards, files of many items each, in a folder or behind a URL; read as a stream."""
