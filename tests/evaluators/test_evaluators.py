"""Evaluators: the reference networks, parts of the body, files, released files, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_evaluators import SIZES, random_evaluator

from crossdiff.data.captions import Caption
from crossdiff.errors import CheckpointError, ConfigError, InputError
from crossdiff.evaluators.body_parts import PARTS, part_contacts, part_indices
from crossdiff.evaluators.evaluators import EvaluatorConfig, T2MEvaluator, fingerprint, load_evaluator, save_evaluator
from crossdiff.evaluators.networks import MovementDecoder, MovementEncoder, RecurrentEncoder, RecurrentTextEncoder
from crossdiff.evaluators.released import load_released
from crossdiff.evaluators.words import TableVectors
from crossdiff.files import load_npz, save_npz
from crossdiff.skeleton import HUMANML3D, KIT

CAPTIONS = [Caption("a person walks", "a/DET person/NOUN walk/VERB"), Caption("jump up", "jump/VERB up/ADP")]


@pytest.mark.shared
def test_networks_match_the_reference(shared):
    arrays = {k: torch.from_numpy(v) for k, v in load_npz(shared / "golden" / "evaluator.npz").items()}

    def loaded(network, name):
        network.load_state_dict({k.split("/")[2]: v for k, v in arrays.items() if k.startswith(f"state/{name}/")})
        return network.eval()

    encoder = loaded(MovementEncoder(259, 24, 20), "movement_encoder")
    decoder = loaded(MovementDecoder(20, 24, 263), "movement_decoder")
    motion = loaded(RecurrentEncoder(20, 32, 32, 20), "motion_encoder")
    text = loaded(RecurrentTextEncoder(300, 15, 16, 20), "text_encoder")
    with torch.no_grad():
        latent = encoder(arrays["in/motion"][..., :-4])
        found = {
            "latent": latent,
            "reconstruction": decoder(latent),
            "motion_embedding": motion(latent, arrays["in/length"] // 4),
            "text_embedding": text.encode(arrays["in/words"], arrays["in/pos"], arrays["in/caption_length"]),
        }
    for name, value in found.items():
        torch.testing.assert_close(value, arrays[f"out/{name}"], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("skeleton", "widths"), [(HUMANML3D, (263, 156, 107)), (KIT, (251, 120, 131))])
def test_upper_and_lower_body_make_up_the_whole(skeleton, widths):
    parts = {part: part_indices(part, skeleton) for part in PARTS}
    assert tuple(len(parts[p]) for p in PARTS) == widths
    assert sorted([*parts["upper"], *parts["lower"]]) == parts["all"].tolist()
    assert part_contacts("upper") == 0
    # The contacts are the last values of the other parts, which the movement encoder cuts off.
    for part in ("all", "lower"):
        assert parts[part][-4:].tolist() == list(range(widths[0] - 4, widths[0]))


@pytest.mark.parametrize("kind", ["t2m", "tmr"])
@given(lengths=st.lists(st.integers(8, 60), min_size=2, max_size=5))
def test_an_embedding_does_not_depend_on_the_batch(kind, lengths):
    evaluator = random_evaluator(kind)
    rng = np.random.default_rng(len(lengths))
    clips = [rng.standard_normal((n, 263)).astype(np.float32) for n in lengths]
    together = evaluator.embed_motion(clips)
    alone = np.concatenate([evaluator.embed_motion([clip]) for clip in clips])
    np.testing.assert_allclose(together, alone, atol=2e-5)
    assert together.shape == (len(clips), SIZES["dim"])


@pytest.mark.parametrize("kind", ["t2m", "tmr"])
@pytest.mark.parametrize("part", PARTS)
def test_a_saved_evaluator_comes_back(kind, part, tmp_path):
    evaluator = random_evaluator(kind, part)
    evaluator.set_statistics(np.arange(263.0), np.full(263, 2.0))
    save_evaluator(evaluator, tmp_path)
    back = load_evaluator(tmp_path)
    clips = [np.random.default_rng(0).standard_normal((40, 263)).astype(np.float32)]
    np.testing.assert_array_equal(back.embed_motion(clips), evaluator.embed_motion(clips))
    np.testing.assert_array_equal(back.embed_text(CAPTIONS), evaluator.embed_text(CAPTIONS))
    assert back.config == evaluator.config


def test_root_and_contacts_count_five_times():
    evaluator = random_evaluator("t2m")
    evaluator.set_statistics(np.zeros(263), np.ones(263))
    x = evaluator.normalized(torch.ones(1, 8, 263), torch.tensor([8]))
    assert x[0, 0, :4].tolist() == pytest.approx([5.0] * 4)
    assert x[0, 0, -4:].tolist() == pytest.approx([5.0] * 4)
    assert x[0, 0, 4:-4].eq(1).all()


def test_another_evaluator_has_another_fingerprint(tmp_path):
    for seed in (0, 1):
        save_evaluator(random_evaluator("t2m", seed=seed), tmp_path / str(seed))
    assert fingerprint(tmp_path / "0") != fingerprint(tmp_path / "1")


def test_damaged_and_missing_evaluators_are_named(tmp_path):
    with pytest.raises(CheckpointError, match="crossdiff train-evaluator"):
        load_evaluator(tmp_path)
    save_evaluator(random_evaluator("t2m"), tmp_path)
    (tmp_path / "evaluator.safetensors").write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="not a readable evaluator"):
        load_evaluator(tmp_path)


def test_other_word_vectors_than_those_trained_with_are_refused():
    vectors = TableVectors("mine", ["sos", "eos", "unk"], np.zeros((3, 5)))
    with pytest.raises(ConfigError, match=r"minilm-tokens.*got mine"):
        T2MEvaluator(EvaluatorConfig(), vectors)


def released_file(folder: Path, **changes) -> tuple[Path, Path, Path]:
    """A file as T2M releases them, with random weights, and its statistics and words beside it."""
    states = {
        "movement_encoder": MovementEncoder(259, 12, 10).state_dict(),
        "text_encoder": RecurrentTextEncoder(6, 15, 8, 7).state_dict(),
        "motion_encoder": RecurrentEncoder(10, 9, 9, 7).state_dict(),
        "epoch": 3,
    }
    torch.save({k: v for k, v in (states | changes).items() if v is not None}, folder / "finest.tar")
    np.save(folder / "mean.npy", np.zeros(263))
    np.save(folder / "std.npy", np.ones(263))
    words = np.array(["sos", "eos", "unk", "walk"])
    save_npz(folder / "words.npz", words=words, vectors=np.random.default_rng(0).standard_normal((4, 6)))
    return folder / "finest.tar", folder, folder / "words.npz"


def test_a_released_file_loads_and_is_kept(tmp_path):
    evaluator = load_released(*released_file(tmp_path))
    assert evaluator.config.part == "all"
    assert evaluator.config.dim == 7
    save_evaluator(evaluator, tmp_path / "kept")
    back = load_evaluator(tmp_path / "kept")
    np.testing.assert_array_equal(back.embed_text(CAPTIONS), evaluator.embed_text(CAPTIONS))


def test_released_files_that_are_no_evaluators_are_named(tmp_path):
    with pytest.raises(CheckpointError, match="lacks motion_encoder"):
        load_released(*released_file(tmp_path, motion_encoder=None))
    with pytest.raises(CheckpointError, match="not T2M's evaluator"):
        load_released(*released_file(tmp_path, motion_encoder=RecurrentEncoder(11, 9, 9, 7).state_dict()))
    with pytest.raises(CheckpointError, match="reads 260 values"):
        load_released(*released_file(tmp_path, movement_encoder=MovementEncoder(260, 12, 10).state_dict()))
    with pytest.raises(InputError, match="no such file"):
        load_released(tmp_path / "other.tar", tmp_path, tmp_path / "words.npz")


class _Evil:
    def __reduce__(self):
        return (Path.touch, (Path("should_not_exist"),))


def test_a_released_file_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"movement_encoder": _Evil()}, tmp_path / "evil.tar")
    with pytest.raises(CheckpointError, match="weights alone"):
        load_released(tmp_path / "evil.tar", tmp_path, tmp_path / "words.npz")
    assert not (tmp_path / "should_not_exist").exists()
