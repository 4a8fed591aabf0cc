"""The two-domain denoiser: network, configuration, and the model that is saved and loaded."""

from crossdiff.models.config import ModelConfig
from crossdiff.models.model import CrossDiffModel

__all__ = ["CrossDiffModel", "ModelConfig"]
