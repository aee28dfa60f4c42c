"""A program pack: the programs of a run as one file to share, without any cell. Nothing in it can run code.

A zip archive of about.json and one .npy an array. Standard errors and shrunken loadings are kept in 16 bits; all that
decides where a cell is placed is kept as it is. Whoever gets a pack need not trust who made it: before anything is
unfolded the archive has to be small, every array is checked against what it declares, and all against one another.
"""

import hashlib
import io
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ldvae_core.analysis.factors import Factors
from ldvae_core.analysis.strange import Reference
from ldvae_core.durable import write_bytes
from ldvae_core.errors import LdvaeError, RunError
from ldvae_core.model.priors import PRIORS
from ldvae_core.runs.network import Network
from ldvae_core.runs.programs import Programs

FORMAT, FORMAT_VERSION = "gene program pack", 1
ABOUT, ENDING, OF_NETWORK = "about.json", ".npy", "network/"
LARGEST_FILE, LARGEST_UNFOLDED = 256 << 20, 512 << 20  # bytes; a pack of 100 factors and 20,000 genes takes some 50 MB
END_BYTES, LOCATOR_BYTES, LARGEST_LIST = 22, 20, 1 << 20  # of an archive without a comment; its list of members
LARGEST_ABOUT, MOST_ARRAYS, MOST_DIMENSIONS, DEEPEST = 4 << 20, 200, 3, 12
MADE = (1980, 1, 1, 0, 0, 0)  # of every member: the same programs make the same bytes
HALF = ("loadings_se", "loadings_shrunken", "loadings_shrunken_sd")
SINGLE = ("loadings", "intercept", "inverse_dispersion")
OF_FACTORS = (*SINGLE, *HALF, "explained_deviance", "active", "flipped", "trained_as", "rotation")
OF_REFERENCE = ("sizes", "means", "covariances", "batches", "far")
DAMAGED = "The file is damaged, or no program pack. Get it again from whoever made it."
KINDS = "biufU"  # of arrays: true and false, numbers, texts
OF_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError,
    RuntimeError, NotImplementedError, OverflowError, RecursionError, LdvaeError,
)  # fmt: skip


def write_pack(programs: Programs, path: Path) -> dict[str, Any]:
    """Write the pack in one durable step; returns its digest and bytes. Raises RunError when the disk refuses."""
    factors, reference = programs.factors, programs.reference
    arrays = {name: np.asarray(getattr(factors, name)) for name in OF_FACTORS}
    with np.errstate(over="ignore"):
        arrays |= {name: arrays[name].astype(np.float16) for name in HALF}
    arrays |= {"gene_names": np.asarray(factors.gene_names, dtype=str), "mean": programs.mean}
    if programs.gene_ids is not None:
        arrays["gene_ids"] = np.asarray(programs.gene_ids, dtype=str)
    arrays |= {f"reference/{name}": np.asarray(getattr(reference, name)) for name in OF_REFERENCE}
    arrays |= {f"{OF_NETWORK}{name}": value for name, value in programs.network.weights.items()}
    about = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": programs.name,
        "data_name": programs.data_name,
        "version": programs.version,
        "axes": factors.axes,
        "prior": factors.prior,
        "names": [factors.name_of(k) for k in range(factors.n_factors)],
        "notes": list(programs.notes),
        "is_refined": programs.is_refined,
        "types": {
            "column": reference.column,
            "names": list(reference.names),
            "usual": reference.usual,
            "n_held_out": reference.n_held_out,
        },
        "params": programs.params,
        "notices": list(programs.notices),
        "network": programs.network.about(),
    }
    members = {f"{name}{ENDING}": _npy(array) for name, array in arrays.items()}
    digest = _digest(about, members)
    content = _zipped({ABOUT: json.dumps({**about, "digest": digest}, ensure_ascii=False).encode(), **members})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content)
    except OSError as fault:
        raise RunError(
            f"{path.name} cannot be written ({fault.strerror or fault}).", "Make room, or choose another folder."
        ) from None
    return {"digest": digest, "bytes": len(content)}


def is_pack(path: Path) -> bool:
    """Whether a file looks like a pack: read_pack then says what is wrong with it."""
    return path.is_file() and zipfile.is_zipfile(path)


