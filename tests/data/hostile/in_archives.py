"""What can be wrong in an archive: its members made anew with others beside them, or its own lists changed."""

import gzip
import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

Members = list[tuple[str, bytes]]
Change = Callable[[Path, Path], None]  # of an archive, given the folder of the canary
LETTERS = 300_000_000  # bytes of one letter that a bomb unfolds to
BESIDE: dict[str, Callable[[], Members]] = {  # members added to the good ones
    "parent": lambda: [("../../../../evil.txt", b"x")],
    "parent_inside": lambda: [("a/../../evil.txt", b"x")],
    "absolute": lambda: [("/tmp/evil.txt", b"x")],
    "backslashes": lambda: [("..\\..\\evil.txt", b"x")],
    "drive": lambda: [("C:\\evil.txt", b"x"), ("C:evil.txt", b"x")],
    "device_name": lambda: [("/dev/null", b"x"), ("CON", b"x"), ("nul.txt", b"x")],
    "controls": lambda: [("\x1b[2J\n.mtx", b"x")],
    "not_unicode": lambda: [("\udcff\udc80.mtx", b"x")],
    "long_name": lambda: [("x" * 60_000 + ".mtx", b"x")],
    "long_path": lambda: [("long/" * 2_000 + "x.mtx", b"x")],
    "deep": lambda: [("d/" * 1_500 + "x.mtx", b"x")],
    "only_a_dot": lambda: [(".", b"x"), ("./", b"x"), ("//", b"x")],
    "twice": lambda: [("matrix.mtx", b"other"), ("barcodes.tsv", b"other")],
    "below_a_file": lambda: [("matrix.mtx/x", b"x")],
    "over_a_folder": lambda: [("a/b", b"x"), ("a", b"x")],
    "thousands": lambda: [(f"empty{n}.txt", b"") for n in range(25_000)],
    "thousands_of_folders": lambda: [(f"f{n}/matrix.mtx", b"x") for n in range(3_000)],
    "hidden_bomb": lambda: [(".hidden", bytes(LETTERS))],
    "bomb": lambda: [("more.txt", bytes(LETTERS))],
    "table_beside": lambda: [("table.csv", b"a,b\n1,2\n")],
    "pickle": lambda: [("matrix.pkl", b"cos\nsystem\n(S'touch /tmp/evil'\ntR.")],
    "no_hdf5": lambda: [("a/x.h5ad", b"no HDF5")],
}
ALONE: dict[str, Callable[[], Members]] = {  # members in place of the good ones
    "nothing": list,
    "one_of_an_unknown_kind": lambda: [("x.exe", b"MZ")],
    "one_bomb": lambda: [("x.csv", b"1" * LETTERS)],
    "one_packed_bomb": lambda: [("x.csv.gz", _packed(b"1" * LETTERS))],
    "bomb_in_a_bomb": lambda: [("x.h5ad.gz", _packed(_packed(bytes(LETTERS))))],
    "an_archive": lambda: [("x.zip", zipped([("y.csv", b"a,b\n1,2\n")]))],
    "archives": lambda: [("x.tar.gz", tarred([("y.zip", zipped([("z.csv", b"a,b\n")]))]))],
    "folder_without_end": lambda: [("outs/" * 200 + "matrix.mtx", b"x")],
    "zarr_with_pickle": lambda: [
        ("x.zarr/.zgroup", b'{"zarr_format": 2}'),
        ("x.zarr/obs/.zarray", b'{"zarr_format": 2, "shape": [9], "chunks": [9], "dtype": "|O", "compressor": null, '
         b'"filters": [{"id": "pickle"}], "order": "C", "fill_value": null}'),
    ],
}  # fmt: skip


def members_of(path: Path) -> Members:
    """Names and contents of a good archive."""
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            return [(name, archive.read(name)) for name in archive.namelist()]
    with tarfile.open(path) as tar:
        return [(one.name, tar.extractfile(one).read()) for one in tar if one.isreg()]


class _AnyName(zipfile.ZipInfo):
    """A member whose name may be no text."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:
        return self.filename.encode("utf-8", "surrogateescape"), 0x800


def zipped(members: Members, *, packing: int = zipfile.ZIP_DEFLATED, mode: int = 0o100644) -> bytes:
    """A .zip of them."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", packing, compresslevel=1) as archive:
        for name, content in members:
            info = _AnyName("x")
            info.filename, info.external_attr, info.compress_type = name, mode << 16, packing
            archive.writestr(info, content)
    return made.getvalue()


