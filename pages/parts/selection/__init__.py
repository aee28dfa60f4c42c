"""Cells drawn around in a figure, on whatever page: what sets them apart, and keeping them."""
