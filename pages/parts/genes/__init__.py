"""The parts of the Genes page."""
