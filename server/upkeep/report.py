"""What backup, restore and verify say to the administrator. Words only."""

from server.media.garbage import Garbage
from server.sync.findings import DERIVED, MEANINGS, Finding
from server.upkeep.manifest import Manifest
from server.upkeep.replay import Replayed

COMES = "What devices sent comes again by itself."
REDO = (
    "What the office did after that is not in it and must be done again: decisions, people,"
    f" roles, regions, devices. {COMES}"
)


def say_manifest(manifest: Manifest) -> str:
    """What is in a backup, and what it lacks."""
    counts = manifest.counts
    lines = [
        f"Backup of {manifest.made_at}, {manifest.database}, epoch {manifest.epoch}.",
        f"{counts.get('record', 0)} records, {counts.get('mutation', 0)} mutations,"
        f" {counts.get('blob', 0)} photos; {manifest.files} files, {manifest.bytes} bytes.",
    ]
    if manifest.resting:
        lines.append(f"{manifest.resting} photos rest in the bucket and are not in the backup.")
    lines += [f"MISSING photo {name}: its bytes are not on the disk." for name in manifest.missing]
    return "\n".join(lines)


def say_restored(manifest: Manifest, replayed: Replayed, *, journal: bool) -> str:
    """How far the store goes now, and what a person has to do; ``journal``: there was one."""
    if manifest.database == "postgresql":
        return f"Restored as of {manifest.made_at}. {REDO}"
    if journal and not replayed.lines:
        return f"Restored as of {manifest.made_at}. The journal has nothing after that. {COMES}"
    if not replayed.lines:
        return f"Restored as of {manifest.made_at}; there was no journal to take in. {REDO}"
    decided = ", ".join(f"{n} {outcome}" for outcome, n in sorted(replayed.decisions.items()))
    return (
        f"Restored as of {manifest.made_at}, and taken in from the journal: {replayed.span},"
        f" {replayed.rows} changes of people, regions and devices,"
        f" decisions: {decided or 'none'}."
    )


WHAT = {
    "originals": "original without a row",
    "pictures": "picture without a row",
    "copies": "copy of an original that rests in the bucket",
    "leftovers": "unfinished file",
}


def say_garbage(found: Garbage, *, dry_run: bool) -> str:
    """What it is, how large, since when, and what becomes of it."""
    done = "would be removed" if dry_run else "removed"
    fate = done if found.removed else "kept"
    return f"{found.name} {found.bytes} bytes, {WHAT[found.what]}, since {found.since:%F}: {fate}"


def say_finding(found: Finding) -> str:
    """Which record it is, what that means, and whether it was mended or can be."""
    detail = f" ({found.detail})" if found.detail else ""
    can = "" if found.mended or found.what not in DERIVED else "; --repair makes it again"
    done = " MENDED" if found.mended else ""
    return f"{found.about}{done}: {MEANINGS[found.what]}{detail}{can}"


def say_verdict(left: int) -> str:
    """The last line."""
    return f"{left} disagreements." if left else "Everything agrees."
