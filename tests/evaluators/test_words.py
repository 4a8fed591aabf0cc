"""Word vectors and captions as T2M's text encoder reads them."""

from __future__ import annotations

import numpy as np
import pytest

from crossdiff.data.captions import Caption
from crossdiff.errors import InputError
from crossdiff.evaluators.words import MiniLMVectors, TableVectors, load_word_vectors, word_batch
from crossdiff.files import save_npz

TABLE = TableVectors("table", ["sos", "eos", "unk", "walk", "person"], np.arange(15.0).reshape(5, 3))


def test_captions_are_framed_cut_and_padded():
    long = Caption("long", " ".join(["walk/VERB"] * 30))
    batch = word_batch([Caption("a person", "person/NOUN walk/VERB"), long], TABLE)
    assert batch.lengths.tolist() == [4, 22]
    assert batch.words[0, :5].tolist() == [TABLE(w).tolist() for w in ("sos", "person", "walk", "eos", "unk")]
    assert batch.words[1, 21].tolist() == TABLE("eos").tolist()
    assert batch.classes.sum(-1).eq(1).all()
    # person is a NOUN; walk is one of the words with a class of their own; start, end and padding are OTHER.
    assert batch.classes[0, :5].argmax(-1).tolist() == [14, 1, 12, 14, 14]


def test_unknown_words_are_other_whatever_their_part_of_speech():
    batch = word_batch([Caption("x", "zebra/NOUN")], TABLE)
    assert batch.words[0, 1].tolist() == TABLE("unk").tolist()
    assert batch.classes[0, 1].argmax().item() == 14


def test_a_caption_without_tokens_is_read_by_its_text():
    assert word_batch([Caption("Person walk", "")], TABLE).lengths.tolist() == [4]


def test_the_embedded_model_knows_every_word():
    vectors = MiniLMVectors()
    for word in ("walk", "somersaulting", "sos", "eos", "unk"):
        assert vectors(word).shape == (vectors.dim,)
        assert np.square(vectors(word)).mean() == pytest.approx(1, abs=1e-4)
    assert not np.allclose(vectors("left"), vectors("right"))


def test_glove_is_read_from_text_and_from_npz(tmp_path):
    (tmp_path / "glove.txt").write_text("the 1 2 3\nwalk 4 5 6\nrun 7 8 9\n")
    vectors = load_word_vectors(tmp_path / "glove.txt", ["walk", "run", "zebra"])
    assert vectors("walk").tolist() == [4, 5, 6]
    assert vectors("the") is None
    assert vectors("zebra") is None
    assert vectors("unk").shape == (3,)
    save_npz(tmp_path / "glove.npz", words=np.array(["walk", "run"]), vectors=np.array([[4, 5, 6], [7, 8, 9.0]]))
    again = load_word_vectors(tmp_path / "glove.npz")
    assert again("run").tolist() == [7, 8, 9]
    np.testing.assert_array_equal(again("sos"), vectors("sos"))


def test_pickles_are_refused_with_the_way_around(tmp_path):
    (tmp_path / "our_vab_words.pkl").write_bytes(b"")
    for source in (tmp_path, tmp_path / "our_vab_words.pkl"):
        with pytest.raises(InputError, match=r"pickle.*numpy\.savez"):
            load_word_vectors(source)


@pytest.mark.parametrize("text", ["walk a b c\n", "walk 1 2\nrun 1 2 3\n", "nothing 1 2 3\n"])
def test_files_that_are_no_word_vectors_are_named(tmp_path, text):
    (tmp_path / "words.txt").write_text(text)
    with pytest.raises(InputError, match=r"words\.txt"):
        load_word_vectors(tmp_path / "words.txt", ["walk", "run"])
