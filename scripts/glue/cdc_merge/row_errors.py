"""What is said of a row that does not belong where it stands: always file and line."""

from __future__ import annotations

from .errors import CdcError


def wrong_width(file: str, line: int, found: int, expected: int) -> CdcError:
    return CdcError(
        "file.width",
        f"reading {file}, line {line}: {found} field{'' if found == 1 else 's'}, expected {expected}",
        "the file is cut, or belongs to another table; nothing of it was applied",
    )


def wrong_op(file: str, line: int, text: str) -> CdcError:
    return CdcError("file.op", f'reading {file}, line {line}: Op is "{shorten(text)}", expected I, U or D')


def shorten(text: str, length: int = 60) -> str:
    """A value in an error message. Lengths count UTF-16 units, as the TypeScript engine does."""
    units = text.encode("utf-16-le", "surrogatepass")
    return text if len(units) <= 2 * length else units[: 2 * length].decode("utf-16-le", "replace") + "…"