def read_pack(path: Path) -> Programs:
    """Read what write_pack wrote. Raises RunError: too large, damaged, parts that do not fit, or of a newer version."""
    if path.stat().st_size > LARGEST_FILE:
        raise RunError(f"{path.name} is larger than any program pack ({LARGEST_FILE >> 20} MB).", DAMAGED)
    try:
        about, arrays = _members(path)
        version = about["format_version"] if about["format"] == FORMAT else 0
        programs = _programs(about, arrays) if version == FORMAT_VERSION else None
    except OF_DAMAGE as fault:
        raise RunError(f"The program pack {path.name} cannot be read ({_words(fault)}).", DAMAGED) from None
    if programs is None:
        raise RunError(
            f"The program pack {path.name} has format {str(version)[:20]}; this program reads {FORMAT_VERSION}.",
            "Update the program.",
        )
    return programs


def _words(fault: Exception) -> str:
    first = (str(fault).splitlines() or [""])[0]
    return first[:120] or type(fault).__name__


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, MADE), content, zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


def _digest(about: Mapping[str, Any], members: Mapping[str, bytes]) -> str:
    """sha256 (64 hex digits) over everything in the pack but itself."""
    digest = hashlib.sha256(json.dumps(about, sort_keys=True, ensure_ascii=True).encode())
    for name in sorted(members):
        digest.update(f"\n{name} {len(members[name])}\n".encode())
        digest.update(members[name])
    return digest.hexdigest()


def _members(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """about.json and the arrays, within bounds and as the digest says. Raises one of OF_DAMAGE."""
    _require_short_list(path)
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        names = [info.filename for info in infos]
        if len(infos) > MOST_ARRAYS or len(set(names)) < len(names):
            raise ValueError("it holds too many parts, or one twice")
        if any(info.compress_type != zipfile.ZIP_DEFLATED for info in infos):
            raise ValueError("it is packed in another way")
        if sum(info.file_size for info in infos) > LARGEST_UNFOLDED or archive.getinfo(ABOUT).file_size > LARGEST_ABOUT:
            raise ValueError("it unfolds to more than any pack")
        # never more than a member declares is unfolded, and its check sum has to fit
        members = {info.filename: archive.read(info) for info in infos}
    about = json.loads(members.pop(ABOUT))
    if not isinstance(about, dict) or _depth(about) > DEEPEST:
        raise ValueError("about.json describes nothing")
    if about.get("format") == FORMAT and about.get("format_version") != FORMAT_VERSION:
        return about, {}
    if about.pop("digest") != _digest(about, members):
        raise ValueError("its parts are not those it was made of")
    return about, {name.removesuffix(ENDING): _array(name, content) for name, content in members.items()}


def _depth(value: object) -> int:
    """Objects and lists within one another: what is written of them again goes as deep."""
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(_depth, inside), default=0)


def _require_short_list(path: Path) -> None:
    """Look at the end of the archive: zipfile would hold a list of millions of members in memory before it is asked."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - END_BYTES - LOCATOR_BYTES))
        locator, end = (tail := file.read())[:-END_BYTES], tail[-END_BYTES:]
    if len(end) < END_BYTES or not end.startswith(b"PK\x05\x06") or locator.startswith(b"PK\x06\x07"):
        raise ValueError("it has no end, or an unusual one")
    if struct.unpack("<H", end[10:12])[0] > MOST_ARRAYS or struct.unpack("<I", end[12:16])[0] > LARGEST_LIST:
        raise ValueError("it holds too many parts")


def _array(name: str, content: bytes) -> np.ndarray:
    """One .npy, whose header may lie: it is believed only when it says as many bytes as there are."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError(f"{name} is of another kind")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    start = stream.tell()
    plain = dtype.kind in KINDS and not fortran and len(shape) <= MOST_DIMENSIONS
    if not plain or math.prod(shape) * dtype.itemsize != len(content) - start:
        raise ValueError(f"{name} is not what it says")
    array = np.frombuffer(content, dtype, offset=start).reshape(shape)
    if dtype.kind == "f" and name.startswith((OF_NETWORK, "reference/")) and not np.isfinite(array).all():
        raise ValueError(f"{name} holds no numbers")
    return np.array(array)


