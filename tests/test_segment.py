"""Whole videos at once: `segment` and `predict`."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from ditta_adapt import AdaptConfig, Frame, InputError, wrap
from tests.labelled import labels_of, same
from tests.toys import toy_segmenter, toy_video

RAW = AdaptConfig(safety=None, look=None)


class TestSegment:
    def test_labels_every_frame_like_adapt_then_stream(self) -> None:
        frames = toy_video(6)
        model = wrap(toy_segmenter(), config=RAW)
        produced = list(model.segment(iter(frames), warmup=3))
        reference = wrap(toy_segmenter(), config=RAW)
        reference.adapt(frames[:3])
        reference.clear_memory()
        assert same(produced, labels_of(reference, frames))

    @pytest.mark.parametrize(
        ("share", "num_frames", "expected"),
        [(0.1, 71, 7), (0.25, 71, 17), (0.5, 71, 35), (0.1, 9, 1), (1.0, 3, 3), (0.1, 50, 5)],
    )
    def test_share_follows_the_published_rule(
        self, share: float, num_frames: int, expected: int
    ) -> None:
        frames = [toy_video(1, size=(16, 16))[0]] * num_frames
        model = wrap(toy_segmenter(), config=RAW)
        next(model.segment(frames, warmup=share))
        assert model.report is not None
        assert model.report.num_frames == expected

    def test_reads_no_further_than_it_must(self) -> None:
        taken: list[int] = []

        def camera() -> Iterator[np.ndarray]:
            for t, frame in enumerate(toy_video(10)):
                taken.append(t)
                yield frame

        stream = wrap(toy_segmenter(), config=RAW).segment(camera(), warmup=4)
        assert taken == []
        next(stream)
        assert taken == [0, 1, 2, 3]
        for _ in range(4):
            next(stream)
        assert taken == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("kind", ["numpy", "torch"])
    def test_camera_that_reuses_its_buffer(self, kind: str) -> None:
        frames = toy_video(6)

        def camera() -> Iterator[Frame]:
            array = np.empty_like(frames[0])
            buffer = array if kind == "numpy" else torch.from_numpy(array)
            for frame in frames:
                array[:] = frame
                yield buffer

        expected = list(wrap(toy_segmenter(), config=RAW).segment(frames, warmup=3))
        assert same(list(wrap(toy_segmenter(), config=RAW).segment(camera(), warmup=3)), expected)
        model, reference = wrap(toy_segmenter(), config=RAW), wrap(toy_segmenter(), config=RAW)
        assert model.adapt(camera()).losses == reference.adapt(frames).losses

    def test_generator_that_ends_early(self) -> None:
        model = wrap(toy_segmenter(), config=RAW)
        assert len(list(model.segment(iter(toy_video(3)), warmup=8))) == 3
        assert model.report is not None
        assert model.report.num_frames == 3

    def test_without_warmup_it_is_the_image_model(self) -> None:
        frames = toy_video(3)
        model = wrap(toy_segmenter(), config=RAW)
        assert same(
            list(model.segment(frames, warmup=0)),
            labels_of(wrap(toy_segmenter(), config=RAW), frames),
        )

    def test_generator_that_raises_leaves_the_adapted_model_usable(self) -> None:
        frames = toy_video(5)

        def broken() -> Iterator[np.ndarray]:
            yield from frames[:4]
            raise OSError("camera unplugged")

        model = wrap(toy_segmenter(), config=RAW)
        stream = model.segment(broken(), warmup=3)
        with pytest.raises(OSError, match="unplugged"):
            list(stream)
        assert model.report is not None
        assert model(frames[4]).shape == frames[4].shape[:2]

    @pytest.mark.parametrize("warmup", [-1, 0.0, 1.5, True, float("nan")])
    def test_wrong_warmup(self, warmup: float) -> None:
        with pytest.raises(InputError, match="warmup"):
            wrap(toy_segmenter(), config=RAW).segment(toy_video(2), warmup=warmup)

    def test_share_needs_a_length(self) -> None:
        with pytest.raises(InputError, match="length"):
            wrap(toy_segmenter(), config=RAW).segment(iter(toy_video(2)), warmup=0.5)

    def test_no_frames(self) -> None:
        with pytest.raises(InputError, match="no frames"):
            next(wrap(toy_segmenter(), config=RAW).segment([]))
