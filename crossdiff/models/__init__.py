"""The two-domain denoiser: network, configuration, and the model with its statistics."""

from crossdiff.models.config import ModelConfig
from crossdiff.models.model import CrossDiffModel

__all__ = ["CrossDiffModel", "ModelConfig"]
