"""Several parts of the library put together, one function per task: what the commands, the page and notebooks call."""
