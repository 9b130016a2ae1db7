"""Where a customer belongs and whose it is. Pure."""

from server.people.principal import Role
from server.sync.kinds import Author, Change, Data, FieldErrors, Placement


def k1_place(customer: Data, by: Author) -> Placement:
    """K1: a customer belongs to its owner rep and to its region."""
    region = customer.get("region", by.home_region)
    scopes = {f"user:{customer.get('owner', by.user)}"}
    if region:
        scopes.add(f"region:{region}")
    return Placement(scopes=frozenset(scopes), region=region)


def k1_owned(change: Change, _parent: Data | None) -> Data:
    """K1: a new customer is its creator's, in the creator's region unless it names one."""
    if change.before is not None:
        return {}
    author = change.author
    asked = {"owner": author.user, "region": author.home_region}
    return {name: value for name, value in asked.items() if value and name not in change.after}


def k1_within_reach(change: Change, _parent: Data | None) -> FieldErrors:
    """K1: a device places a customer only in a region where its user has a role."""
    region = change.after.get("region")
    unchanged = change.before is not None and change.before.get("region") == region
    if change.by.device is None or region is None or unchanged:
        return {}
    at_home = region == change.by.home_region
    return {} if at_home or change.by.has(Role, region) else {"region": "region"}
