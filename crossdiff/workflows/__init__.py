"""Combinations of several parts of the library, one function per task, for commands, the page and notebooks."""
