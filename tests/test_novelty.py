"""Prompts far from what a model has learnt are found, those near to it are not, and nothing is refused."""

import logging

import numpy as np
import pytest
from command import state_of

from crossdiff.checkpoint import shipped_model
from crossdiff.errors import CheckpointError, InputError
from crossdiff.files import save_npz
from crossdiff.learnt import LearntCaption, learnt_captions, write_learnt
from crossdiff.novelty import EMBEDDINGS, _cover, far_prompts, stored_embeddings, warn_of_far_prompts
from crossdiff.text import load_text_encoder

NEAR = [
    "a man strolls straight ahead", "she jogs forward", "somebody waves with the right hand", "lift both arms",
    "an old lady raises her left arm", "a couple dances salsa", "a person takes a bow", "a man kicks to the front",
    "the man walks on and turns right", "a person hops on one leg", "a person sneaks forward", "walk backwards slowly",
]  # fmt: skip
FAR = [
    "colourless green ideas sleep furiously", "the stock market fell", "xkjq wvbn plmo", "a cup of coffee with milk",
    "error 404 page not found", "two plus two equals four", "eine Person läuft vorwärts", "un homme lève les deux bras",
    "una persona baila", "человек машет рукой", "一个人向前走", "사람이 달린다",
]  # fmt: skip
CAPTIONS = [LearntCaption(text="a person walks", clips=3), LearntCaption(text="a person does a cartwheel", clips=1)]


def test_paraphrases_pass_and_nonsense_and_other_languages_are_found():
    shipped = shipped_model("text")
    assert far_prompts(shipped, NEAR) == []
    assert [one.prompt for one in far_prompts(shipped, FAR)] == FAR


def test_no_caption_of_a_shipped_model_is_far():
    for task in ("lift", "text"):
        folder = shipped_model(task)
        texts = [one.text for one in learnt_captions(folder)]
        stored = list(stored_embeddings(folder))
        assert set(stored) <= set(texts) and len(stored) == min(len(texts), 1024)
        assert (folder / EMBEDDINGS).stat().st_size < 500_000
        assert far_prompts(folder, texts[::40]) == []


def test_the_nearest_captions_are_named_and_each_prompt_once(tmp_path):
    write_learnt(tmp_path, CAPTIONS)
    (far,) = far_prompts(tmp_path, ["bitcoin", "a person walks", "bitcoin"], nearest=1)
    assert far.prompt == "bitcoin" and far.similarity < 0.5
    assert set(far.nearest) < {one.text for one in CAPTIONS} and len(far.nearest) == 1
    assert '"bitcoin"' in str(far) and far.nearest[0] in str(far)


def test_embeddings_are_those_of_the_encoder_up_to_rounding(tmp_path):
    write_learnt(tmp_path, CAPTIONS)
    exact = load_text_encoder().encode([one.text for one in CAPTIONS]).numpy()
    for row, stored in zip(exact, stored_embeddings(tmp_path).values(), strict=True):
        assert row @ stored / np.linalg.norm(row) / np.linalg.norm(stored.astype(float)) > 0.9999


def test_embeddings_of_the_model_before_are_not_computed_again(tmp_path, monkeypatch):
    write_learnt(tmp_path / "before", CAPTIONS)
    monkeypatch.setattr("crossdiff.novelty.CachedEmbeddings", None)
    write_learnt(tmp_path / "after", CAPTIONS, tmp_path / "before")
    assert (tmp_path / "after" / EMBEDDINGS).read_bytes() == (tmp_path / "before" / EMBEDDINGS).read_bytes()


def test_what_is_there_already_is_not_written_again_and_damaged_files_are(tmp_path):
    write_learnt(tmp_path, CAPTIONS)
    before = state_of(tmp_path)
    write_learnt(tmp_path, reversed(CAPTIONS))
    assert state_of(tmp_path) == before
    (tmp_path / EMBEDDINGS).write_bytes(b"junk")
    write_learnt(tmp_path, CAPTIONS)
    assert len(stored_embeddings(tmp_path)) == 2


def test_a_prompt_that_is_none_is_refused_before_it_is_encoded(tmp_path):
    for prompt in ("", "1 2", "a\udc80b"):
        with pytest.raises(InputError, match="prompt: expected"):
            warn_of_far_prompts(tmp_path, [prompt])


def test_a_cover_of_many_rows_leaves_none_far_from_it():
    angles = np.linspace(0, np.pi, 200)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    kept = _cover(rows, 9)
    assert len(kept) == 9 and kept[0] == 0 and len(set(kept)) == 9
    # Nine points evenly over half a circle leave none more than a sixteenth of it away; greedily chosen ones, twice.
    assert (rows @ rows[kept].T).max(axis=1).min() >= np.cos(np.pi / 8)
    assert _cover(rows[:4], 9).tolist() == [0, 1, 2, 3]


def test_a_model_without_captions_or_with_none_says_nothing(tmp_path, caplog):
    warn_of_far_prompts(tmp_path, ["bitcoin"])
    write_learnt(tmp_path, [])
    warn_of_far_prompts(tmp_path, ["bitcoin"])
    assert not caplog.records


def test_embeddings_of_another_encoder_are_not_compared(tmp_path):
    write_learnt(tmp_path, CAPTIONS)
    with np.load(tmp_path / EMBEDDINGS) as z:
        save_npz(tmp_path / EMBEDDINGS, texts=z["texts"], embeddings=z["embeddings"], encoder=np.array("0" * 64))
    assert far_prompts(tmp_path, ["bitcoin"]) == []


@pytest.mark.parametrize("content", [b"junk", None])
def test_a_damaged_file_is_said_to_be_one(tmp_path, content):
    if content is None:
        save_npz(tmp_path / EMBEDDINGS, texts=np.array(["a"]), embeddings=np.zeros((2, 3)), encoder=np.array("x"))
    else:
        (tmp_path / EMBEDDINGS).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"captions\.npz.*delete it"):
        far_prompts(tmp_path, ["a person walks"])


def test_the_warning_is_one_line(caplog):
    with caplog.at_level(logging.WARNING):
        warn_of_far_prompts(shipped_model("text"), [*FAR[:2], *NEAR[:2]])
    assert len(caplog.records) == 2 and all("\n" not in record.getMessage() for record in caplog.records)
