"""Files for clusters are of a right syntax, and give the command what it takes."""

import argparse
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ditta_adapt.batch.command import add_parser
from ditta_adapt.batch.engines import check_engine_options

FOLDER = Path(__file__).parents[2] / "examples" / "cluster"


def parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return parser.parse_args(words)


def commands(text: str) -> list[list[str]]:
    """The words behind `ditta-adapt` in a script, with numbers for what a shell fills in."""
    whole = re.sub(r"\\\n(#\s)?", " ", text)
    found = re.findall(r"ditta-adapt (batch .+)", whole)
    # The last quote may be of what the whole command is quoted in.
    found = [each[:-1] if each.count('"') % 2 else each for each in found]
    filled = [re.sub(r"\$\(\(.*?\)\)|\$\{.*?\}", "7", each) for each in found]
    return [shlex.split(each) for each in filled]


@pytest.mark.parametrize("name", ["slurm_array.sh", "slurm_ray.sh"])
def test_slurm(name: str) -> None:
    path = FOLDER / name
    subprocess.run(["bash", "-n", str(path)], check=True)
    text = path.read_text("utf-8")
    assert text.startswith("#!/usr/bin/env bash\n")
    # Options of Slurm are read up to the first command.
    assert text.rindex("#SBATCH") < text.index("set -euo pipefail")
    (words,) = commands(text)
    options = parsed(words)
    assert options.out == Path("7")
    if name == "slurm_array.sh":
        assert options.shard == "7/7"
        check_engine_options(options)
    else:
        assert (options.engine, options.workers, options.device) == ("ray", 7, "cuda")


def test_kubernetes() -> None:
    job: dict[str, Any] = yaml.safe_load((FOLDER / "kubernetes_job.yaml").read_text("utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec = job["spec"]
    assert spec["completionMode"] == "Indexed"
    (container,) = spec["template"]["spec"]["containers"]
    program, *command = container["command"]
    assert program == "ditta-adapt"
    options = parsed([*command, *container["args"]])
    assert options.shard == f"$(JOB_COMPLETION_INDEX)/{spec['completions']}"
    (mount,), (volume,) = container["volumeMounts"], spec["template"]["spec"]["volumes"]
    assert mount["name"] == volume["name"]
    assert str(options.out).startswith(mount["mountPath"])
    # A policy of failures is for pods that are not started again in place.
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert spec["podFailurePolicy"]["rules"][0]["onExitCodes"]["containerName"] == container["name"]


def test_ray() -> None:
    text = (FOLDER / "ray_cluster.yaml").read_text("utf-8")
    config: dict[str, Any] = yaml.safe_load(text)
    assert config["head_node_type"] in config["available_node_types"]
    (words,) = commands(text)
    options = parsed(words)
    assert (options.engine, options.workers) == ("ray", config["max_workers"])


def test_every_file_is_in_the_page() -> None:
    named = set(re.findall(r"\]\((.+?)\)", (FOLDER / "README.md").read_text("utf-8")))
    assert named == {path.name for path in FOLDER.iterdir()} - {"README.md"}
