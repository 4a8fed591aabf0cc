"""The page that shows what a run kept and dropped, and clips and labels as pictures."""
