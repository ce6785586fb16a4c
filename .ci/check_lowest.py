"""What is installed is, for every requirement of pyproject.toml, the lowest version it allows."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
lists = [project["dependencies"], *project["optional-dependencies"].values()]
requirements = {Requirement(line) for each in lists for line in each}

# In an environment of its own, whose version is the lowest one.
pinned = dict(
    re.findall(r"^(\w+)==(.+)$", Path("tests/ray/requirements.txt").read_text("utf-8"), re.M)
)

count = 0
for requirement in sorted(requirements, key=str):
    if requirement.name == project["name"]:
        continue
    bounds = [each.version for each in requirement.specifier if each.operator == ">="]
    assert len(bounds) == 1, f"{requirement} has no lower bound"
    found = pinned["ray"] if requirement.name == "ray" else version(requirement.name)
    # 4.8.0.76 is the first of 4.8.
    assert SpecifierSet(f"=={bounds[0]}.*").contains(found), (
        f"{requirement.name} {found} is installed, but pyproject.toml says {requirement}"
    )
    count += 1
print(f"lowest: {count} requirements at their lower bounds")
