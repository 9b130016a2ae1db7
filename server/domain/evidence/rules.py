"""What follows from a photo or a signature. Pure."""

from server.domain.positions import position_flags, with_flags
from server.people.principal import Role
from server.policy import Photos
from server.sync.kinds import Change, Data, FieldErrors

MANAGER_PARTS = {"region_manager": Role.REGION_MANAGER, "sales_manager": Role.SALES_MANAGER}


def names_its_parent(change: Change, _parent: Data | None) -> FieldErrors:
    """X2: evidence says truly under what kind of record it hangs."""
    if change.parent_kind in {None, change.after.get("parent_kind")}:
        return {}
    return {"parent_kind": "reference"}


def first_state(change: Change) -> Data:
    """M4: a record that is new has no bytes yet; only the engine of bytes says more."""
    return {"state": "declared"} if change.before is None else {}


def x2_photo_flags(photo: Data, oldest_s: int) -> set[str]:
    """X2: a photo from the gallery is allowed and flagged, like an old or mocked position."""
    gallery = {"gallery"} if photo.get("source") == "gallery" else set()
    return gallery | position_flags(photo.get("position"), oldest_s)


def photo_advice(photo: Data, limits: Photos) -> set[str]:
    """What a person may want to take again. Advice about the newest look at it, never a refusal."""
    sharpness, brightness = photo.get("sharpness"), photo.get("brightness")
    if sharpness is None or brightness is None:
        return set()
    found = {
        "blurred": sharpness < limits.least_sharpness,
        "dark": brightness < limits.dark_below,
        "too_bright": brightness > limits.bright_above,
    }
    return {name for name, is_so in found.items() if is_so}


def x3_signature_flags(change: Change) -> set[str]:
    """X3: a manager's signature sent by somebody without that role is flagged, not refused."""
    role = MANAGER_PARTS.get(change.after.get("part", ""))
    foreign = change.before is None and role is not None and role not in change.by.roles
    return {"not_the_role"} if foreign else set()


def derive_photo(change: Change, oldest_s: int, limits: Photos) -> Data:
    """The server's fields of a photo that follow from its data."""
    found = x2_photo_flags(change.after, oldest_s) | photo_advice(change.after, limits)
    return {**first_state(change), "flags": with_flags(change.after, found)}


def derive_signature(change: Change) -> Data:
    """The server's fields of a signature that follow from its data."""
    found = x3_signature_flags(change)
    return {**first_state(change), "flags": with_flags(change.after, found)}
