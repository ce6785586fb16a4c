"""The command `ditta-adapt batch`: many videos, each as `ditta-adapt run` labels it."""

import argparse
import os
import sys
import time
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

from ditta_adapt.batch.driver import Limits, run_batch
from ditta_adapt.batch.engines import (
    ENGINES,
    add_engine_options,
    check_engine_options,
    open_engine,
)
from ditta_adapt.batch.labelling import LabelVideos, task_of
from ditta_adapt.batch.manifest import Entry, options_of, read_manifest, shard
from ditta_adapt.batch.metrics import RayMetrics
from ditta_adapt.batch.place import Place
from ditta_adapt.batch.progress import BatchProgress
from ditta_adapt.batch.standing import Standing, Watch
from ditta_adapt.batch.summary import (
    ASIDE,
    Row,
    by_concern,
    render_summary,
    rows_of,
    steadiness,
    to_parquet,
)
from ditta_adapt.batch.work import Task
from ditta_adapt.errors import DittaError
from ditta_adapt.io.factories import importable_folder
from ditta_adapt.io.files import check_output_folder, make_folder, write_files
from ditta_adapt.io.optional import require
from ditta_adapt.reporting.overview import OverviewRow, render_overview
from ditta_adapt.running.command import INTERRUPTED
from ditta_adapt.running.options import (
    add_model_options,
    add_video_options,
    check_model_options,
    own_options,
    request_of,
)
from ditta_adapt.running.stopping import stop_on_signals


def add_parser(subparsers: Any) -> None:
    """Add the command to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "batch",
        help="label many videos, on one machine or a cluster",
        description="Label many videos, each as `ditta-adapt run` does, in a folder of its own. "
        "What is done is not done again: the same command goes on, and redoes what changed. "
        "Writes results.parquet and overview.html, too. A model or propagator given as "
        "package.module:factory runs the code of that package in every worker. Exit status 1 if a "
        "video was set aside, 130 if the batch was stopped.",
    )
    parser.add_argument(
        "videos",
        nargs="+",
        help="a manifest (.csv or .jsonl with a column `video`), a pattern such as "
        "'clips/*/*.mp4', videos, or addresses such as s3://bucket/*.mp4",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of all results")
    add_model_options(parser)
    add_video_options(parser)
    parser.add_argument("--engine", choices=ENGINES, default="local", help="what schedules workers")
    add_engine_options(parser)
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="label every N-th video from the I-th on, counted from 0; for arrays of jobs",
    )
    parser.add_argument("--retry", action="store_true", help="try again what was set aside before")
    parser.add_argument("--quiet", action="store_true", help="print failures only")


def run(options: argparse.Namespace) -> int:
    """Label the videos, print a summary, and write results and overview.

    Returns:
        The exit status: 0; 1 if a video was set aside, or if nothing more can be done now; 130 if
        it was stopped.

    Raises:
        DittaError: something named on the command line or in a manifest cannot be found or used.
    """
    limits = Limits(attempts=options.attempts, seconds=options.time_limit)
    check_engine_options(options)
    # Found out now rather than after hours.
    require("pyarrow")
    with importable_folder(os.getcwd()):
        check_model_options(options)
    entries = read_manifest(options.videos)
    if options.shard is not None:
        entries = shard(entries, options.shard)
    common = own_options(options)
    request_of(common)
    tasks = [task_of(entry, options_of(entry, common)) for entry in entries]
    check_output_folder(options.out)
    make_folder(options.out)
    if options.retry:
        for entry in entries:
            Place(options.out, entry.name).forget_troubles()
    start = time.monotonic()
    engine, workers = open_engine(LabelVideos(common), options.out, options)
    progress = BatchProgress(quiet=options.quiet)
    watch: Watch = RayMetrics(progress) if options.engine == "ray" else progress
    with stop_on_signals() as stop:
        try:
            standing = run_batch(
                tasks,
                engine,
                options.out,
                workers=workers,
                limits=limits,
                stop=stop,
                watch=watch,
            )
        finally:
            progress.close()
    seconds = time.monotonic() - start
    return _finish(entries, tasks, standing, options, seconds, min(workers, len(tasks)))


def _finish(
    entries: Sequence[Entry],
    tasks: Sequence[Task],
    standing: Standing,
    options: argparse.Namespace,
    seconds: float,
    workers: int,
) -> int:
    rows = rows_of(entries, standing)
    summary = render_summary(rows, seconds, workers)
    part = "" if options.shard is None else f"-{options.shard.replace('/', '-of-')}"
    pages = {task.name for task in tasks if not task.payload.options.no_report}
    overview = render_overview(options.out.absolute().name, summary, _overview_rows(rows, pages))
    files: dict[Path, str | bytes] = {
        options.out / f"results{part}.parquet": to_parquet(rows),
        options.out / f"overview{part}.html": overview,
    }
    if standing.halted:
        print(f"ditta-adapt: {standing.halted}; the same command goes on.", file=sys.stderr)
    try:
        write_files(files)
    except DittaError:
        # A disk that is full has been spoken of.
        if not standing.halted:
            raise
    if not options.quiet:
        print(summary)
    if not standing.complete and not standing.halted:
        return INTERRUPTED
    return 1 if standing.halted or any(row["status"] in ASIDE for row in rows) else 0


def _overview_rows(rows: Sequence[Row], pages: Set[str]) -> list[OverviewRow]:
    return [
        OverviewRow(
            name=row["name"],
            status=row["status"],
            concern="" if concern is None else concern.text,
            frames=row.get("frames"),
            seconds=row.get("seconds"),
            before=steady[0],
            after=steady[1],
            page="frames" in row and row["name"] in pages,
        )
        for row, concern in by_concern(rows)
        for steady in [steadiness(row) or (None, None)]
    ]
