"""K1: takes a file of customers in, as records that the office writes.

Every row is checked before the first is written. They are written as any change of the office is,
some hundred at a time; what was cut short is completed by the same file brought again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Session

from server import sheets
from server.db import transaction
from server.domain.customers.kinds import OFFICE_ROLES
from server.domain.customers.rules import SELLERS
from server.domain.customers.schemas import CLASSES, TIERS, TYPES
from server.domain.goods.queries import CUSTOMER, find_customers
from server.domain.goods.runs import Report, Tally, in_chunks, note_run
from server.domain.review.actions import write_version
from server.errors import Problem
from server.people.centres import RegionTree
from server.people.principal import Principal
from server.people.regions import load_tree
from server.people.users import list_users
from server.sheets import Row, Sheet, Wrong, needed, optional, read_heading, read_rows
from server.sync.claims import claims_of
from server.sync.engine import Sync
from server.sync.epochs import current_epoch
from server.sync.kinds import RecordKind
from server.sync.push import Envelope, push_batch
from server.sync.queries import StoredRecord, find_records
from server.sync.wire import MAX_BATCH


def _number(cell: str) -> str:
    number: str = sheets.text(80)(cell)
    if not any(map(str.isalnum, number)):
        raise sheets.Refused("format")
    return number


COLUMNS = (
    needed("number", _number, "客户编号", "Customer number"),
    needed("name", sheets.text(120), "客户名称", "Name"),
    needed("customer_type", sheets.choice(TYPES), "客户类型", "Type"),
    needed("region", sheets.text(120), "区域", "Region"),
    optional("owner", sheets.text(80), "负责业务员", "Owner rep"),
    optional("dealer", _number, "所属经销商", "Dealer above"),
    optional("address", sheets.text(300), "地址", "Address"),
    optional("phone", sheets.text(40), "电话", "Phone"),
    optional("channel", sheets.text(80), "渠道", "Channel"),
    optional("customer_class", sheets.choice(CLASSES), "客户等级", "Class"),
    optional("tier", sheets.choice(TIERS), "客户层级", "Tier"),
)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row as fields of a customer; ``dealer`` is the number of who stands above it."""

    line: int
    key: str
    fields: Mapping[str, Any]
    dealer: str | None = None
    wrong: tuple[Wrong, ...] = ()


def import_customers(
    session: Session,
    sync: Sync,
    sheet: Sheet,
    *,
    by: Principal,
    at: datetime,
    dry_run: bool = False,
) -> Report:
    """Reads ``sheet`` and, unless a row is wrong, writes what is new or differs.

    Customers are known again by their number; an empty cell leaves what is there. *Raises*
    :class:`server.sheets.SheetFault`; Problem ``forbidden`` where ``by`` holds no office role for
    customers in the whole company, and the problem with which a write was refused meanwhile.
    """
    if by.reach(OFFICE_ROLES) is not None:
        raise Problem("forbidden")
    heading = read_heading(sheet, COLUMNS)
    importing = _Importing(session, sync, sheet, by)
    tally = importing.check()
    written = not tally.refused and not dry_run
    if written:
        importing.write()
        with transaction(session):
            note_run(session, "customers", sheet, tally.counts, by=by.user, at=at)
    return tally.report(sheet, heading, written=written)


