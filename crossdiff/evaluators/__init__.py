"""Text-motion evaluators: their networks, how they are trained, and the files that hold them."""
