"""What people look at: videos of motions, skeletons drawn on the source video, still pictures, one web page."""
