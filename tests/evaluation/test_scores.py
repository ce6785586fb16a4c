"""Scores by name: which there are, what is measured for them, and what a table says."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch

from ditta_adapt import InputError
from ditta_adapt.cli import main
from ditta_adapt.evaluation import Case, VideoResult, evaluate, pool, render
from ditta_adapt.evaluation.scores import EXTRA_NAMES, EXTRAS, USUAL, Scores
from ditta_adapt.evaluation.table import classes_to_csv
from ditta_adapt.metrics import BoundaryIoU, PseudoLabelScore, SegmentationScore, VideoConsistency
from ditta_adapt.models.private_copy import frozen_copy
from tests.evaluation.toy_dataset import LENGTH, SIZE, toy_labels, toy_plan
from tests.toys import NUM_CLASSES, toy_segmenter, toy_video

ALL = Scores(("mAcc", "mIoU", "mVC3", "mBIoU", "mBIoU-class", "mBIoU-literal", "changed"))


MORE = ("mVC32", "mBIoU", "mVC4")


def test_what_is_measured_for_them() -> None:
    assert ALL.windows == (3,)
    assert [extra.key for extra in ALL.extras] == ["mBIoU", "mBIoU-class", "mBIoU-literal"]
    some = Scores(("retained", "J", "mBIoU", "F", "PL-Warped-Acc", "TC"))
    assert [extra.key for extra in some.extras] == ["mBIoU", "J&F", "TC", "PL"]
    assert USUAL.names == ("mIoU", "wIoU", "mVC8", "mVC16")
    assert USUAL.windows == (8, 16)
    assert USUAL.extras == ()


def test_names_of_the_measures_themselves() -> None:
    assert EXTRAS["PL"].names == tuple(PseudoLabelScore(2).value())
    assert len(set(EXTRA_NAMES)) == len(EXTRA_NAMES)


@pytest.mark.parametrize("names", [("mVC1",), ("mVC",), ("miou",), ("mBIoU-x",), ("PL",), ("tc",)])
def test_unknown_names(names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=f"there is no score '{names[0]}'; expected mIoU"):
        Scores(names)


@pytest.mark.parametrize("names", [(), ("mIoU", "mIoU")])
def test_none_and_twice(names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="expected some, each once"):
        Scores(names)


def test_the_measures_themselves_give_the_same(tmp_path: Path) -> None:
    plan = toy_plan(methods=["image-model"], warmups=[0], scores=ALL)
    (row,) = pool(evaluate(plan, tmp_path), ALL)
    assert list(row.scores) == list(ALL.names)
    model = frozen_copy(toy_segmenter())
    accuracy = SegmentationScore(NUM_CLASSES)
    windows = VideoConsistency(3)
    along = [
        BoundaryIoU(NUM_CLASSES),
        BoundaryIoU(NUM_CLASSES, per_class=True),
        BoundaryIoU(NUM_CLASSES, literal=True),
    ]
    for seed in range(2):
        frames = np.stack(toy_video(LENGTH, SIZE, seed))
        images = torch.from_numpy(frames).permute(0, 3, 1, 2)
        with torch.no_grad():
            logits = torch.cat(
                [model.decode(model.encode(model.preprocess(each[None]))).logits for each in images]
            )
        full = torch.nn.functional.interpolate(logits, SIZE, mode="bilinear", align_corners=False)
        shown, true = full.argmax(dim=1), toy_labels(seed)
        for prediction, target in zip(shown, true, strict=True):
            accuracy.update(prediction, target)
            for measure in along:
                measure.update(prediction, target)
        windows.add_video(list(shown), true)
    expected = [accuracy.mean_accuracy(), accuracy.miou(), windows.value()]
    expected += [measure.value() for measure in along]
    assert list(row.scores.values())[:-1] == pytest.approx(expected)
    head = render([row], markdown=True, changed=True).splitlines()[0]
    assert [cell.partition(" @")[0] for cell in head.split(" | ")][2:] == list(ALL.names)
    assert "changed" not in render([row])


def test_more_scores_want_results_of_their_own(tmp_path: Path) -> None:
    evaluate(toy_plan(), tmp_path)
    # Of what is measured anyway, any table can be made.
    evaluate(toy_plan(scores=Scores(("mVC16", "mAcc"))), tmp_path)
    with pytest.raises(InputError, match=r"other settings|another run"):
        evaluate(toy_plan(scores=Scores(("mBIoU",))), tmp_path)
    # In any order.
    settings = [toy_plan(scores=Scores(names)).settings() for names in (MORE, MORE[::-1])]
    assert settings[0] == settings[1]


def test_classes_by_hand() -> None:
    case = Case("image-model", "10%", "", "a")
    # The third class is one without counterpart.
    result = VideoResult(case, confusion=torch.tensor([[3, 1, 0], [0, 2, 2], [0, 0, 0]]))
    lines = list(csv.DictReader(io.StringIO(classes_to_csv([result], ["road", "sky"]))))
    assert [(line["class"], line["name"], line["pixels"]) for line in lines] == [
        ("0", "road", "4"),
        ("1", "sky", "4"),
    ]
    assert [float(line["iou"]) for line in lines] == [3 / 4, 2 / 5]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["eval", "--dataset", "demo", "--root", ".", "--limit", "1", "--model", "demo"]
    command += ["--methods", "image-model", "--warmup", "95%", "--out", str(tmp_path / "out")]
    assert main([*command, "--metrics", "mBIoU", "mVC2", "changed"]) == 0
    shown = capsys.readouterr().out
    assert all(f"{name} @95%" in shown for name in ("mBIoU", "mVC2", "changed"))
    assert "mIoU @95%" not in shown
    lines = (tmp_path / "out" / "classes.csv").read_text("utf-8").splitlines()
    assert len(lines) == 1 + 9
    assert main([*command, "--metrics", "mTC"]) == 2
    assert "there is no score 'mTC'" in capsys.readouterr().err
