"""Items in a Parquet file: a row for each, a column for each of its files, a row group for each row."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from djgraph.data.store import ITEM, MIX, PARAMS
from djgraph.errors import CorpusError

_LIMIT = 16 << 20
"""Bytes of a Parquet file's own description, and of a text in it."""
_FIXED = (ITEM, MIX, PARAMS)


def modules() -> tuple[Any, Any]:
    """pyarrow and its Parquet. CorpusError where it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as problem:
        if problem.name != "pyarrow":
            raise
        raise CorpusError(
            'Parquet needs pyarrow, which is not installed: pip install "djgraph[scale]"; tar needs nothing'
        ) from None
    return pyarrow, pyarrow.parquet


def column_of(path: str) -> str:
    """A file's column. Stems are of one format or another, so theirs has no suffix."""
    return path if path in _FIXED else str(PurePosixPath(path).with_suffix(""))


class ParquetWriter:
    """Writes the same bytes for the same items and the same pyarrow."""

    def __init__(self, path: Path) -> None:
        self._pyarrow, self._parquet = modules()
        self._path = path
        self._writer: Any = None
        self._schema: Any = None
        self.offsets: list[int] = []

    def add(self, index: int, files: Mapping[str, bytes]) -> None:
        """An item's files by their paths in it, in this order."""
        pa = self._pyarrow
        columns = {column_of(path): content for path, content in files.items()}
        if len(columns) < len(files):
            raise CorpusError(f"item {index} has two files for one column: {', '.join(sorted(files))}")
        if self._writer is None:
            fields = [("index", pa.int64()), *((name, pa.large_binary()) for name in columns)]
            self._schema = pa.schema([pa.field(name, kind, nullable=False) for name, kind in fields])
            self._writer = self._parquet.ParquetWriter(
                self._path, self._schema, compression="NONE", use_dictionary=False, write_statistics=False
            )
        if ["index", *columns] != self._schema.names:
            raise CorpusError(f"item {index} has other files than the first: {', '.join(sorted(files))}")
        row = {"index": [index], **{name: [content] for name, content in columns.items()}}
        self._writer.write_table(pa.table(row, schema=self._schema), row_group_size=1)

    def close(self) -> None:
        """End the file."""
        if self._writer is not None:
            self._writer.close()


class ParquetReader:
    """Rows of a file, each read by itself. items: how many there are to be. limit: bytes of a row."""

    def __init__(self, file: BinaryIO, items: int, shown: str, limit: int) -> None:
        _, parquet = modules()
        self.shown, self.limit = shown, limit
        with self._told():
            self._file = parquet.ParquetFile(
                file, thrift_string_size_limit=_LIMIT, thrift_container_size_limit=10_000_000
            )
            rows = self._file.metadata.num_rows, self._file.metadata.num_row_groups
        if rows != (items, items):
            raise CorpusError(f"{shown} has {rows[0]} rows in {rows[1]} groups, not {items} in {items}")
        names = self._file.schema_arrow.names
        if len(names) > 1000 or not {"index", *_FIXED} <= set(names):
            raise CorpusError(f"{shown} lacks columns of a corpus: index, {', '.join(_FIXED)}")
        kinds = {str(field.type) for field in self._file.schema_arrow if field.name != "index"}
        if (
            not kinds <= {"binary", "large_binary"}
            or str(self._file.schema_arrow.field("index").type) != "int64"
        ):
            # Said before anything is read: a short row of lists may stand for gigabytes.
            raise CorpusError(f"{shown} has columns that hold no files")
        self.names = names

    def read(self, place: int, index: int, columns: Collection[str] | None = None) -> dict[str, bytes]:
        """The files of the item in a row, by their columns; all of them or those that are named."""
        wanted = self.names if columns is None else [name for name in self.names if name in columns]
        with self._told():
            group = self._file.metadata.row_group(place)
            chunks = [group.column(i) for i in range(group.num_columns)]
            if any(chunk.compression != "UNCOMPRESSED" for chunk in chunks):
                raise CorpusError(f"{self.shown} is compressed; djgraph writes FLAC in columns as they are")
            if group.num_rows != 1 or sum(chunk.total_uncompressed_size for chunk in chunks) > self.limit:
                raise CorpusError(f"{self.shown} has a row of more than {self.limit} bytes")
            (row,) = self._file.read_row_group(place, ["index", *wanted]).to_pylist()
        if row["index"] != index:
            raise CorpusError(f"{self.shown} holds item {row['index']!r:.40} where {index} is expected")
        files = {name: row[name] for name in wanted if name != "index"}
        if not all(isinstance(content, bytes) for content in files.values()):
            raise CorpusError(f"{self.shown} has a row without a file")
        return files

    def _told(self) -> _Told:
        return _Told(self.shown)


class _Told:
    """What pyarrow raises for a damaged file: errors of its own, ValueError and OSError among them."""

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: object
    ) -> None:
        if isinstance(problem, Exception) and not isinstance(problem, CorpusError):
            what = " ".join(str(problem).split())[:300]
            raise CorpusError(f"{self.shown} is damaged: {what}") from problem
