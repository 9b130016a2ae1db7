"""The first page of a PDF as pixels, within limits. Runs hostile input: for the limited process."""

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pypdfium2 as pdfium
from numpy.typing import NDArray

from server.media.seen import Unreadable
from server.media.sniffing import PDF

MOST_PAGES = 50
"""R1: a receipt is short; a book is none."""
LONGEST = 1600
"""Pixels on the longer side of what is drawn."""
FINEST = 4.0
"""Pixels per point at most, so that a tiny page is not blown up."""
PASSWORD_WANTED = 4
"""``FPDF_ERR_PASSWORD`` (fpdfview.h)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The first page: height x width x 3 (RGB), and how many pages there are."""

    pixels: NDArray[np.uint8]
    pages: int


def read_page(file: BinaryIO) -> Page | Unreadable:
    """Draws the first page. Raises whatever the library raises on a broken file."""
    try:
        document = pdfium.PdfDocument(file)
    except pdfium.PdfiumError as error:
        locked = getattr(error, "err_code", None) == PASSWORD_WANTED
        if locked:
            return Unreadable(content="unsupported", reason="locked", type=PDF)
        return Unreadable(content="damaged", reason="broken", type=PDF)
    with document:
        if not 1 <= len(document) <= MOST_PAGES:
            return Unreadable(content="unsupported", reason="too_many_pages", type=PDF)
        return Page(pixels=_draw(document[0]), pages=len(document))


def _draw(page: pdfium.PdfPage) -> NDArray[np.uint8]:
    longest = max(*page.get_size(), 1.0)
    bitmap = page.render(scale=min(LONGEST / longest, FINEST), rev_byteorder=True)
    return np.asarray(bitmap.to_numpy(), dtype=np.uint8)[:, :, :3].copy()
