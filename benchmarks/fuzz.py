"""Small valid files of every format, damaged at random and read as the program reads them: who dies, spins or leaks?

python -m benchmarks.fuzz --mutations 100000 [--minutes 30] [--seed 0] [--workers 1]

Bytes are flipped, cut off, doubled, moved or zeroed, also inside what is packed by gzip. Each file is read by the
limited child's own function, in a process of its own (Linux and macOS). Prints a line a format: how many were refused,
how many read (damage that leaves whole numbers cannot be told), those that ended in a library's error, that spent their
processor time, that died, that had a file opened outside; the slowest and the largest. What was unforeseen follows.
"""

import argparse
import gzip
import math
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.data.hostile.canary import put_canary
from tests.data.hostile.corpus import copy_of
from tests.data.hostile.reader import a_reader
from tests.data.hostile.samples import SAMPLES, files_of

KINDS = ("refused", "read", "traceback", "spent", "died")
SECONDS = 4  # of processor for one file: what spins is ended, and there are many to try
SHOWN = 12


def flip(content: bytearray, chance: random.Random) -> None:
    """A few bytes become others."""
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        content[chance.randrange(len(content))] = chance.randrange(256)


def extreme(content: bytearray, chance: random.Random) -> None:
    """Two, four or eight bytes become the largest or smallest number, or one next to it."""
    width = chance.choice((2, 4, 8))
    number = chance.choice((0, 1, 2 ** (8 * width) - 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1)))
    start = chance.randrange(len(content))
    content[start : start + width] = number.to_bytes(width, "little")[: len(content) - start]


def cut(content: bytearray, chance: random.Random) -> None:
    """The end is missing."""
    del content[chance.randrange(len(content)) :]


def zero(content: bytearray, chance: random.Random) -> None:
    """A block of zeros, as of a download with holes."""
    start, length = _block(content, chance)
    content[start : start + length] = bytes(min(length, len(content) - start))


def double(content: bytearray, chance: random.Random) -> None:
    """A block stands there twice."""
    start, length = _block(content, chance)
    content[start:start] = content[start : start + length]


def move(content: bytearray, chance: random.Random) -> None:
    """A block is written over another place."""
    start, length = _block(content, chance)
    block, place = content[start : start + length], chance.randrange(len(content))
    content[place : place + len(block)] = block


def drop(content: bytearray, chance: random.Random) -> None:
    """A block is missing."""
    start, length = _block(content, chance)
    del content[start : start + length]


def _block(content: bytearray, chance: random.Random) -> tuple[int, int]:
    return chance.randrange(len(content)), chance.choice((1, 4, 8, 16, 64, 512, 4096))


MUTATORS: tuple[Callable[[bytearray, random.Random], None], ...] = (flip, flip, extreme, cut, zero, double, move, drop)


@dataclass
class Tally:
    """What was seen of one format."""

    kinds: Counter[str] = field(default_factory=Counter)
    outside: int = 0
    slowest: float = 0.0  # seconds of processor, of those that came to an end by themselves
    largest: int = 0  # bytes
    unforeseen: dict[str, tuple[int, int, str]] = field(default_factory=dict)  # place: times, first seed, message

    def add(self, seed: int, outcome: dict) -> None:
        """One file."""
        kind = outcome["kind"]
        self.kinds[kind] += 1
        self.outside += bool(outcome["opened"])
        self.slowest = max(self.slowest, 0.0 if kind == "spent" else outcome["seconds"])
        self.largest = max(self.largest, outcome["memory_bytes"])
        if kind in ("traceback", "died", "spent") or outcome["opened"]:
            place = f"{kind} {outcome['where']} {' '.join(outcome['opened'])[:100]}"
            times, first, said = self.unforeseen.get(place, (0, seed, outcome["said"][:160]))
            self.unforeseen[place] = (times + 1, first, said)


def mutate(path: Path, chance: random.Random) -> None:
    """Damage one file, or one of a folder; half of the packed ones inside."""
    target = chance.choice(files_of(path))
    content = bytearray(target.read_bytes())
    inside = content[:2] == b"\x1f\x8b" and chance.random() < 0.5
    content = bytearray(gzip.decompress(content)) if inside else content
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        if content:
            chance.choice(MUTATORS)(content, chance)
    target.write_bytes(gzip.compress(content, 1, mtime=0) if inside else content)


def work(seeds: range, until: float, tallies: dict[str, Tally], lock: threading.Lock) -> None:
    """One worker's share: the seed decides the format and the damage. until: of the monotonic clock."""
    formats = list(tallies)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        canary = Path(folder, "canary")
        canary.mkdir()
        with a_reader(Path(folder), put_canary(canary)) as reader:
            for seed in seeds:
                if time.monotonic() > until:
                    return
                chance = random.Random(seed)
                sample = formats[seed % len(formats)]
                path = copy_of(sample, Path(folder, "made"))
                mutate(path, chance)
                outcome = reader.read(path, seconds=SECONDS)
                with lock:
                    tallies[sample].add(seed, outcome)


def table(tallies: dict[str, Tally]) -> str:
    """A line a format, all together, and what was unforeseen."""
    total = Tally()
    for tally in tallies.values():
        total.kinds += tally.kinds
        total.outside += tally.outside
        total.slowest, total.largest = max(total.slowest, tally.slowest), max(total.largest, tally.largest)
    head = "".join(f"{word:>11}" for word in ("files", *KINDS, "outside", "slowest s", "largest MB"))
    lines = [f"{'':12}{head}"]
    for name, tally in [*tallies.items(), ("all", total)]:
        counted = "".join(f"{tally.kinds[kind]:>11,}" for kind in KINDS)
        lines.append(
            f"{name:12}{tally.kinds.total():>11,}{counted}{tally.outside:>11}{tally.slowest:>11.2f}"
            f"{tally.largest / 1e6:>11.0f}"
        )
    for name, tally in tallies.items():
        most = sorted(tally.unforeseen.items(), key=lambda item: -item[1][0])[:SHOWN]
        lines += [f"{name}: {times} x {place.strip()} (seed {seed}): {said}" for place, (times, seed, said) in most]
    return "\n".join(lines)


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=2_000)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop then, with the table so far")
    parser.add_argument("--seed", type=int, default=0, help="of the first; one is tried again with --mutations 1")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--formats", default=",".join(SAMPLES), help="names of samples, comma-separated")
    asked = parser.parse_args()
    formats = asked.formats.split(",")
    tallies, lock = {name: Tally() for name in formats}, threading.Lock()
    copy_of(formats[0], Path(tempfile.mkdtemp(), "first"))  # the samples, made before the workers ask for them
    last = asked.seed + asked.mutations
    shares = [range(asked.seed + k, last, asked.workers) for k in range(asked.workers)]
    until = time.monotonic() + 60 * asked.minutes
    threads = [threading.Thread(target=work, args=(share, until, tallies, lock)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(table(tallies))


if __name__ == "__main__":
    main()
