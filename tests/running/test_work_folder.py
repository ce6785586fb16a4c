"""The folder of a run."""

import json
from pathlib import Path

import pytest

from ditta_adapt import InputError
from ditta_adapt.running.work_folder import WorkFolder

REQUEST = {"model": "a", "stride": 1, "files": [("clip", 3)]}


def keep(folder: Path) -> None:
    (folder / "state").write_text("kept")


def test_the_way_of_a_run(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path / "out", REQUEST)
    assert work.begin() == "new"
    assert work.checkpoint() is None
    # Without a checkpoint there is nothing to go on with.
    work.label_file(0).write_text("old")
    assert WorkFolder(work.path, REQUEST).begin() == "new"
    assert not work.label_file(0).exists()
    for index in (3, 12, 12):
        work.save_checkpoint(index, keep)
    assert (work.checkpoint() / "state").read_text() == "kept"
    assert [p.name for p in (work.path / ".ditta-run").glob("checkpoint*")] == [
        "checkpoint-000000012"
    ]
    work.label_file(0).write_text("new")
    assert WorkFolder(work.path, REQUEST).begin() == "stopped"
    assert work.label_file(0).read_text() == "new"
    work.finish({"frames": 2}, "<p>")
    assert sorted(p.name for p in work.path.iterdir()) == ["labels", "report.html", "report.json"]
    again = WorkFolder(work.path, REQUEST)
    assert again.begin() == "done"
    assert again.report()["frames"] == 2


@pytest.mark.parametrize("how_far", ["begun", "stopped", "done"])
def test_results_of_another_request_are_not_touched(tmp_path: Path, how_far: str) -> None:
    work = WorkFolder(tmp_path, REQUEST)
    work.begin()
    work.label_file(0).write_text("theirs")
    if how_far == "stopped":
        work.save_checkpoint(1, keep)
    elif how_far == "done":
        work.finish({}, None)
    other = WorkFolder(tmp_path, REQUEST | {"stride": 2})
    with pytest.raises(InputError, match="holds something else than results of this command"):
        other.begin()
    assert work.label_file(0).read_text() == "theirs"
    assert other.begin(overwrite=True) == "new"
    assert not work.label_file(0).exists()


def test_files_of_others_are_kept_where_results_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="choose another folder, or pass --overwrite"):
        WorkFolder(tmp_path, REQUEST).begin()
    WorkFolder(tmp_path, REQUEST).begin(overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        WorkFolder(tmp_path / "file" / "out", REQUEST).begin()


def test_a_report_of_something_else_is_no_result(tmp_path: Path) -> None:
    for content in (json.dumps({"request": 1}), "no json", "[]"):
        (tmp_path / "report.json").write_text(content)
        with pytest.raises(InputError, match="holds something else"):
            WorkFolder(tmp_path, REQUEST).begin()


def test_a_checkpoint_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path, REQUEST)
    work.begin()
    work.save_checkpoint(1, keep)

    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        raise InputError("full")

    with pytest.raises(InputError, match="full"):
        work.save_checkpoint(2, fail)
    assert (work.checkpoint() / "state").read_text() == "kept"
    work.save_checkpoint(3, keep)
    assert [path.name for path in work.checkpoint().iterdir()] == ["state"]
