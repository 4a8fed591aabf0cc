"""Videos to tracks: one person in one shot each, with the camera's movement."""