@dataclass
class _Importing:
    """One file and what it is held against."""

    session: Session
    sync: Sync
    sheet: Sheet
    by: Principal
    sellers: dict[str, bool] = field(default_factory=dict)
    """Key of a number in the file → whether its type may stand above others."""

    @cached_property
    def kind(self) -> RecordKind:
        """The kind of a customer."""
        return self.sync.registry.kinds[CUSTOMER]

    @cached_property
    def regions(self) -> RegionTree:
        """Where a customer may be."""
        return load_tree(self.session)

    @cached_property
    def people(self) -> Mapping[str, str]:
        """Username → id of whoever may own a customer."""
        return {one.username: one.id for one in list_users(self.session) if not one.disabled_at}

    @cached_property
    def epoch(self) -> str | None:
        """Of the versions that patches build on."""
        return current_epoch(self.session)

    def key_of(self, number: str) -> str:
        """K2: what two ways of writing one number have in common."""
        return min(claims_of(self.kind, {"number": number}))

    def entries(self) -> Iterator[_Entry]:
        """Every row of the file."""
        return map(self._entry, read_rows(self.sheet, COLUMNS))

    def _entry(self, row: Row) -> _Entry:
        if row.wrong:
            return _Entry(row.line, "", {}, wrong=row.wrong)
        values = {name: value for name, value in row.values.items() if value is not None}
        dealer = values.pop("dealer", None)
        values["region"] = self.regions.find(values["region"])
        if "owner" in values:
            values["owner"] = self.people.get(values["owner"])
        unknown = tuple(Wrong(row.line, name, "unknown") for name in values if values[name] is None)
        return _Entry(row.line, self.key_of(values["number"]), values, dealer, unknown)

    def check(self) -> Tally:
        """What the file would change, and what is wrong with it; writes nothing."""
        tally = Tally()
        beneath: list[_Entry] = []
        for chunk in in_chunks(self.entries(), MAX_BATCH):
            entries = [one for one in chunk if tally.accept(one.line, one.key, one.wrong)]
            self.sellers |= {one.key: one.fields["customer_type"] in SELLERS for one in entries}
            beneath += [one for one in entries if one.dealer]
            stored = self.stored(entries)
            above = self.above(entries)
            tally.added += sum(one.line not in stored for one in entries)
            tally.changed += sum(_is_changed(one, stored.get(one.line), above) for one in entries)
        for chunk in in_chunks(beneath, MAX_BATCH):
            for wrong in self._wrong_dealers(chunk):
                tally.refuse((wrong,))
        return tally

    def _wrong_dealers(self, entries: Sequence[_Entry]) -> Iterator[Wrong]:
        """K1: whoever stands above another is in the file or known, sells, and is another one."""
        above = self.above(entries)
        known = find_records(self.session, above.values())
        for entry in entries:
            dealer = str(entry.dealer)
            key = self.key_of(dealer)
            record = known.get(above.get(dealer, ""))
            sells = record is not None and record.data.get("customer_type") in SELLERS
            if key == entry.key or not self.sellers.get(key, sells):
                reason = "reference" if record or key in self.sellers else "unknown"
                yield Wrong(entry.line, "dealer", reason)

    def stored(self, entries: Iterable[_Entry]) -> dict[int, StoredRecord]:
        """Line → the customer that is known by its number."""
        lines = {entry.fields["number"]: entry.line for entry in entries}
        known = find_customers(self.session, self.sync.registry, lines)
        records = find_records(self.session, known.values())
        return {lines[number]: records[record] for number, record in known.items()}

    def above(self, entries: Iterable[_Entry]) -> dict[str, str]:
        """Number of a dealer → its record, as far as there is one."""
        numbers = {entry.dealer for entry in entries if entry.dealer}
        return find_customers(self.session, self.sync.registry, numbers)

    def write(self) -> None:
        """First every customer by itself, then who stands above whom."""
        for with_dealers in (False, True):
            for entries in in_chunks(self.entries(), MAX_BATCH):
                stored = self.stored(entries)
                above = self.above(entries) if with_dealers else {}
                changes = (self._mutation(one, stored.get(one.line), above) for one in entries)
                self._push([change for change in changes if change])

    def _mutation(
        self, entry: _Entry, there: StoredRecord | None, above: Mapping[str, str]
    ) -> dict[str, Any] | None:
        """What the office writes for a row, if anything."""
        made = {"id": self.sync.ids.new(), "kind": CUSTOMER}
        if there is None:
            record = self.sync.ids.new()
            return {**made, "action": "create", "record": record, "set": dict(entry.fields)}
        differing = _differing(entry, there, above)
        base = {"base": there.version, "epoch": self.epoch}
        patch = {**made, **base, "action": "patch", "record": there.id, "set": differing}
        return patch if differing else None

    def _push(self, mutations: Sequence[dict[str, Any]]) -> None:
        if mutations:
            envelope = Envelope(sender=self.by, writer="office")
            for result in push_batch(self.sync, self.session, envelope, mutations).results:
                write_version(result)


def _is_changed(entry: _Entry, there: StoredRecord | None, above: Mapping[str, str]) -> bool:
    """Whether a customer that is there changes; a dealer that comes with the file is a change."""
    if there is None:
        return False
    is_new = entry.dealer is not None and entry.dealer not in above
    return is_new or bool(_differing(entry, there, above))


def _differing(entry: _Entry, there: StoredRecord, above: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a row that are not as the customer has them."""
    wanted = dict(entry.fields)
    if entry.dealer is not None and entry.dealer in above:
        wanted["dealer"] = above[entry.dealer]
    return {name: value for name, value in wanted.items() if there.data.get(name) != value}
