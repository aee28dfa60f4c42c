"""Files of gene sets: read as they are meant, and those of strangers in a limited child."""

import gzip
import random
import struct
import time
import zlib

import psutil
import pytest

from ldvae_core.data import gmt
from ldvae_core.data.gmt import read_gmt, read_own_bytes, read_own_gmt, write_gmt
from ldvae_core.errors import SettingsError
from tests.links import make_pipe

GOOD = b"A\tabout\tTtr\tApob\nB\t\tGata1\n"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["text", "gzip"])
def test_a_gmt_file_is_read(pack):
    """Name, description, genes; each gene once, weights after a comma dropped, Windows line ends accepted."""
    found = read_gmt(pack(b"A\tabout\tTtr\tApob,1.0\tTtr\r\n\r\nB set\t\tGata1\n"), "mine.gmt")
    assert dict(found.sets) == {"A": ("Ttr", "Apob"), "B set": ("Gata1",)}
    assert found.notices == ()


def test_bad_lines_are_named_and_left_out():
    """A sentence for each kind of fault, with the numbers of its lines."""
    found = read_gmt(b"A\tx\tTtr\nA\tx\tApob\nonly a name\nB\tx\n\tx\tTtr\n", "mine.gmt")
    assert list(found.sets) == ["A"]
    assert found.notices == (
        "1 line was left out (a name that stands above already): 2.",
        "2 lines were left out (fewer than three columns): 3, 4.",
        "1 line was left out (no name, or one longer than 200 characters): 5.",
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe\x00", "is not text"),
        (b"A\0B\tx\tTtr", "is not text"),
        (b"\x1f\x8bnonsense", "is a damaged gzip file"),
        (b"just words\n", "holds no gene set"),
        (b"", "holds no gene set"),
    ],
    ids=["utf16", "nul", "gzip", "words", "empty"],
)
def test_what_is_no_gmt_file_is_refused(content, words):
    """In words, with what to do."""
    with pytest.raises(SettingsError, match=words):
        read_gmt(content, "mine.gmt")


def test_a_small_file_cannot_unpack_to_a_large_one(monkeypatch):
    """Unpacking stops at the limit."""
    monkeypatch.setattr(gmt, "LARGEST_TEXT", 1 << 20)
    with pytest.raises(SettingsError, match="unpacks to more than 1 MB"):
        read_gmt(gzip.compress(b"A" * (50 << 20)), "bomb.gmt.gz")


def test_sets_survive_being_kept():
    """What is written reads back the same, digest and all; another gene makes another digest."""
    found = read_gmt(b"A\tx\tTtr\tApob\n", "mine.gmt")
    assert read_gmt(write_gmt(found), "mine.gmt").digest == found.digest
    assert read_gmt(b"A\tx\tTtr\n", "mine.gmt").digest != found.digest


def test_the_child_reads_what_this_process_would(tmp_path):
    """The same sets and notices, from a file and from what was uploaded."""
    content = GOOD + b"only a name\n"
    (tmp_path / "mine.gmt").write_bytes(content)
    here = read_gmt(content, "mine.gmt")
    for found in (read_own_gmt(tmp_path / "mine.gmt", "mine.gmt"), read_own_bytes(gzip.compress(content), "mine.gmt")):
        assert (dict(found.sets), found.notices, found.digest) == (dict(here.sets), here.notices, here.digest)


def lines_of(line, n_bytes):
    """A gzipped file of one line over and over, made without holding it."""
    packer = zlib.compressobj(9, wbits=31)
    block = line * (1_000_000 // len(line))
    return b"".join([*(packer.compress(block) for _ in range(n_bytes // len(block))), packer.flush()])


def many_sets(n_sets, n_genes, *, shared=False):
    starts = (0 if shared else k * n_genes for k in range(n_sets))
    rows = ("\t".join([f"S{k}", "", *(f"G{start + j}" for j in range(n_genes))]) for k, start in enumerate(starts))
    return gzip.compress("\n".join(rows).encode(), 1)


HOSTILE = {
    "lines": lambda: lines_of(b"a\n", 83_000_000),
    "empty_lines": lambda: lines_of(b"\n", 83_000_000),
    "no_line_ends": lambda: lines_of(b"A", 83_000_000),
    "old_mac_line_ends": lambda: lines_of(b"A\tx\tTtr\r", 40_000_000),
    "tabs": lambda: lines_of(b"\t", 83_000_000),
    "bomb": lambda: lines_of(bytes(1000), 900_000_000),
    "bomb_in_a_bomb": lambda: gzip.compress(lines_of(b"A\tx\tTtr\n", 83_000_000)),
    "members": lambda: gzip.compress(b"a\n") * 900_000,
    "same_name": lambda: lines_of(b"A\tx\tTtr\n", 83_000_000),
    "sets": lambda: many_sets(60_000, 1),
    "genes": lambda: many_sets(3_000, 100),
    "members_in_all": lambda: many_sets(1_400, 4_000, shared=True),
    "nul": lambda: GOOD + bytes(1_000_000),
    "utf16": lambda: GOOD.decode().encode("utf-16"),
    "binary": lambda: random.Random(0).randbytes(5_000_000),
    "long_names": lambda: lines_of(b"A" * 100_000 + b"\tx\tTtr\n", 80_000_000),
    "cut": lambda: lines_of(b"A\tx\tTtr\n", 9_000_000)[:-9],
    "wrong_sum": lambda: gzip.compress(GOOD)[:-8] + struct.pack("<II", 1, 1),
    "surrogates": lambda: b"A\tx\t\xed\xa0\x80\n",
    "controls": lambda: b"A\x1b[2J\tx\tTtr\nB\tx\tT\x07tr\n",
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_costs_this_process_nothing(case):
    """A refusal in words; no processor time and no memory to speak of, so that other people's pages go on."""
    content = HOSTILE[case]()
    memory, start = psutil.Process().memory_info().rss, time.process_time()
    with pytest.raises(SettingsError) as refusal:
        read_own_bytes(content, "mine.gmt")
    assert refusal.value.problems[0].startswith("mine.gmt ")
    assert time.process_time() - start < 1
    assert psutil.Process().memory_info().rss - memory < 100 << 20


def test_a_pipe_is_not_waited_for(tmp_path):
    """It would never end."""
    make_pipe(tmp_path / "mine.gmt")
    with pytest.raises(SettingsError):
        read_own_gmt(tmp_path / "mine.gmt", "mine.gmt")


def test_a_child_that_dies_is_an_error_in_words(monkeypatch):
    """Whatever ends it, this process lives."""
    monkeypatch.setattr(gmt, "CHILD", "ldvae_core.data.no_such_module")
    with pytest.raises(SettingsError, match=r"The reader stopped while it read mine\.gmt"):
        read_own_bytes(GOOD, "mine.gmt")
