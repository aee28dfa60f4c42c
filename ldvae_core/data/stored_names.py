"""Names of annotations as an .h5ad can hold them, and back.

HDF5 takes "/" for a path and "." for a place, anndata keeps "_index" and what begins with "__" for itself, and an
export has columns of its own. Such names are spelt with the words of MEANINGS in braces: "CD4/CD8" becomes
"CD4{slash}CD8", and a column "_index" of the data "{kept}_index". Every name has one spelling, and it is read back as
what it was, also after other tools have written the file again.
"""

import re
from collections.abc import Iterable

MEANINGS = {"slash": "/", "brace": "{", "kept": ""}  # kept: the rest is a name of the data, not of the file
SPLIT_COLUMN, CLUSTER_COLUMN, ERROR_COLUMN = "ldvae_split", "ldvae_cluster", "ldvae_reconstruction_error"
DISTANCE_COLUMN, BEYOND_COLUMN, STRANGE_COLUMN, NEAREST_COLUMN = (
    "ldvae_distance", "ldvae_beyond", "ldvae_strange", "ldvae_nearest",
)  # fmt: skip
OF_PLACING = (ERROR_COLUMN, DISTANCE_COLUMN, BEYOND_COLUMN, STRANGE_COLUMN, NEAREST_COLUMN)
_SPELT = re.compile(r"\{(" + "|".join(MEANINGS) + r")\}")
_MISTAKABLE = re.compile(r"\{(?=(?:" + "|".join(MEANINGS) + r")\})")
_RESERVED = {"", ".", "..", "_index", SPLIT_COLUMN, CLUSTER_COLUMN, *OF_PLACING}


def encode(name: str) -> str:
    """The spelling of a name of the data; for all but a few the name itself."""
    spelt = _MISTAKABLE.sub("{brace}", name).replace("/", "{slash}")
    return f"{{kept}}{spelt}" if spelt in _RESERVED or spelt.startswith("__") else spelt


def decode(spelt: str) -> str:
    """The name that encode spelt so; names of other files stay as they are."""
    return _SPELT.sub(lambda found: MEANINGS[found[1]], spelt)


def decode_all(spelt: Iterable[str]) -> dict[str, str]:
    """Name by spelling, for the columns of one table, no name twice.

    Where data and export have a column of one name, the data's keeps it, and the export's is called name-1, name-2, ...
    """
    spellings = list(spelt)
    names = {each: decode(each) for each in spellings}
    taken = {name for each, name in names.items() if name != each}
    for each in spellings:
        if names[each] == each:
            name, number = each, 0
            while name in taken or (number and name in names):
                number += 1
                name = f"{each}-{number}"
            names[each] = name
            taken.add(name)
    return names
