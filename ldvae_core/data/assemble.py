"""From an opened file to a data set on disk, in one walk over the file: whatever its format, however it is stored."""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from scipy import sparse

from ldvae_core.data.choosing import chosen_candidates
from ldvae_core.data.faults import diagnose, fault_sentences, find_faults
from ldvae_core.data.finishing import Filled, finish
from ldvae_core.data.layout import Layout, layout_of
from ldvae_core.data.molecules import Molecules, NotMolecules
from ldvae_core.data.opened import Candidate, Opened
from ldvae_core.data.progress import Report, silent
from ldvae_core.data.reading_options import ReadingOptions
from ldvae_core.data.room import require_room
from ldvae_core.data.store import CountsWriter
from ldvae_core.data.stored import DenseStored, Entries, SpilledStored, first_cells
from ldvae_core.data.transpose import Buckets, entries_of
from ldvae_core.errors import CountsError


def assemble(opened: Opened, folder: Path, options: ReadingOptions, *, scratch: Path, report: Report = silent) -> None:
    """Write the counts of the first candidate that holds whole numbers >= 0 into `folder`, with all that belongs to it.

    A matrix of nothing but 0 and 1 is taken only where no other holds counts. scratch: on the same disk as `folder`.
    Raises CountsError: several samples and none chosen, an option that means nothing here, no raw counts, too few
    cells or genes, names that cannot be shown, a damaged file, no room on the disk.
    """
    candidates, notices = chosen_candidates(opened, options)
    if options.columns and candidates[0].where != "table":
        raise CountsError("Only in a text table can be said what a column is.", "Read it without --table-column.")
    filled = _first_counts(candidates, options, scratch, report)
    if filled is None and options.round_counts:
        filled = _rounded(candidates[0], options, scratch, report)
    if filled is None:
        raise _no_counts(candidates, options)
    if options.round_counts and not filled.molecules.n_rounded:
        raise CountsError(
            f"The counts in {filled.candidate.where} are whole numbers: there is nothing to round.",
            "Read it without --round.",
        )
    passed = ", ".join(other.where for other in candidates[: candidates.index(filled.candidate)])
    found = f"Counts were taken from {filled.candidate.where}: {passed} holds no raw counts."
    for file in filled.folder.iterdir():
        file.replace(folder / file.name)
    said = (*notices, found) if passed else notices
    finish(filled, folder, opened=opened, options=options, notices=said, report=report)


def _first_counts(
    candidates: Sequence[Candidate], options: ReadingOptions, scratch: Path, report: Report
) -> Filled | None:
    binary = None
    for position, candidate in enumerate(candidates):
        filled = _fill(candidate, options, Molecules(), scratch, position, report)
        if filled is None or (filled.written.n_entries == 0 and len(candidates) > 1):
            continue
        if filled.molecules.largest > 1 or len(candidates) == 1:
            return filled
        binary = binary or filled
    return binary


def _rounded(candidate: Candidate, options: ReadingOptions, scratch: Path, report: Report) -> Filled | None:
    """The candidate with its fractions brought to whole numbers, where that is a fair reading of them."""
    faults = _count_faults(candidate)
    if set(faults) != {"fractional"}:
        return None
    cells_in = layout_of(candidate, options).cells_in
    if not diagnose(first_cells(candidate.stored, cells_in), faults).can_round:
        return None
    return _fill(candidate, options, Molecules(round_all=True), scratch, -1, report)


def _fill(
    candidate: Candidate, options: ReadingOptions, molecules: Molecules, scratch: Path, position: int, report: Report
) -> Filled | None:
    """Write the counts of a candidate into a folder of scratch; None as soon as an entry is no count."""
    layout = layout_of(candidate, options)
    turning = candidate.stored.order != layout.cells_in
    dense = isinstance(candidate.stored, DenseStored | SpilledStored)
    require_room(scratch, n_entries=candidate.stored.n_entries // (4 if dense else 1), turning=turning)
    folder, work = scratch / f"counts{position}", scratch / f"work{position}"
    folder.mkdir()
    work.mkdir()
    writer = CountsWriter(folder, len(layout.gene_names), chosen=layout.mitochondrial, by_gene=True)
    try:
        for block in _cell_blocks(candidate, layout, molecules, work, report):
            writer.append(block if layout.kept is None else block[:, layout.kept])
        return Filled(candidate, layout, molecules, writer.close(), folder)
    except NotMolecules:
        writer.abandon()
        shutil.rmtree(folder)
        return None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _cell_blocks(
    candidate: Candidate, layout: Layout, molecules: Molecules, work: Path, report: Report
) -> Iterator[sparse.csr_matrix]:
    """Consecutive cells, checked: CSR (k, all features of the file) of uint32."""
    stored = candidate.stored
    n_cells, n_features = (
        (stored.n_rows, stored.n_columns) if layout.cells_in == "rows" else (stored.n_columns, stored.n_rows)
    )
    turning = stored.order != layout.cells_in
    buckets = Buckets(work, n_cells=n_cells, n_genes=n_features, n_entries=stored.n_entries) if turning else None
    done, of = 0, {"any": stored.n_entries, "rows": stored.n_rows, "columns": stored.n_columns}[stored.order]
    for block in stored.blocks():
        if buckets is None:
            assert not isinstance(block, Entries)
            block.data = molecules.of(block.data)
            yield block
        else:
            rows, columns, values = entries_of(block, done, stored.order)
            cells, genes = (rows, columns) if layout.cells_in == "rows" else (columns, rows)
            buckets.add(cells, genes, molecules.of(values))
        done += len(block.values) if isinstance(block, Entries) else block.shape[0]
        report("reading", done // (2 if turning else 1), of)
    if buckets is not None:
        done = 0
        for block in buckets.rows():
            yield block
            done += block.shape[0]
            report("turning", done, n_cells)


def _count_faults(candidate: Candidate) -> Counter[str]:
    faults: Counter[str] = Counter()
    for values in candidate.stored.values():
        faults.update(find_faults(values))
    return faults


def _no_counts(candidates: Sequence[Candidate], options: ReadingOptions) -> CountsError:
    """Why the first place holds no counts, and where else was looked."""
    first = candidates[0]
    faults = _count_faults(first)
    diagnosis = diagnose(first_cells(first.stored, layout_of(first, options).cells_in), faults)
    where = "the table" if first.where == "table" else first.where
    sentences = fault_sentences(faults, n_entries=first.stored.n_entries, where=where)
    places = ", ".join(candidate.where for candidate in candidates)
    looked = f"No raw counts were found in: {places}." if len(candidates) > 1 else ""
    offers = {"round_counts": ()} if diagnosis.can_round else {}
    return CountsError([*sentences, *filter(None, (diagnosis.sentence, looked))], diagnosis.remedy, offers=offers)
