"""The commands, with their options, files and output; `fastmlp.cli` runs them.

The package needs typer and rich. It imports what lies below it, not `fastmlp.cli`.
"""
