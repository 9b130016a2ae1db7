"""Progress of a sync on a terminal, where rich is installed (extra ``cli``)."""

from fieldstamp._client import SyncRun

try:
    from rich.console import Console
    from rich.progress import Progress
except ImportError:
    Progress = None  # type: ignore[assignment,misc]


def show(run: SyncRun, *, shown: bool) -> None:
    """Runs a sync to its end, with a bar for its phase where ``shown``."""
    if Progress is None or not shown:
        run.run()
        return
    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("", total=None)
        for step in run:
            done, total = (
                (step.bytes_done, step.bytes_total)
                if step.bytes_total
                else (step.done, step.total or None)
            )
            bars.update(bar, description=step.phase, completed=done, total=total)
