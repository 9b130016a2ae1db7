"""Where a customer belongs and whose it is; what a licence and a permit must say. Pure."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from server.domain.goods.rules import k6_end, k6_renew_from
from server.people.principal import MANAGERS, Role
from server.policy import Licences
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


SELLERS = frozenset({"dealer", "sub_dealer_exclusive", "sub_dealer_main", "sub_dealer_regional"})
"""X13: types of customers that may stand above another one."""
K6_ANSWERS = ("ended_on", "renewal")


def k1_under_a_dealer(change: Change, _parent: Data | None) -> FieldErrors:
    """K1, X13: whoever stands above a customer sells, and is another one."""
    above = change.after.get("dealer")
    if above is None or above == (change.before or {}).get("dealer"):
        return {}
    sells = change.read.get(above, {}).get("customer_type") in SELLERS
    return {} if sells and above != change.record else {"dealer": "reference"}


def check_customer(change: Change, parent: Data | None) -> FieldErrors:
    """K1: all of it."""
    return {**k1_within_reach(change, parent), **k1_under_a_dealer(change, parent)}


def _in_order(record: Data) -> FieldErrors:
    """Days written as days sort like them."""
    start, end = record["start"], record.get("end")
    return {"end": "order:start"} if end is not None and end < start else {}


def k6_check(change: Change, dealer: Data | None) -> FieldErrors:
    """K6: a licence is a dealer's; managers give and end it, on a device in their own regions."""
    licence, before = change.after, change.before or {}
    wrong = {**_in_order(licence), **_of_a_dealer(change, dealer)}
    if licence.get("ended_on", licence["start"]) < licence["start"]:
        wrong["ended_on"] = "order:start"
    if change.by.device is None:
        return wrong
    if not before and any(not change.by.has(MANAGERS, region) for region in licence["regions"]):
        wrong["regions"] = "region"
    if not change.by.has_any(MANAGERS):
        answers = (name for name in K6_ANSWERS if licence.get(name) != before.get(name))
        wrong |= dict.fromkeys(answers, "office_only")
    return wrong


def _of_a_dealer(change: Change, dealer: Data | None) -> FieldErrors:
    is_new = change.before is None
    sells = (dealer or {}).get("customer_type") in SELLERS
    return {"dealer": "reference"} if is_new and not sells else {}


def k6_derive(change: Change, limits: Licences) -> Data:
    """K6: what counts where nothing was said, and the day from which a renewal is proposed."""
    if change.before is not None:
        return {}
    licence = change.after
    end = k6_last_day(licence, limits)
    said = {
        "end": end.isoformat(),
        "online_sales": licence.get("online_sales", False),
        "renew_from": k6_renew_from(end, limits.renewal_months).isoformat(),
    }
    return {name: value for name, value in said.items() if licence.get(name) != value}


def k6_last_day(licence: Data, limits: Licences) -> date:
    """K6: the day that was named, or a year's last."""
    if "end" in licence:
        return date.fromisoformat(licence["end"])
    return k6_end(date.fromisoformat(licence["start"]), limits.months)


def k6_renewal_span(licence: Data, zone: tzinfo) -> tuple[datetime, timedelta, timedelta] | None:
    """K6: from when, for how long, and how long before its end the renewal waits for somebody; its
    days are those of ``zone``.

    None where it was answered, or the licence was ended.
    """
    if "renewal" in licence or "ended_on" in licence:
        return None
    behind = date.fromisoformat(licence["end"]) + timedelta(days=1)
    days = (licence["start"], licence["renew_from"], behind.isoformat())
    start, renew, over = (_midnight(day, zone) for day in days)
    return start, over - start, min(over - renew, over - start)


def _midnight(day: str, zone: tzinfo) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(), zone).astimezone(UTC)


def x12_check(change: Change, dealer: Data | None) -> FieldErrors:
    """X12: a permit is a dealer's."""
    return {**_in_order(change.after), **_of_a_dealer(change, dealer)}


def x12_place(permit: Data, dealer: Placement) -> Placement:
    """X12: a permit belongs where its dealer does, and to the market that it opens."""
    market = f"region:{permit['market']}"
    return Placement(scopes=dealer.scopes | {market}, region=dealer.region)
