"""`crossdiff convert-pose`."""

from command import crossdiff


def test_a_folder_in_use_and_a_file_that_is_not_there_are_refused(tmp_path):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "note.txt").write_text("mine")
    missing = tmp_path / "no.pth"
    crossdiff("convert-pose", missing, "--out", tmp_path / "used").failed("not an empty folder")
    crossdiff("convert-pose", missing, "--out", tmp_path / "new").failed("no.pth: no such file")
    assert not (tmp_path / "new").exists()
