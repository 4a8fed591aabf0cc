"""The model that is trained, saved and loaded: a network with the statistics of its features."""

# Annotations stay evaluated here: the hub's mixin decodes `config` by the class in the signature of `__init__`.
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import PyTorchModelHubMixin
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor, nn

from crossdiff.errors import CheckpointError, InputError
from crossdiff.files import write_json
from crossdiff.models.config import ModelConfig
from crossdiff.models.network import CrossDiffNetwork
from crossdiff.models.weights import read_weights
from crossdiff.representation.features3d import features_to_joints
from crossdiff.representation.normalizer import Normalizer
from crossdiff.skeleton import Skeleton
from crossdiff.types import Domain


class CrossDiffModel(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="crossdiff",
    tags=["text-to-motion", "human-motion"],
    coders={ModelConfig: (lambda cfg: cfg.model_dump(), lambda values: ModelConfig.model_validate(values))},
):
    """Network and normalisers of both domains; `save_pretrained`, `from_pretrained`, `push_to_hub` as usual."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.network = CrossDiffNetwork(config)
        self.normalizers = nn.ModuleDict({d: Normalizer.identity(config.layout(d).dim) for d in config.domain_names})

    @property
    def skeleton(self) -> Skeleton:
        return self.config.body

    @property
    def device(self) -> torch.device:
        return self.network.table.device

    def set_statistics(self, domain: Domain, mean: Float[Tensor, " d"], std: Float[Tensor, " d"]) -> None:
        """Set the statistics of the training data."""
        dim = self.config.layout(domain).dim
        if mean.shape != (dim,):
            layout = self.config.layout_2d
            remedy = f"run crossdiff prepare with --set layout_2d={layout}" if domain == "2d" else "take its skeleton's"
            raise InputError(
                f"{domain} statistics: the model ({self.config.skeleton}, 2D layout {layout}) needs {dim} values, "
                f"got shape {tuple(mean.shape)}; {remedy}"
            )
        self.normalizers[domain] = Normalizer(mean, std).to(self.device)

    def has_statistics(self, domain: Domain) -> bool:
        """Whether statistics were set; without them features are not normalised."""
        if domain not in self.normalizers:
            return False
        normalizer = self.normalizers[domain]
        assert isinstance(normalizer, Normalizer)
        return bool(normalizer.mean.any() or (normalizer.std != 1).any())

    def check_statistics(self, source: object, *domains: Domain) -> None:
        """Raise CheckpointError if a domain lacks statistics; source: its name in the message."""
        for domain in domains:
            if domain not in self.normalizers:
                raise CheckpointError(f"{source}: has no {domain} half; use a model of domains 2d+3d")
            if not self.has_statistics(domain):
                names = "Mean2d.npy and Std2d.npy" if domain == "2d" else "Mean.npy and Std.npy"
                raise CheckpointError(
                    f"{source}: lacks the statistics of {domain} features; convert it again "
                    f"with {names} in --stats FOLDER"
                )

    def normalize(self, domain: Domain, features: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        return self.normalizers[domain](features)

    def denormalize(self, domain: Domain, normalized: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        normalizer = self.normalizers[domain]
        assert isinstance(normalizer, Normalizer)
        return normalizer.inverse(normalized)

    def null_text(self, count: int, words: int = 1) -> Float[Tensor, "n *l e"]:
        """The null condition; for networks that read words, of `words` words."""
        length = (words,) if self.config.text == "sequence" else ()
        return torch.zeros(count, *length, self.config.text_dim, device=self.device)

    def to_joints(self, normalized: Float[Tensor, "*b t d"]) -> Float[Tensor, "*b t j 3"]:
        """Joints in metres from normalised 3D features."""
        joints = features_to_joints(self.denormalize("3d", normalized), self.skeleton)
        return joints * self.skeleton.metres_per_unit

    @classmethod
    def _from_pretrained(cls, *, model_id: str, strict: bool = True, **rest: Any) -> "CrossDiffModel":
        """Load strictly, unlike the mixin, which would leave missing weights random."""
        try:
            return super()._from_pretrained(model_id=model_id, strict=True, **rest)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"{model_id}: weights do not fit the configuration ({reason}); get it again"
            ) from None

    @classmethod
    def _load_as_safetensor(cls, model: Any, model_file: str, map_location: str, strict: bool) -> Any:
        """Read the weights as `load_model` does: names of a parallel wrapper are accepted, NaN is not."""
        model.load_state_dict(read_weights(Path(model_file)), strict=strict)
        return model.to(map_location).eval()

    def _save_pretrained(self, save_directory: Path) -> None:
        save_file(self.state_dict(), save_directory / "model.safetensors", metadata={"format": "pt"})
        # The mixin omits the key of the configuration that `crossdiff.checkpoint` reads.
        write_json(save_directory / "config.json", {"config": self.config.model_dump()})