def tarred(members: Members, *, packing: str = "gz") -> bytes:
    """A .tar of them, packed."""
    return tar_of([_member(name, size=len(content)) for name, content in members], members, packing)


def tar_of(infos: list[tarfile.TarInfo], members: Members, packing: str = "gz") -> bytes:
    """A .tar of these headers, whatever they say, and these contents."""
    made = io.BytesIO()
    more = {"compresslevel": 1} if packing in ("gz", "bz2") else {}
    with tarfile.open(
        fileobj=made, mode=f"w:{packing}", format=tarfile.PAX_FORMAT, errors="surrogateescape", **more
    ) as tar:
        for info, (_, content) in zip(infos, members, strict=True):
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return made.getvalue()


def _member(name: str, **said: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in said.items():
        setattr(info, key, value)
    return info


def write(path: Path, members: Members) -> None:
    """Those members in an archive of the kind that its name says."""
    path.write_bytes(zipped(members) if path.name.endswith(".zip") else tarred(members))


def beside(more: Callable[[], Members]) -> Change:
    """The good members, and others."""
    return lambda path, canary: write(path, members_of(path) + more())


def before(more: Callable[[], Members]) -> Change:
    """Others, and then the good members."""
    return lambda path, canary: write(path, more() + members_of(path))


def alone(members: Callable[[], Members]) -> Change:
    """Others only."""
    return lambda path, canary: write(path, members())


def of_kind(**said: object) -> Change:
    """Every member of a .tar with another header."""

    def change(path: Path, canary: Path) -> None:
        members = members_of(path)
        place = {"linkname": str(canary / "secret.txt")} if said["type"] in (tarfile.SYMTYPE, tarfile.LNKTYPE) else {}
        path.write_bytes(tar_of([_member(name, **said, **place) for name, _ in members], members))

    return change


def with_pax(**headers: str) -> Change:
    """Members with more said of them than a .tar usually says."""

    def change(path: Path, canary: Path) -> None:
        members = members_of(path)
        infos = [_member(name, size=len(content), pax_headers=headers) for name, content in members]
        path.write_bytes(tar_of(infos, members))

    return change


def of_bytes(change: Callable[[bytes], bytes]) -> Change:
    """The bytes of the archive, unpacked where all of it is packed."""

    def changed(path: Path, canary: Path) -> None:
        content = path.read_bytes()
        packed = not path.name.endswith(".zip")
        made = change(gzip.decompress(content) if packed else content)
        path.write_bytes(_packed(made) if packed else made)

    return changed


def packed_otherwise(packing: object) -> Change:
    """By another means than the name says."""

    def change(path: Path, canary: Path) -> None:
        members = members_of(path)
        path.write_bytes(
            tarred(members, packing=packing) if isinstance(packing, str) else zipped(members, packing=packing)
        )

    return change


def links(path: Path, canary: Path) -> None:
    """Every member of a .zip a link to the canary."""
    target = str(canary / "secret.txt").encode()
    path.write_bytes(zipped([(name, target) for name, _ in members_of(path)], mode=0o120777))


def locked(content: bytes) -> bytes:
    """All members say that they need a password."""
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content = _at_each(content, mark, flags, lambda old: bytes([old[0] | 1]), 1)
    return content


def listed(offset: int, value: bytes) -> Callable[[bytes], bytes]:
    """Another value in every entry of a .zip's list."""
    return lambda content: _at_each(content, b"PK\x01\x02", offset, lambda _: value, len(value))


def overlapping(path: Path, canary: Path) -> None:
    """A list of a .zip that names one member 15,000 times."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x0.csv", b"1" * 1_000_000)
        first = archive.infolist()[0]
        for n in range(1, 15_000):
            other = zipfile.ZipInfo(f"x{n}.csv")
            for name in ("compress_type", "CRC", "compress_size", "file_size", "header_offset"):
                setattr(other, name, getattr(first, name))
            archive.filelist.append(other)
    path.write_bytes(made.getvalue())


def pax_bomb(path: Path, canary: Path) -> None:
    """A header of a member that unfolds to a third of a gigabyte."""
    packer = zlib.compressobj(1, wbits=31)
    head = _member("pax", type=tarfile.XHDTYPE, size=LETTERS).tobuf(tarfile.USTAR_FORMAT)
    block = bytes(1_000_000)
    path.write_bytes(b"".join([packer.compress(head), *(packer.compress(block) for _ in range(300)), packer.flush()]))


def _at_each(content: bytes, mark: bytes, offset: int, value: Callable[[bytes], bytes], length: int) -> bytes:
    made, start = bytearray(content), content.find(mark)
    while start >= 0:
        place = slice(start + offset, start + offset + length)
        made[place] = value(bytes(made[place]))
        start = content.find(mark, start + 4)
    return bytes(made)


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


ZIPS: dict[str, Change] = {
    "links": links,
    "locked": of_bytes(locked),
    "unknown_packing": of_bytes(listed(10, b"\x63\0")),
    "bzip2": packed_otherwise(zipfile.ZIP_BZIP2),
    "lzma": packed_otherwise(zipfile.ZIP_LZMA),
    "said_lzma": of_bytes(listed(10, b"\x0e\0")),
    "said_bzip2": of_bytes(listed(10, b"\x0c\0")),
    "said_plain": of_bytes(listed(10, b"\0\0")),
    "sizes_of_nothing": of_bytes(listed(20, bytes(8))),
    "huge_sizes": of_bytes(listed(20, b"\xfe" * 8)),
    "sizes_64": of_bytes(listed(20, b"\xff" * 8)),
    "wrong_sums": of_bytes(listed(16, b"abcd")),
    "far_offsets": of_bytes(listed(42, b"\xfe\xff\xff\x7f")),
    "same_offsets": of_bytes(listed(42, bytes(4))),
    "no_list": of_bytes(lambda content: content[: content.find(b"PK\x01\x02")]),
    "no_end": of_bytes(lambda content: content[: content.rfind(b"PK\x05\x06")]),
    "ends_say_more": of_bytes(lambda content: _at_each(content, b"PK\x05\x06", 8, lambda _: b"\xff\xff\xff\xff", 4)),
    "before_it_something": of_bytes(lambda content: b"MZ" + bytes(10_000) + content),
    "after_it_something": of_bytes(lambda content: content + bytes(10_000)),
    "a_tar_in_truth": lambda path, canary: path.write_bytes(tarred(members_of(path))),
    "overlapping": overlapping,
}
TARS: dict[str, Change] = {
    "links": of_kind(type=tarfile.SYMTYPE),
    "hard_links": of_kind(type=tarfile.LNKTYPE),
    "devices": of_kind(type=tarfile.CHRTYPE, devmajor=1, devminor=5),
    "pipes": of_kind(type=tarfile.FIFOTYPE),
    "folders": of_kind(type=tarfile.DIRTYPE),
    "unknown_kind": of_kind(type=b"Z"),
    "sizes_below_zero": with_pax(size="-5"),
    "huge_sizes": with_pax(size=str(10**30)),
    "sizes_of_words": with_pax(size="many"),
    "pax_paths": with_pax(path="../../../evil.txt"),
    "pax_sparse": with_pax(**{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(10**13),
                              "GNU.sparse.name": "x.csv"}),
    "pax_sparse_map": with_pax(**{"GNU.sparse.map": "0,1,9999999999999,1", "GNU.sparse.size": str(10**13)}),
    "pax_sparse_words": with_pax(**{"GNU.sparse.map": "a,b,c", "GNU.sparse.size": "x"}),
    "pax_times": with_pax(mtime="nan", uid="x", gid="1e400"),
    "pax_charset": with_pax(hdrcharset="rot13", path="x"),
    "pax_bomb": pax_bomb,
    "bzip2": packed_otherwise("bz2"),
    "xz": packed_otherwise("xz"),
    "not_packed": packed_otherwise(""),
    "a_zip_in_truth": lambda path, canary: path.write_bytes(zipped(members_of(path))),
    "headers_of_zeros": of_bytes(lambda content: bytes(512) + content),
    "headers_of_letters": of_bytes(lambda content: b"x" * 512 + content),
    "half": of_bytes(lambda content: content[: len(content) // 2]),
    "twice": of_bytes(lambda content: content + content),
    "no_end": of_bytes(lambda content: content.rstrip(b"\0")),
}  # fmt: skip
EITHER = {
    **{f"{name}_beside": beside(more) for name, more in BESIDE.items()},
    **{f"{name}_before": before(more) for name, more in BESIDE.items() if "thousands" not in name},
    **{name: alone(members) for name, members in ALONE.items()},
}


def changes_of(name: str) -> dict[str, Change]:
    """All changes for an archive of this name."""
    return EITHER | (ZIPS if name.endswith(".zip") else TARS)
