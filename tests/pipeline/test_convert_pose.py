"""mmpose's and the authors' ViTPose checkpoints in transformers' network.

`make mmpose` compares the heat maps with mmpose's own; here names and shapes are made by hand.
"""

import numpy as np
import pytest
import torch
from small_pose import save_detector

from crossdiff.errors import CheckpointError
from crossdiff.pipeline.backends import convert, create_backend
from crossdiff.pipeline.backends.convert import convert_pose, read_pose_state, vitpose_of

WIDTH, PATCHES = 8, 12


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """A width that is small enough for tests."""
    monkeypatch.setitem(convert._HEADS, WIDTH, 2)


def checkpoint(style: str, simple: bool = True, keypoints: int = 17) -> dict[str, torch.Tensor]:
    """Two layers, 64 x 48 pixels, named as mmpose or as the authors' repository do."""
    mm = style == "mmpose"
    layers, ln1, ln2, fc1, fc2, last, head = (
        ("layers", "ln1", "ln2", "ffn.layers.0.0", "ffn.layers.1", "ln1", "head")
        if mm
        else ("blocks", "norm1", "norm2", "mlp.fc1", "mlp.fc2", "last_norm", "keypoint_head")
    )
    shapes = {
        "backbone.pos_embed": (1, PATCHES + (not mm), WIDTH),
        f"backbone.patch_embed.{'projection' if mm else 'proj'}.weight": (WIDTH, 3, 16, 16),
        f"backbone.patch_embed.{'projection' if mm else 'proj'}.bias": (WIDTH,),
    }

    def add(name: str, *shape: int) -> None:
        shapes.update({f"{name}.weight": shape, f"{name}.bias": shape[:1]})

    for layer in (f"backbone.{layers}.{i}" for i in range(2)):
        add(f"{layer}.{ln1}", WIDTH)
        add(f"{layer}.attn.qkv", 3 * WIDTH, WIDTH)
        add(f"{layer}.attn.proj", WIDTH, WIDTH)
        add(f"{layer}.{ln2}", WIDTH)
        add(f"{layer}.{fc1}", 4 * WIDTH, WIDTH)
        add(f"{layer}.{fc2}", WIDTH, 4 * WIDTH)
    add(f"backbone.{last}", WIDTH)
    if simple:
        add(f"{head}.final_layer", keypoints, WIDTH, 3, 3)
    else:
        for number, channels in ((0, WIDTH), (3, 256)):
            shapes[f"{head}.deconv_layers.{number}.weight"] = (channels, 256, 4, 4)
            add(f"{head}.deconv_layers.{number + 1}", 256)
            shapes[f"{head}.deconv_layers.{number + 1}.running_mean"] = (256,)
            shapes[f"{head}.deconv_layers.{number + 1}.running_var"] = (256,)
            shapes[f"{head}.deconv_layers.{number + 1}.num_batches_tracked"] = ()
        add(f"{head}.final_layer", keypoints, 256, 1, 1)
    torch.manual_seed(0)
    return {n: torch.zeros((), dtype=torch.long) if s == () else torch.rand(s) for n, s in shapes.items()}


@pytest.mark.parametrize("style", ["mmpose", "authors"])
@pytest.mark.parametrize("simple", [True, False])
def test_every_weight_arrives(style, simple):
    state = checkpoint(style, simple)
    ours = vitpose_of(state).state_dict()
    qkv = state[f"backbone.{'layers' if style == 'mmpose' else 'blocks'}.1.attn.qkv.weight"]
    for part, rows in (("query", qkv[:WIDTH]), ("key", qkv[WIDTH : 2 * WIDTH]), ("value", qkv[2 * WIDTH :])):
        assert torch.equal(ours[f"backbone.encoder.layer.1.attention.attention.{part}.weight"], rows)
    assert sum(v.sum() for v in ours.values()).item() == pytest.approx(sum(v.sum() for v in state.values()).item())


def test_both_ways_of_storing_positions_give_the_same_heat_maps():
    """The authors' first position belongs to a class token and is added to all others; mmpose stores the sums."""
    theirs, mm = checkpoint("authors"), checkpoint("mmpose")
    mm = dict(zip(mm, theirs.values(), strict=True))
    mm["backbone.pos_embed"] = theirs["backbone.pos_embed"][:, 1:] + theirs["backbone.pos_embed"][:, :1]
    pixels = torch.randn(1, 3, 64, 48)
    with torch.no_grad():
        torch.testing.assert_close(vitpose_of(mm)(pixels).heatmaps, vitpose_of(theirs)(pixels).heatmaps)


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_file_becomes_a_folder_for_the_backend(wrapped, tmp_path):
    state = checkpoint("mmpose", keypoints=26)
    path = tmp_path / "pose.pth"
    torch.save({"state_dict": state, "meta": {"sigmas": np.ones(26, np.float32)}} if wrapped else state, path)
    converted = convert_pose(path, tmp_path / "out")
    assert str(converted).endswith("2 layers, width 8, halpe26, crops of 48 x 64 pixels")
    detector = save_detector(tmp_path / "detector")
    backend = create_backend("vitpose", [f"weights={tmp_path / 'out'}", f"detector={detector}"])
    crops = np.zeros((1, 64, 48, 3), np.uint8)
    pixels = (torch.zeros(1, 3, 64, 48) - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor(
        [0.229, 0.224, 0.225]
    )[:, None, None]
    with torch.no_grad():
        # Values are about 20; the crops' pixels are normalised in another order.
        torch.testing.assert_close(backend.heatmaps(crops), vitpose_of(state)(pixels).heatmaps, rtol=2e-5, atol=1e-4)


def test_what_does_not_fit_is_named():
    state = checkpoint("mmpose")
    with pytest.raises(CheckpointError, match=r"missing: backbone\.encoder\.layer\.1\.mlp\.fc1\.bias"):
        vitpose_of({n: v for n, v in state.items() if n != "backbone.layers.1.ffn.layers.0.0.bias"})
    with pytest.raises(CheckpointError, match=r"unexpected: backbone\.blocks\.0\.mlp\.experts.*vitpose-plus"):
        vitpose_of(state | {"backbone.blocks.0.mlp.experts.0.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"of another shape: backbone\.layernorm\.bias"):
        vitpose_of(state | {"backbone.ln1.bias": torch.zeros(9)})
    with pytest.raises(CheckpointError, match="not a ViTPose network"):
        vitpose_of({"weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="14 keypoints"):
        vitpose_of(checkpoint("mmpose", keypoints=14))
    with pytest.raises(CheckpointError, match="15 patches"):
        vitpose_of(state | {"backbone.pos_embed": torch.zeros(1, 15, WIDTH)})
    with pytest.raises(CheckpointError, match="width 9; expected one of 384"):
        vitpose_of(state | {"backbone.pos_embed": torch.zeros(1, 13, 9)})


@pytest.mark.parametrize("shape", [(), (13,), (2, 13)])
def test_weights_of_other_dimensions_are_refused_in_one_line(shape, tmp_path):
    path = tmp_path / "pose.pth"
    torch.save(checkpoint("mmpose") | {"backbone.pos_embed": torch.zeros(shape)}, path)
    with pytest.raises(CheckpointError, match=r"pose\.pth: not a ViTPose"):
        convert_pose(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_that_would_run_code_are_not_read(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("unpickled",)

    torch.save({"state_dict": {"a": Evil()}}, tmp_path / "evil.pth")
    with pytest.raises(CheckpointError, match="nothing was read"):
        read_pose_state(tmp_path / "evil.pth")
