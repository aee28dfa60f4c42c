"""The parts of the Factors page."""
