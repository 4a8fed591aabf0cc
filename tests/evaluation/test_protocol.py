"""The protocol on random networks: what a replication is made of, resume, devices, and what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
from command import state_of
from small_evaluators import random_evaluator
from synthetic import small_model

import crossdiff.evaluation.evaluate as running
from crossdiff.checkpoint import save_model
from crossdiff.data.captions import Caption
from crossdiff.data.mocap import MocapDataset
from crossdiff.errors import ClipError, ConfigError, CrossDiffError, InputError
from crossdiff.evaluation.config import EvaluationConfig
from crossdiff.evaluation.evaluate import REAL, evaluate
from crossdiff.evaluation.plan import ProtocolError, check_protocol
from crossdiff.evaluation.protocol import Generator, ReplicationRunner, SampleRequest, replication_path
from crossdiff.evaluation.real import RealClips
from crossdiff.evaluation.result import EvaluationResult
from crossdiff.evaluators.evaluators import save_evaluator
from crossdiff.files import load_npz


def config(**protocol) -> EvaluationConfig:
    few = {"replications": 3, "batch_size": 4, "diversity_pairs": 3, "multimodality_texts": 2}
    few |= {"multimodality_samples": 3, "multimodality_pairs": 2, "multimodality_replications": 1}
    sampling = {"steps": 2}
    return EvaluationConfig.model_validate(
        {"split": "train", "batch_size": 3, "protocol": few | protocol, "sampling": sampling}
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_model(small_model(text_encoder="minilm", text_dim=384), folder)
    return folder


def test_all_of_the_table_is_there(prepared, checkpoint, random_evaluators, tmp_path):
    result = evaluate(config(), checkpoint, prepared, random_evaluators, tmp_path, name="mine")
    assert {(t.evaluator, t.protocol) for t in result.tables} == {
        (e, p) for e in ("t2m", "tmr") for p in ("distinct", "classic")
    }
    ranks = {f"R-precision top {k}" for k in (1, 2, 3)} | {"MM-Dist", "FID", "Diversity"}
    for table in result.tables:
        halves = {"FID-U", "FID-L"} if table.evaluator == "t2m" else set()
        assert table.rows[REAL].keys() == ranks | halves
        assert table.rows["mine"].keys() == ranks | halves | {"MultiModality"}
        assert len(table.rows["mine"]["FID"].values) == 3
        assert len(table.rows["mine"]["MultiModality"].values) == 1
        assert table.rows[REAL]["FID"].mean < 0.1 * table.rows["mine"]["FID"].mean
    assert result.motion[REAL]["jerk"].mean > 0
    assert EvaluationResult.load(tmp_path) == result
    assert {"report.md", "report.html", "result.json"} <= {p.name for p in tmp_path.iterdir()}
    assert result.config["protocol"]["batch_size"] == 4
    assert result.seconds_per_motion > 0


def values_of(result):
    return [t.rows for t in result.tables], result.motion


def test_a_killed_evaluation_goes_on_to_the_same_numbers(prepared, checkpoint, random_evaluators, tmp_path):
    whole = evaluate(config(), checkpoint, prepared, random_evaluators, tmp_path / "whole", name="m")
    first = evaluate(config(replications=1), checkpoint, prepared, random_evaluators, tmp_path / "part", name="m")
    assert len(first.tables[0].rows["m"]["FID"].values) == 1
    made = replication_path(tmp_path / "part", 0).stat().st_mtime_ns
    on = evaluate(config(), checkpoint, prepared, random_evaluators, tmp_path / "part", name="m")
    assert replication_path(tmp_path / "part", 0).stat().st_mtime_ns == made
    assert values_of(on) == values_of(whole)


@pytest.mark.slow
def test_several_processes_find_what_one_does(prepared, checkpoint, random_evaluators, tmp_path):
    one = evaluate(config(), checkpoint, prepared, random_evaluators, tmp_path / "one", name="m")
    two = evaluate(config(), checkpoint, prepared, random_evaluators, tmp_path / "two", ("cpu", "cpu"), name="m")
    for a, b in zip(one.tables, two.tables, strict=True):
        for metric, value in a.rows["m"].items():
            assert b.rows["m"][metric].values == pytest.approx(value.values, rel=1e-4, abs=1e-5)
    assert two.device == "2 x cpu"


def test_a_process_that_cannot_start_is_said(prepared, checkpoint, random_evaluators, tmp_path, monkeypatch):
    class Broken(ThreadPoolExecutor):
        def submit(self, *args):
            raise BrokenProcessPool

    monkeypatch.setattr(running, "ProcessPoolExecutor", lambda count, *rest: Broken(count))
    with pytest.raises(CrossDiffError, match=r"cpu, cpu: a process could not start.*fewer devices"):
        evaluate(config(), checkpoint, prepared, random_evaluators, tmp_path, ("cpu", "cpu"))


def test_a_damaged_record_is_another_evaluation(prepared, checkpoint, random_evaluators, tmp_path):
    (tmp_path / "evaluation.yaml").write_text("config: [")
    with pytest.raises(ConfigError, match="other settings or data"):
        evaluate(config(), checkpoint, prepared, random_evaluators, tmp_path)


def test_a_motion_does_not_depend_on_the_batch(prepared, checkpoint, random_evaluators):
    runner = ReplicationRunner(config(), checkpoint, prepared, random_evaluators, "cpu")
    requests = [SampleRequest(i, 0, (0, 0, 0, i)) for i in range(5)]
    together, _ = runner.generator(requests, lambda count: None)
    alone, _ = runner.generator(requests[3:4], lambda count: None)
    np.testing.assert_allclose(together[3], alone[0], atol=1e-4)
    assert [len(m) for m in together] == [stop - start for start, stop in (runner.real.span(i, 0) for i in range(5))]


def test_motions_are_as_long_as_the_real_ones_and_batches_are_whole(prepared, checkpoint, random_evaluators):
    runner = ReplicationRunner(config(batch_size=5), checkpoint, prepared, random_evaluators, "cpu")
    plan = runner.plan(0)
    assert len(plan.order) == 5  # of eight clips: the last, partial batch is dropped
    again = runner.plan(0)
    np.testing.assert_array_equal(plan.order, again.order)
    assert runner.plan(1).order.tolist() != plan.order.tolist()
    for batch in plan.distinct:
        assert not np.triu(runner.real.shared.between(batch), 1).any()


def test_another_model_or_setting_is_not_mixed_in(prepared, checkpoint, random_evaluators, tmp_path):
    evaluate(config(), checkpoint, prepared, random_evaluators, tmp_path / "out")
    changed = config().model_copy(update={"seed": 1})
    with pytest.raises(ConfigError, match=r"seed.*--start-over"):
        evaluate(changed, checkpoint, prepared, random_evaluators, tmp_path / "out")
    save_model(small_model(seed=1, text_encoder="minilm", text_dim=384), tmp_path / "other")
    with pytest.raises(ConfigError, match="model"):
        evaluate(config(), tmp_path / "other", prepared, random_evaluators, tmp_path / "out")
    made = evaluate(changed, checkpoint, prepared, random_evaluators, tmp_path / "out", start_over=True)
    assert made.config["seed"] == 1


def test_real_embeddings_are_kept_and_depend_on_the_evaluator(prepared, checkpoint, random_evaluators, tmp_path):
    runner = ReplicationRunner(config(), checkpoint, prepared, random_evaluators, "cpu")
    known = runner.real_embeddings["t2m-all"]
    kept = [p for p in prepared.glob("real_train_*.npz") if np.array_equal(load_npz(p)["embeddings"], known)]
    assert len(kept) == 1
    save_evaluator(random_evaluator("t2m", seed=5), tmp_path / "t2m-all")
    other = ReplicationRunner(config(), checkpoint, prepared, tmp_path, "cpu")
    assert not np.allclose(other.real_embeddings["t2m-all"], known)


def test_what_cannot_be_evaluated_is_named(prepared, checkpoint, random_evaluators, tmp_path):
    with pytest.raises(InputError, match="crossdiff train-evaluator"):
        ReplicationRunner(config(), checkpoint, prepared, tmp_path, "cpu")
    with pytest.raises(InputError, match=r"8 clips in train\.txt, too few for protocol\.batch_size=32"):
        ReplicationRunner(config(batch_size=32), checkpoint, prepared, random_evaluators, "cpu")
    assert len(MocapDataset(prepared)) == 8


def test_real_motion_sent_through_the_protocol_scores_as_real(
    prepared, checkpoint, random_evaluators, tmp_path, monkeypatch
):
    def copy(self, requests, on_motions):
        return [self.real.features(r.clip, *self.real.span(r.clip, r.choice)) for r in requests], 1.0

    monkeypatch.setattr(Generator, "__call__", copy)
    result = evaluate(config(), checkpoint, prepared, random_evaluators, tmp_path, name="copy")
    for table in result.tables:
        for metric, value in table.rows[REAL].items():
            assert table.rows["copy"][metric].values == pytest.approx(value.values, rel=1e-3, abs=1e-4), metric
    for measure, value in result.motion[REAL].items():
        assert result.motion["copy"][measure].values == pytest.approx(value.values, rel=1e-4, abs=1e-6)


def test_all_that_a_split_is_too_small_for_is_named_with_what_it_allows(prepared, checkpoint, random_evaluators):
    large = {"batch_size": 32, "diversity_pairs": 300, "multimodality_texts": 100, "multimodality_pairs": 10}
    with pytest.raises(ProtocolError, match=r"batch_size=32 \(at most \d\), .*diversity_pairs=300 .*; use") as refused:
        ReplicationRunner(config(**large), checkpoint, prepared, random_evaluators, "cpu")
    allowed = {name.removeprefix("protocol."): value for name, value in refused.value.settings.items()}
    assert allowed.keys() == large.keys()
    ReplicationRunner(config(**large | allowed), checkpoint, prepared, random_evaluators, "cpu").plan(0)
    with pytest.raises(ProtocolError, match=rf"batch_size={allowed['batch_size'] + 1} \(at most"):
        ReplicationRunner(config(batch_size=allowed["batch_size"] + 1), checkpoint, prepared, random_evaluators, "cpu")
    # Without multimodality its settings do not count.
    unused = {"multimodality_replications": 0, "multimodality_texts": 100}
    ReplicationRunner(config(**unused), checkpoint, prepared, random_evaluators, "cpu")


def clips_with(captions: str) -> RealClips:
    """Clips with one caption each, of which only the number and the captions can be used."""
    data = MocapDataset.__new__(MocapDataset)
    data.folder, data.ids, data.captions = Path("data"), list(captions), [[Caption(c, c)] for c in captions]
    return RealClips(data, 196)


def test_a_batch_holds_no_more_clips_than_have_different_captions():
    """Of twelve clips with six captions, six at most fill a batch; with three, no protocol is possible."""
    check_protocol(clips_with("abcdefabcdef"), config(batch_size=6))
    with pytest.raises(ProtocolError) as refused:
        check_protocol(clips_with("abcdefabcdef"), config(batch_size=8, diversity_pairs=13))
    assert refused.value.settings == {"protocol.batch_size": 6, "protocol.diversity_pairs": 12}
    with pytest.raises(InputError, match="need 4 without a common caption; use a larger split"):
        check_protocol(clips_with("abcabcabcabc"), config())


def test_an_evaluation_that_fails_before_sampling_leaves_nothing(
    prepared, checkpoint, random_evaluators, tmp_path, monkeypatch
):
    def unreadable(self):
        raise ClipError("clip 3: damaged")

    monkeypatch.setattr(ReplicationRunner, "real_embeddings", property(unreadable))
    before = state_of(prepared)
    for cfg, error in ((config(diversity_pairs=300), ProtocolError), (config(), ClipError)):
        with pytest.raises(error):
            evaluate(cfg, checkpoint, prepared, random_evaluators, tmp_path / "out")
        assert not (tmp_path / "out").exists()
    assert state_of(prepared) == before
