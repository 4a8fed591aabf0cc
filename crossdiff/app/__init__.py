"""A local page: text to motion, and video to motion, with the viewer and files to download."""
