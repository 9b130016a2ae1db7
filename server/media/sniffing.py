"""Media type of a file from its first bytes, by an allow-list. Pure; believes no name or claim.

Signatures: JPEG (ITU-T T.81 B.1.1), PNG (RFC 2083, 3.1), WebP (RFC 9649, 2.4), PDF (ISO 32000-1,
7.5.2), ISO base media brands (ISO/IEC 14496-12, 4.3; registered at mp4ra.org).
"""

START_BYTES = 64
"""How much of a file :func:`sniff` wants to see."""

JPEG, PNG, WEBP, HEIC = "image/jpeg", "image/png", "image/webp", "image/heic"
PDF = "application/pdf"
OPAQUE = frozenset({"video/mp4", "audio/mp4", "video/3gpp"})
"""Kept and named, never decoded."""
PICTURES = frozenset({JPEG, PNG, WEBP, HEIC})

BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"mif1"), HEIC),
    **dict.fromkeys((b"isom", b"iso2", b"iso4", b"iso5", b"iso6"), "video/mp4"),
    **dict.fromkeys((b"mp41", b"mp42", b"avc1", b"M4V ", b"MSNV", b"dash"), "video/mp4"),
    **dict.fromkeys((b"M4A ", b"M4B "), "audio/mp4"),
    **dict.fromkeys((b"3gp4", b"3gp5", b"3gp6", b"3gp7", b"3gr6", b"3gs6", b"3ge6"), "video/3gpp"),
}
ELSEWHERE = frozenset({b"avif", b"avis", b"qt  "})
"""Brands of formats that are not on the list and name one that is as compatible."""


def sniff(start: bytes) -> str | None:
    """The type of a file that begins with ``start``; None for whatever is not on the list."""
    if start.startswith(b"\xff\xd8\xff"):
        return JPEG
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return WEBP
    if start.startswith(b"%PDF-"):
        return PDF
    return _sniff_brand(start) if start[4:8] == b"ftyp" else None


def _sniff_brand(start: bytes) -> str | None:
    """By the major brand, else by the first compatible one that is known."""
    size = int.from_bytes(start[:4])
    further = [start[at : at + 4] for at in range(16, min(size, len(start)), 4)]
    brands = [start[8:12], *further]
    if ELSEWHERE & set(brands):
        return None
    return next((BRANDS[brand] for brand in brands if brand in BRANDS), None)
