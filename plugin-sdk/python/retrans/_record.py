"""The bytes of one record: what the generated accessors of fields share."""

from __future__ import annotations

# Bytes that a record of any version has.
CORE_SIZE = 88


class RecordBytes:
    """One record within the records of a call."""

    __slots__ = ("_at", "_changed", "_data", "_place", "_size")

    # The records, or a copy of this one once it was changed. Always immutable bytes: slices of them are keys of caches.
    _data: bytes
    # Where this record begins in `_data`.
    _at: int
    # Bytes of the record.
    _size: int
    _changed: bool
    # Number of a changed record within the call.
    _place: int

    def _bytes(self) -> bytes:
        return self._data[self._at : self._at + self._size]

    def _replace(self, record: bytes | bytearray) -> None:
        if not self._changed:
            self._place = self._at // self._size
        self._data = bytes(record)
        self._at = 0
        self._changed = True

    def _set_core(self, offset: int, value: bytes) -> None:
        record = bytearray(self._bytes())
        record[offset : offset + len(value)] = value
        self._replace(record)

    def _set_optional(self, offset: int, size: int, byte: int, mask: int, value: bytes | None) -> None:
        record = bytearray(self._bytes())
        if value is None:
            record[byte] &= ~mask
            value = bytes(size)
        else:
            record[byte] |= mask
        record[offset : offset + size] = value
        self._replace(record)
