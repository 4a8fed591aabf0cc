"""Videos of motion sampled during training, as .mp4 and in TensorBoard."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from crossdiff.diffusion.config import SamplingConfig
from crossdiff.diffusion.sampling import sample
from crossdiff.models import CrossDiffModel
from crossdiff.types import Motion3D
from crossdiff.video import VideoReader
from crossdiff.viewing.video import render_motion

_OPTIONS = SamplingConfig(steps=20)
_MOST_FRAMES = 120
_SIZE = 240


def render_samples(
    model: CrossDiffModel, prompts: Sequence[str], text: Float[Tensor, "b *l e"], path: Path, seed: int
) -> Path:
    """Sample a motion of up to six seconds for each prompt, and render them side by side in one video."""
    frames = min(_MOST_FRAMES, model.config.max_frames)
    seeds = range(seed, seed + len(prompts))
    features = sample(model, text, [frames] * len(prompts), _OPTIONS, list(seeds))
    skeleton = model.skeleton
    motions = [Motion3D(joints, skeleton.fps, skeleton) for joints in model.to_joints(features).cpu().numpy()]
    return render_motion(motions, path, prompts, _SIZE)


def add_video(writer: SummaryWriter, name: str, path: Path, step: int) -> None:
    """Add a video to TensorBoard, as a GIF of every second frame."""
    pictures = [Image.fromarray(frame) for n, frame in enumerate(VideoReader(path).frames()) if n % 2 == 0]
    gif = io.BytesIO()
    pictures[0].save(gif, "GIF", save_all=True, append_images=pictures[1:], duration=100, loop=0)
    width, height = pictures[0].size
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=gif.getvalue())
    writer._get_file_writer().add_summary(Summary(value=[Summary.Value(tag=name, image=image)]), step)