def _fitting(far: np.ndarray, batches: np.ndarray) -> bool:
    """Whether these can be the distances of held-out cells, and the batches that they were gone through in."""
    if far.ndim != 2 or not far.size or batches.dtype.kind != "i" or batches.shape != far.shape[:1]:
        return False
    return bool((np.diff(far, axis=1) >= 0).all() and (batches >= 1).all() and (np.diff(batches) < 0).all())


def _programs(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> Programs:
    genes, (n_genes, n_factors) = arrays["gene_names"], arrays["loadings"].shape
    ids = arrays.get("gene_ids")
    network = _network(about, arrays, n_genes, n_factors)
    known = {str(name) for name in about["types"]["names"]}
    n_types = len(known)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("loadings", *HALF), (n_genes, n_factors))
    shapes |= dict.fromkeys(("gene_names", "mean", "intercept", "inverse_dispersion"), (n_genes,))
    shapes |= dict.fromkeys(("explained_deviance", "active", "flipped", "trained_as"), (n_factors,))
    shapes |= {"rotation": (n_factors, n_factors), "reference/sizes": (n_types,)}
    shapes |= {"reference/means": (n_types, n_factors), "reference/covariances": (n_types, n_factors, n_factors)}
    shapes |= {"gene_ids": (n_genes,)} if ids is not None else {}
    wrong = [name for name, shape in shapes.items() if arrays[name].shape != shape]
    texts = (genes,) if ids is None else (genes, ids)
    far, batches = arrays["reference/far"], arrays["reference/batches"]
    if wrong or not n_types or not _fitting(far, batches):
        raise ValueError(f"its parts do not fit together: {', '.join(wrong) or 'reference'}")
    if (
        any(text.dtype.kind != "U" for text in texts)
        or about["prior"] not in PRIORS
        or len(set(genes.tolist())) < n_genes
    ):
        raise ValueError("its genes or its prior cannot be understood")
    if about["axes"] not in ("readable", "as_trained") or not np.allclose(
        arrays["rotation"] @ arrays["rotation"].T, np.eye(n_factors), atol=1e-4
    ):
        raise ValueError("its axes cannot be understood")
    by_name: dict[str, Any] = {
        name: arrays[name].astype(np.float32) if name in HALF else arrays[name] for name in OF_FACTORS
    }
    factors = Factors(
        axes=about["axes"],
        prior=about["prior"],
        gene_names=genes,
        representation=np.zeros((0, n_factors), np.float32),
        names=tuple(_text(name) for name in about["names"])[:n_factors],
        **by_name,
    )
    of_reference: dict[str, Any] = {name: arrays[f"reference/{name}"] for name in OF_REFERENCE}
    reference = Reference(
        _text(about["types"]["column"]),
        tuple(_text(name) for name in about["types"]["names"]),
        **of_reference,
        usual=float(about["types"]["usual"]),
        n_held_out=int(about["types"]["n_held_out"]),
    )
    np.linalg.cholesky(reference.covariances)  # of distances: raises ValueError's kin where they are none
    return Programs(
        name=_text(about["name"]) or "programs",
        data_name=_text(about["data_name"]),
        version=_text(about["version"]),
        factors=factors,
        gene_ids=ids,
        mean=arrays["mean"],
        notes=tuple(str(note)[:2_000] for note in about["notes"])[:n_factors],
        network=network,
        is_refined=about["is_refined"] is True,
        reference=reference,
        params=dict(about["params"]),
        notices=tuple(str(notice) for notice in about["notices"]),
    )


def _network(about: dict[str, Any], arrays: dict[str, np.ndarray], n_genes: int, n_factors: int) -> Network:
    """Settings are believed only when they ask for no more numbers than are there."""
    weights = {name.removeprefix(OF_NETWORK): value for name, value in arrays.items() if name.startswith(OF_NETWORK)}
    network = Network.of(about["network"], weights)
    config = network.config
    levels = sum(len(covariate.columns) for covariate in config.covariates)
    hidden = (config.n_hidden, n_genes + levels)
    if config.is_baseline or (config.n_genes, config.n_factors) != (n_genes, n_factors):
        raise ValueError("its network is of other genes")
    if weights["encoder.hidden.weight"].shape != hidden:
        raise ValueError("its network does not fit its settings")
    return network


def _text(value: object) -> str:
    """A line that can be shown."""
    text = " ".join(str(value).split())[:200]
    return text if text.isprintable() else ""
