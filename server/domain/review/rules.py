"""States of a reviewed record and who must act in each. Pure."""

from collections.abc import Iterable, Mapping

from server.casework.items import OpenItem, Waits
from server.casework.terms import open_item
from server.clock import from_wire
from server.domain.positions import with_flags
from server.people.principal import Role
from server.policy import Policy, Term
from server.sync.kinds import Change, Data, FieldErrors
from server.values import replace

SUBMITTED = "submitted"
RETURNED = "returned"
ACCEPTED = "accepted"
REJECTED = "rejected"


def is_newly_decided(change: Change) -> bool:
    """Whether this change is a decision, or takes one back."""
    before = change.before or {}
    return any(change.after.get(name) != before.get(name) for name in ("verdict", "decided_at"))


def is_taken_back(was: str | None, stands: str | None) -> bool:
    """B2: an undo sets the time of deciding back, or away."""
    return stands is None or (was is not None and from_wire(stands) < from_wire(was))


def is_undone(change: Change) -> bool:
    """B2: whether this change takes a decision back."""
    was, stands = ((data or {}).get("decided_at") for data in (change.before, change.after))
    return was != stands and is_taken_back(was, stands)


def next_state(change: Change) -> str:
    """B2: a decision sets the state; what a device then mends or changes is handed in again.

    A decision taken back leaves the record waiting for one, whatever stood before it.
    """
    if change.before is None:
        return SUBMITTED
    if is_newly_decided(change):
        return SUBMITTED if is_undone(change) else str(change.after.get("verdict", SUBMITTED))
    stands = str(change.before.get("state", SUBMITTED))
    return SUBMITTED if stands in {RETURNED, ACCEPTED} and is_edited(change) else stands


def is_decided(record: Data) -> bool:
    """Whether nothing is to be done about a record any more (it may leave the devices)."""
    return record.get("state") in {ACCEPTED, REJECTED}


def is_edited(change: Change) -> bool:
    """Whether a device changed a record that was there."""
    return change.before not in (None, change.after) and change.by.device is not None


def b2_flags(change: Change) -> set[str]:
    """B2: what a device changes after the decision is taken, flagged, and never passes unseen."""
    before = change.before or {}
    late = before.get("state") in {ACCEPTED, REJECTED} and is_edited(change)
    return {"changed_after_decision"} if late else set()


def derive_review(change: Change, found: Iterable[str] = ()) -> Data:
    """The server's fields of a reviewed record: who sent it, where it stands, what is remarkable.

    ``found`` are the flags that the kind's own rules give.
    """
    sender = change.author.user if change.before is None else change.after.get("sender")
    flags = with_flags(change.after, {*found, *b2_flags(change)})
    return {"state": next_state(change), "flags": flags} | ({"sender": sender} if sender else {})


def reopen_on_evidence(record: Data, children: tuple[Change, ...]) -> Data:
    """B1: a photo or signature added from a device to what was returned hands it in again."""
    fresh = any(child.before is None and child.by.device for child in children)
    return {"state": SUBMITTED} if fresh and record.get("state") == RETURNED else {}


def b2_reasoned(change: Change) -> FieldErrors:
    """B2: a decision names its reason, who made it and when."""
    after = change.after
    if not is_newly_decided(change) or "verdict" not in after:
        return {}
    said = {
        "verdict_reason": after.get("verdict_reason") or after.get("verdict_note"),
        "decided_by": after.get("decided_by"),
        "decided_at": after.get("decided_at"),
    }
    return {name: "required" for name, value in said.items() if not value}


def b1_items(change: Change, steps: Mapping[str, OpenItem]) -> Waits:
    """B1: a state in ``steps`` has somebody who must act; the term starts when it is entered."""
    if change.withdrawn:
        return ()
    state = str(change.after.get("state"))
    if change.before is not None and change.before.get("state") == state:
        return None
    if state not in steps:
        return ()
    item = replace(steps[state], goes_on=is_undone(change))
    return (replace(item, person=change.after.get("sender")) if item.role == Role.REP else item,)


def review_steps(policy: Policy, term: Term) -> dict[str, OpenItem]:
    """The steps of a plain review: a manager judges; what is returned waits for its sender."""
    return {
        SUBMITTED: open_item(policy, term, Role.REGION_MANAGER, "review"),
        RETURNED: open_item(policy, policy.terms.supplement_wanted, Role.REP, "mend"),
    }
