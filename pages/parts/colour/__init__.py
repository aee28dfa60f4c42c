"""What cells are coloured by, the same on every page: an annotation, a factor, a gene, or the mean of a list."""
