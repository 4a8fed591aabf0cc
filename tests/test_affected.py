"""Which tests a change needs."""

from affected import ALWAYS, MOST, PAGES, REPO, affected


def test_tests_that_import_a_changed_module_are_needed_directly_or_through_another():
    found = affected({"crossdiff/training/loop.py"})
    assert {"tests/training/test_loop.py", "tests/training/test_stages.py", *ALWAYS} <= set(found)
    assert "tests/viewing/test_gif.py" not in found
    assert "tests/pipeline/test_tracking.py" in affected({"pipeline/tracks/tracking.py"})
    assert "tests/training/test_loop.py" in affected({"tests/training/small_runs.py"})
    assert all((REPO / path).is_file() for path in found)


def test_a_changed_test_page_or_conftest_is_needed_and_a_deleted_module_is_none():
    assert affected({"tests/test_skeleton.py"}) == [*ALWAYS, "tests/test_skeleton.py"]
    assert affected({"docs/index.md", "crossdiff/gone.py"}) == [*ALWAYS, PAGES]
    assert "tests/viewing/test_gif.py" in affected({"tests/viewing/conftest.py"})


def test_of_a_change_that_reaches_too_many_the_nearest_are_kept(capsys):
    found = affected({"crossdiff/skeleton.py"})
    assert len(found) <= len(ALWAYS) + MOST and "tests/test_skeleton.py" in found
    assert "see `make test`" in capsys.readouterr().err
