"""The reference of the API: docstrings as a site shows them (an extension of Griffe)."""

import re
from typing import Any

import griffe
from latex2mathml.converter import convert

from tools.rooms import ROOT

_FORMULA = re.compile(r"^([ ]*)\.\. math::[ ]*\n?((?:[^\n]*\S[^\n]*\n?)+)", re.M)
_IN_TEXT = re.compile(r":math:`([^`]+)`")
_LETTERS = re.compile(r"(?:<mi>[A-Za-z]</mi>){3,}")


def mathml(latex: str, *, block: bool = True) -> str:
    """A formula as MathML, which browsers show without a program, on a line of its own or in text.

    Raises:
        ValueError: it has a command that is not understood.
    """
    display = "block" if block else "inline"
    shown = convert(latex.replace(r"\arg", r"\operatorname{arg}"), display=display)
    shown = re.sub(' xmlns="[^"]*"', "", shown)
    if "\\" in shown:
        raise ValueError(f"the formula {latex} has a command that cannot be shown.")
    # Three letters in a row are a name here, such as `warp`, and no product.
    return _LETTERS.sub(lambda word: f"<mi>{re.sub('<.*?>', '', word[0])}</mi>", shown)


def with_formulas(docstring: str) -> str:
    """A docstring whose formulas, `.. math::` and those in the text, are MathML."""

    def shown(formula: re.Match[str]) -> str:
        # Of an indented formula the block has the depth of what is around it.
        latex = " ".join(formula[2].split())
        return f'{formula[1]}<div class="formula">{mathml(latex)}</div>\n'

    def shown_in_text(formula: re.Match[str]) -> str:
        # Markdown would take a bare one at the beginning of a line for a block.
        return f"<span>{mathml(formula[1], block=False)}</span>"

    return _FORMULA.sub(shown, _IN_TEXT.sub(shown_in_text, docstring))


class Shown(griffe.Extension):
    """Formulas as MathML; the folder `adapters/` where it is installed."""

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **_: Any) -> None:
        """Put the adapters into the library, as `pyproject.toml` does."""
        if pkg.name == "ditta_adapt":
            found = griffe.GriffeLoader(search_paths=[ROOT], extensions=loader.extensions)
            adapters = found.load("adapters")
            if isinstance(adapters, griffe.Module):
                pkg.set_member("adapters", adapters)

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Convert what a docstring holds beside plain sections."""
        if obj.docstring is not None:
            # Of the two words only this one is known as that of a section.
            text = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")
            obj.docstring.value = with_formulas(text)
