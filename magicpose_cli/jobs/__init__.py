"""Whole jobs, from files to files, that commands, evaluation and clusters run."""
