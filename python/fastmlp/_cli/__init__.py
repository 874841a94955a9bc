"""The parts of the command line; `fastmlp.cli` is its door."""
