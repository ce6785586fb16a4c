"""What another video model holds of its own."""

from benchmarks.second_stream import own_bytes
from ditta_adapt import AdaptConfig, SelfLabels, wrap
from tests.toys import toy_segmenter, toy_video


def test_own_bytes_by_hand() -> None:
    segmenter = toy_segmenter()
    net, decoder = segmenter.model, segmenter.model.decoder
    config = AdaptConfig(targets=SelfLabels(), memory=None, safety=None)
    model = wrap(segmenter, config=config)
    buffers = sum(buffer.nbytes for buffer in net.buffers())
    assert own_bytes([model], net) == buffers
    assert model.adapt(toy_video(3)).adapted
    weights = sum(parameter.nbytes for parameter in decoder.parameters())
    # Of the adapted model and of the pre-trained one that it may fall back to.
    assert own_bytes([model], net) == 2 * buffers + weights
    assert own_bytes([model, wrap(segmenter)], net) == 3 * buffers + weights
