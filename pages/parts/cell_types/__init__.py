"""The parts of the Cell types page."""
