"""Programs that redraw two figures from an exported .h5ad, for people who want them in a style of their own.

The one in Python is run by a test; that in R is not, since no R comes with the program: a test holds it to the file.
"""

MOST_NAMED = 12


def python_recipe(file: str, column: str | None) -> str:
    """Cells on two factors, and the genes of one, in Python; file: the .h5ad's name; column: to colour by."""
    colour = f"cells.obs[{column!r}].astype('category')" if column else "cells.obs['ldvae_split'].astype('category')"
    return f"""\
import anndata
import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

cells = anndata.read_h5ad({file!r})
positions, loadings = cells.obsm["X_ldvae"], cells.varm["LDVAE_loadings_shrunken"]
first, second = 0, min(1, positions.shape[1] - 1)

kinds = {colour}
figure, axes = plt.subplots(figsize=(7, 6))
for kind in kinds.cat.categories:
    chosen = (kinds == kind).to_numpy()
    axes.scatter(positions[chosen, first], positions[chosen, second], s=2, label=kind)
axes.set(xlabel=f"Factor {{first + 1}}", ylabel=f"Factor {{second + 1}}")
axes.legend(markerscale=4, fontsize=7, frameon=False, bbox_to_anchor=(1, 1), loc="upper left")
figure.savefig("cells.png", dpi=200, bbox_inches="tight")

order = np.argsort(loadings[:, first])
ends = np.r_[order[:{MOST_NAMED}], order[-{MOST_NAMED}:]]
error = cells.varm["LDVAE_loadings_se"][ends, first]  # of the raw loadings: wider than the shrunken ones need
figure, axes = plt.subplots(figsize=(5, 6))
axes.errorbar(loadings[ends, first], range(len(ends)), xerr=1.645 * error, fmt="o", markersize=4, linewidth=1)
axes.set_yticks(range(len(ends)), cells.var_names[ends], fontstyle="italic", fontsize=7)
axes.axvline(0, color="grey", linewidth=0.8)
axes.set(xlabel=f"Factor {{first + 1}}: log fold change per SD")
figure.savefig("genes.png", dpi=200, bbox_inches="tight")
"""


def r_recipe(file: str, column: str | None) -> str:
    """The same in R with Bioconductor's rhdf5 and ggplot2."""
    column = column or "ldvae_split"
    return f'''\
library(rhdf5)
library(ggplot2)

file <- "{_quoted(file)}"
positions <- t(h5read(file, "obsm/X_ldvae"))                 # cells x factors
loadings <- t(h5read(file, "varm/LDVAE_loadings_shrunken"))  # genes x factors
error <- t(h5read(file, "varm/LDVAE_loadings_se"))
genes <- h5read(file, paste0("var/", h5readAttributes(file, "var")[["_index"]]))
column <- "{_quoted(column)}"
codes <- h5read(file, paste0("obs/", column, "/codes"))      # from 0
kinds <- h5read(file, paste0("obs/", column, "/categories"))[codes + 1]

cells <- data.frame(x = positions[, 1], y = positions[, min(2, ncol(positions))], kind = kinds)
drawn <- ggplot(cells, aes(x, y, colour = kind)) + geom_point(size = 0.3) + labs(x = "Factor 1", y = "Factor 2") +
  theme_classic()
ggsave("cells.pdf", drawn, width = 8, height = 6)

ranked <- order(loadings[, 1])
ends <- c(head(ranked, {MOST_NAMED}), tail(ranked, {MOST_NAMED}))
table <- data.frame(gene = factor(genes[ends], levels = genes[ends]), loading = loadings[ends, 1], se = error[ends, 1])
drawn <- ggplot(table, aes(loading, gene)) + geom_vline(xintercept = 0, colour = "grey") +
  geom_pointrange(aes(xmin = loading - 1.645 * se, xmax = loading + 1.645 * se)) +
  labs(x = "Factor 1: log fold change per SD", y = NULL) + theme_classic()
ggsave("genes.pdf", drawn, width = 5, height = 6)
'''


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
