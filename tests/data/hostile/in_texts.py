"""What can be wrong in a text: a matrix, names, a table; packed again where it was packed."""

import gzip
import os
import random
import zlib
from collections.abc import Callable
from pathlib import Path


def lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    """A change of its lines."""
    return lambda content: b"\n".join(change(content.split(b"\n")))


def last_word(word: bytes) -> Callable[[bytes], bytes]:
    """Another word at the end of the last line."""

    def change(content: bytes) -> bytes:
        rest = content.rstrip()
        cut = max(rest.rfind(mark) for mark in (b" ", b",", b"\t", b"\n"))
        return rest[: cut + 1] + word + b"\n"

    return change


def nth_line(position: int, line: bytes) -> Callable[[bytes], bytes]:
    """Another line in that place."""
    return lines(lambda rows: [*rows[:position], line, *rows[position + 1 :]])


CONTENTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "one_line_end": lambda content: b"\n",
    "header_only": lambda content: content.split(b"\n")[0] + b"\n",
    "half": lambda content: content[: len(content) // 2],
    "twice": lambda content: content + content,
    "one_line_less": lines(lambda rows: [*rows[:-2], b""]),
    "one_line_more": lines(lambda rows: [*rows[:-1], rows[-2], b""]),
    "empty_lines": lambda content: content.replace(b"\n", b"\n\n"),
    "nul": lambda content: content[:200] + bytes(50) + content[200:],
    "binary": lambda content: random.Random(0).randbytes(3000),
    "utf16": lambda content: content.decode().encode("utf-16"),
    "broken_utf8": lambda content: content[:-20] + b"\xff\xfe\xed\xa0\x80" + content[-20:],
    "controls": lambda content: content.replace(b"1", b"\x1b[2J"),
    "quote_open": lambda content: content[:300] + b'"' + content[300:],
    "one_long_line": lambda content: content.replace(b"\n", b" "),
    "long_word": last_word(b"x" * 3_000_000),
    "nan": last_word(b"nan"),
    "negative": last_word(b"-3"),
    "fraction": last_word(b"0.5"),
    "huge": last_word(b"9" * 400),
    "exponent": last_word(b"1e999"),
    "overflow": last_word(b"18446744073709551616"),
    "formula": last_word(b'=cmd|"/c calc"!A1'),
    "path": last_word(b"../../../../etc/passwd"),
}
MATRICES: dict[str, Callable[[bytes], bytes]] = {
    "declares_much": nth_line(2, b"80 40 999999999999"),
    "declares_negative": nth_line(2, b"-80 -40 -3"),
    "declares_wide": nth_line(2, b"4000000000 4000000000 100"),
    "declares_wider": nth_line(2, b"99999999999999999999 80 100"),
    "declares_more": nth_line(2, b"80 40 3000"),
    "declares_nothing": nth_line(2, b"0 0 0"),
    "outside": last_word(b"1\n81 41 1"),
    "zero": last_word(b"1\n0 0 1"),
    "dense": nth_line(0, b"%%MatrixMarket matrix array real general"),
    "complex": nth_line(0, b"%%MatrixMarket matrix coordinate complex general"),
    "pattern": nth_line(0, b"%%MatrixMarket matrix coordinate pattern general"),
    "symmetric": nth_line(0, b"%%MatrixMarket matrix coordinate integer skew-symmetric"),
    "no_banner": nth_line(0, b"hello"),
    "many_comments": lambda content: content.replace(b"%\n", b"%\n" * 300_000, 1),
}


def change_content(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change a text, packed or not."""
    content, packed = path.read_bytes(), path.name.endswith(".gz")
    changed = change(gzip.decompress(content) if packed else content)
    path.write_bytes(gzip.compress(changed, 1, mtime=0) if packed else changed)


def bomb(path: Path, canary: Path) -> None:
    """A third of a gigabyte of one letter."""
    packer = zlib.compressobj(9, wbits=31)
    block = b"1" * 1_000_000
    path.write_bytes(b"".join([*(packer.compress(block) for _ in range(300)), packer.flush()]))


def bomb_of_lines(path: Path, canary: Path) -> None:
    """The beginning of the file, and a third of a gigabyte of lines after it."""
    start = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    packer = zlib.compressobj(9, wbits=31)
    block = start.rstrip().split(b"\n")[-1] + b"\n"
    block *= 1_000_000 // len(block)
    path.write_bytes(b"".join([packer.compress(start), *(packer.compress(block) for _ in range(300)), packer.flush()]))


def link(path: Path, canary: Path) -> None:
    """A link to the canary in its place."""
    path.unlink()
    path.symlink_to(canary / "secret.txt")


def pipe(path: Path, canary: Path) -> None:
    """Something to wait for in its place."""
    path.unlink()
    os.mkfifo(path)


def directory(path: Path, canary: Path) -> None:
    """A folder in its place."""
    path.unlink()
    path.mkdir()


def missing(path: Path, canary: Path) -> None:
    """Nothing in its place."""
    path.unlink()


def forbidden(path: Path, canary: Path) -> None:
    """A file that may not be read (by root it may)."""
    path.chmod(0)


def not_packed(path: Path, canary: Path) -> None:
    """Plain, though its name says packed, or the other way round."""
    content = path.read_bytes()
    path.write_bytes(gzip.decompress(content) if path.name.endswith(".gz") else gzip.compress(content))


def cut_short(path: Path, canary: Path) -> None:
    """A download that stopped."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


CHOSEN: dict[str, Callable[[Path, Path], None]] = {  # of a file that is itself chosen, where a link may be followed
    "directory": directory, "not_packed": not_packed, "cut_short": cut_short
}  # fmt: skip
FILES = CHOSEN | {"link": link, "pipe": pipe, "missing": missing, "forbidden": forbidden}
PACKED: dict[str, Callable[[Path, Path], None]] = {"bomb": bomb, "bomb_of_lines": bomb_of_lines}
PACKED_BYTES = {  # of a packed file that is no text
    how: lambda path, canary, change=CONTENTS[how]: change_content(path, change)
    for how in ("empty", "one_line_end", "half", "twice", "nul", "binary")
}
