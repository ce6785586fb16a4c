"""How far a batch is, as metrics of Ray, which Prometheus reads."""

from typing import Any

from ditta_adapt.batch.engine import Answer
from ditta_adapt.batch.standing import Standing, Watch
from ditta_adapt.batch.work import Task
from ditta_adapt.io.optional import require

_SECONDS = [1, 3, 10, 30, 100, 300, 1000, 3000, 10000]


class RayMetrics:
    """Counts what another watch sees, too; see `Watch`.

    Ray exports them where it exports its own, each name with `ray_` before it:
    `ditta_batch_videos_total` by status, `ditta_batch_frames_total`,
    `ditta_batch_failed_attempts_total`, `ditta_batch_video_seconds`, `ditta_batch_running` and
    `ditta_batch_unfinished`.

    Args:
        watch: that is called first.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        metrics: Any = require("ray.util.metrics")
        self._videos = metrics.Counter(
            "ditta_batch_videos", "Videos that are finished.", tag_keys=("status",)
        )
        self._frames = metrics.Counter("ditta_batch_frames", "Frames that were labelled.")
        self._failures = metrics.Counter("ditta_batch_failed_attempts", "Attempts that failed.")
        self._seconds = metrics.Histogram(
            "ditta_batch_video_seconds", "Wall time of a video.", boundaries=_SECONDS
        )
        self._running = metrics.Gauge("ditta_batch_running", "Videos under way.")
        self._unfinished = metrics.Gauge("ditta_batch_unfinished", "Videos that are not finished.")

    def __call__(self, standing: Standing, task: Task | None, answer: Answer | None) -> None:
        """An answer came, or a second passed."""
        self._watch(standing, task, answer)
        self._running.set(standing.running)
        self._unfinished.set(standing.total - len(standing.answers))
        if task is None or answer is None:
            return
        if answer.kind in ("failed", "lost"):
            self._failures.inc()
        if (last := standing.answers.get(task.name)) is not None:
            self._videos.inc(tags={"status": last.kind.replace(" ", "_")})
        if answer.kind == "done" and "frames" in answer.row:
            if answer.row["frames"] > 0:
                self._frames.inc(answer.row["frames"])
            self._seconds.observe(answer.row["seconds"])
