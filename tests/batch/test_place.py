"""Results are complete or not there, whoever dies when."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ditta_adapt.batch.place import MARKER, Place, key_of
from ditta_adapt.batch.worker import failure
from ditta_adapt.errors import InputError

IDENTITY = {"video": "clip.mp4", "threads": 1}
KEY = key_of(IDENTITY)


def begun(out: Path, content: str = "labels") -> Place:
    place = Place(out, "clip")
    with place.claimed() as mine:
        assert mine
    (place.begin(KEY) / "labels.txt").write_text(content)
    return place


def test_results_take_their_place_at_once(tmp_path: Path) -> None:
    place = begun(tmp_path)
    assert not (tmp_path / "clip").exists()
    assert place.row(KEY) is None
    place.commit(KEY, IDENTITY, {"frames": 3})
    assert place.row(KEY) == {"frames": 3}
    assert place.row(key_of({"video": "clip.mp4", "threads": 2})) is None
    assert sorted(path.name for path in (tmp_path / "clip").iterdir()) == [MARKER, "labels.txt"]
    assert not (tmp_path / ".ditta-batch" / "clip").exists()


def test_results_of_another_key_are_replaced_when_the_new_ones_are_complete(tmp_path: Path) -> None:
    begun(tmp_path).commit(KEY, IDENTITY, {"frames": 3})
    other = key_of({"video": "changed"})
    place = Place(tmp_path, "clip")
    work = place.begin(other)
    assert (tmp_path / "clip" / "labels.txt").read_text() == "labels"
    (work / "new.txt").write_text("new")
    place.commit(other, {}, {"frames": 4})
    assert place.row(other) == {"frames": 4}
    assert sorted(path.name for path in (tmp_path / "clip").iterdir()) == [MARKER, "new.txt"]


def test_killed_between_both_renamings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(tmp_path).commit(KEY, IDENTITY, {"frames": 3})
    other = key_of({"video": "changed"})
    place = Place(tmp_path, "clip")
    place.begin(other)
    rename, calls = os.rename, []

    def killed(source: Path, target: Path) -> None:
        calls.append(source)
        if len(calls) == 2:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        place.commit(other, {}, {"frames": 4})
    monkeypatch.undo()
    assert not (tmp_path / "clip").exists()
    again = Place(tmp_path, "clip")
    assert again.row(KEY) is None
    assert again.row(other) == {"frames": 4}
    assert (tmp_path / "clip" / MARKER).exists()


def test_what_was_left_is_kept_for_the_same_key_alone(tmp_path: Path) -> None:
    place = begun(tmp_path)
    assert (place.begin(KEY) / "labels.txt").exists()
    assert list(place.begin(key_of({"video": "changed"})).iterdir()) == []


def test_somebody_elses_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "holiday.jpg").write_text("mine")
    with pytest.raises(InputError, match="something else than results of a batch"):
        Place(tmp_path, "clip").begin(KEY)
    assert (tmp_path / "clip" / "holiday.jpg").read_text() == "mine"


@pytest.mark.parametrize(
    "link", ["clip", ".ditta-batch", ".ditta-batch/clip", ".ditta-batch/locks"]
)
def test_links_do_not_lead_out(tmp_path: Path, link: str) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / link).parent.mkdir(parents=True)
    (out / link).symlink_to(elsewhere)
    with (
        pytest.raises(InputError, match="is a link"),
        Place(out, "clip").claimed(),
    ):
        pass
    assert list(elsewhere.iterdir()) == []


def test_a_claim_is_that_of_one_process_and_ends_with_it(tmp_path: Path) -> None:
    program = (
        "import os, pathlib, sys\n"
        "from ditta_adapt.batch.place import Place\n"
        f"with Place(pathlib.Path({str(tmp_path)!r}), 'clip').claimed() as mine:\n"
        "    print(mine, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with Place(tmp_path, "clip").claimed() as mine:
            assert not mine
        other.kill()
        other.wait()
        with Place(tmp_path, "clip").claimed() as mine:
            assert mine


def test_troubles_are_those_of_one_key(tmp_path: Path) -> None:
    place = begun(tmp_path)
    place.add_trouble("it was dark", given_up=False)
    place.add_trouble("it is dark", given_up=True)
    troubles = place.troubles()
    assert (troubles.key, troubles.given_up) == (KEY, True)
    assert troubles.reasons == ["it was dark", "it is dark"]
    place.begin(key_of({"video": "changed"}))
    assert place.troubles().reasons == []
    place.forget_troubles()
    place.forget_troubles()


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"format": 99}', '{"format": 1}'])
def test_a_torn_marker_is_none(tmp_path: Path, content: str) -> None:
    place = begun(tmp_path)
    place.commit(KEY, IDENTITY, {})
    (tmp_path / "clip" / MARKER).write_text(content)
    assert place.row(KEY) is None


def test_the_marker_says_all_that_decides(tmp_path: Path) -> None:
    begun(tmp_path).commit(KEY, IDENTITY, {"frames": 3})
    marker = json.loads((tmp_path / "clip" / MARKER).read_text())
    assert marker == {"format": 1, "key": KEY, "identity": IDENTITY, "row": {"frames": 3}}


def test_a_trouble_is_kept_while_a_worker_that_was_ended_still_has_the_claim(
    tmp_path: Path,
) -> None:
    place = begun(tmp_path)
    with place.claimed():
        Place(tmp_path, "clip").add_trouble("it took too long", given_up=True)
    assert place.troubles().given_up


def test_a_scratch_folder_holds_results_until_they_are_complete(tmp_path: Path) -> None:
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    place = Place(out, "clip", scratch)
    work = place.begin(KEY)
    assert work.is_relative_to(scratch)
    (work / "labels").mkdir()
    (work / "labels" / "0.png").write_text("labels")
    assert (Place(out, "clip", scratch).begin(KEY) / "labels" / "0.png").exists()
    # Not that of another state of the video, nor of another output folder.
    assert list(Place(out, "clip", scratch).begin(key_of({"video": "changed"})).iterdir()) == []
    assert list(Place(tmp_path / "other", "clip", scratch).begin(KEY).iterdir()) == []
    place = Place(out, "clip", scratch)
    place.begin(KEY)
    place.commit(KEY, IDENTITY, {"frames": 3})
    assert place.row(KEY) == {"frames": 3}
    assert (out / "clip" / "labels" / "0.png").read_text() == "labels"
    assert not work.parent.exists()


def test_a_disk_that_is_full_when_results_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path / "out", "clip", tmp_path / "scratch")
    (place.begin(KEY) / "labels.txt").write_text("labels")

    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(InputError, match="No space left") as raised:
        place.commit(KEY, IDENTITY, {})
    assert failure(raised.value).kind == "full"
    assert not (tmp_path / "out" / "clip").exists()
    monkeypatch.undo()
    place.commit(KEY, IDENTITY, {})
    assert place.row(KEY) == {}
