"""Learning actions from 2D motion alone: the 3D motion of some actions is held out of training."""
