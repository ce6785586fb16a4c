"""Names of folders of results: one component of a path, which cannot leave the output folder."""

import unicodedata

from ditta_adapt.errors import InputError

PRIVATE = ".ditta-batch"
"""The folder in which what is under way lies, beside the results."""

_LONGEST = 200


def check_name(name: str) -> str:
    """The name itself, if results can be written under it.

    Raises:
        InputError: it is empty, hidden, too long, or is more than one component of a path.
    """
    wrong = ""
    if not name.strip() or name != name.strip():
        wrong = "it is empty, or begins or ends with a blank"
    elif name.startswith("."):
        wrong = "it begins with a dot"
    elif any(sign in name for sign in "/\\:"):
        wrong = "it has a / or \\ or :, and results stay in the output folder"
    elif any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in name):
        wrong = "it has a character that cannot be seen"
    elif name.endswith((".html", ".parquet")):
        wrong = "files beside the results are called like that"
    elif len(name.encode()) > _LONGEST:
        wrong = f"it is longer than {_LONGEST} bytes"
    if wrong:
        raise InputError(
            f"{name!r} cannot name a folder of results: {wrong}. Expected such as clip-7."
        )
    return name


def safe_name(text: str) -> str:
    """A name made of any text, of a path say: other signs become `-`, and it is cut if too long.

    Raises:
        InputError: nothing is left of it.
    """
    kept = "".join(
        sign if sign.isalnum() or sign in "._-+ ()[]" else "-"
        for sign in unicodedata.normalize("NFC", text)
    )
    short = kept.strip(" .-").encode()[:_LONGEST].decode(errors="ignore")
    return check_name(short.rstrip(" .-"))
