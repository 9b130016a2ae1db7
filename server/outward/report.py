"""What the command says of hooks and of events that wait, in plain words."""

from server.outward.hooks import Added, Standing
from server.outward.queries import Held


def say_added(added: Added) -> str:
    """The only time that secret and token are shown."""
    return (
        f"hook    {added.id}\nsecret  {added.secret}\ntoken   {added.token}\n"
        "Keep secret and token: they are not shown again."
    )


def say_hook(hook: Standing) -> str:
    """One line for a hook and one for what it asked for."""
    state = f"stopped {hook.stopped_at:%Y-%m-%d %H:%M}" if hook.stopped_at else "active"
    wanted = " ".join([*(hook.types or ("all types",)), *(hook.kinds or ("all kinds",))])
    counts = f"{hook.waiting} on their way, {hook.given_up} given up"
    last = f", last answer: {hook.last}" if hook.last else ""
    return f"{hook.id}  {state}  {hook.url}\n  {wanted}; {counts}{last}"


def say_held(held: Held) -> str:
    """P8: an event that waits and why."""
    why = ", ".join(held.waits_for) or "its time, or an earlier event"
    return f"{held.type}  {held.record}  {held.at}  waits for {why}"
