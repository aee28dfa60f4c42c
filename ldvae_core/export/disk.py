"""The disk as HDF5 may see it, which ends the whole program when it cannot write, even while it closes its file."""

from io import SEEK_END, FileIO
from pathlib import Path


class Disk:
    """A new file in which no write fails: what the disk refuses stays in memory, and `require` says it.

    The methods are those that h5py asks of a file of Python's.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError when the file cannot be made."""
        self._file, self._place = FileIO(path, "w+"), 0
        self._fault: OSError | None = None
        self._refused: list[tuple[int, bytes]] = []  # place and content, in the order of writing

    def require(self) -> None:
        """Raise OSError when something could not be written. To be asked often: what is refused fills the memory."""
        if self._fault is not None:
            raise self._fault

    def write(self, content: memoryview) -> int:
        """Write all of it here."""
        size = len(content)
        if self._fault is None:
            try:
                self._write_all(content)
            except OSError as fault:
                self._fault = fault
        if self._fault is not None:
            self._refused.append((self._place, bytes(content)))
        self._place += size
        return size

    def read(self, size: int) -> bytearray:
        """As many bytes as asked for; zeros where nothing stands."""
        self._file.seek(self._place)
        found = bytearray(self._file.read(size) or b"").ljust(size, b"\0")
        for place, content in self._refused:
            first, last = max(place, self._place), min(place + len(content), self._place + len(found))
            if first < last:
                found[first - self._place : last - self._place] = content[first - place : last - place]
        self._place += size
        return found

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer."""
        buffer[:] = self.read(len(buffer))
        return len(buffer)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go there."""
        self._place = offset
        if whence == SEEK_END:
            ends = (place + len(content) for place, content in self._refused)
            self._place += max(self._file.seek(0, SEEK_END), *ends, 0)
        return self._place

    def tell(self) -> int:
        """Where the next write goes."""
        return self._place

    def truncate(self, size: int) -> int:
        """End the file there."""
        if self._fault is None:
            try:
                self._file.truncate(size)
            except OSError as fault:
                self._fault = fault
        return size

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Raises OSError when something could not be written."""
        self._file.close()
        self.require()

    def _write_all(self, content: memoryview) -> None:
        self._file.seek(self._place)
        left = memoryview(content).cast("B")
        while left:
            left = left[self._file.write(left) :]
