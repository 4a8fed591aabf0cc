"""Which actions sampled motions show, measured by classifiers of real film and of real 3D motion."""
