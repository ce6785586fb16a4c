"""What is installed is, for every requirement of pyproject.toml, the lowest version it allows."""

import tomllib
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
lists = [project["dependencies"], *project["optional-dependencies"].values()]
requirements = {Requirement(line) for each in lists for line in each}

count = 0
for requirement in sorted(requirements, key=str):
    if requirement.name == project["name"]:
        continue
    bounds = [each.version for each in requirement.specifier if each.operator == ">="]
    assert len(bounds) == 1, f"{requirement} has no lower bound"
    found = version(requirement.name)
    # 4.8.0.76 is the first of 4.8.
    assert SpecifierSet(f"=={bounds[0]}.*").contains(found), (
        f"{requirement.name} {found} is installed, but pyproject.toml says {requirement}"
    )
    count += 1
print(f"lowest: {count} requirements at their lower bounds")
