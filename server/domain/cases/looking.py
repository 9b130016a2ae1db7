"""What the company's tables and the answers of logistics say about a case. Reads only."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from server.clock import from_wire, to_wire
from server.domain.cases.checks import (
    Known,
    with_overrides,
    write_points,
    x4_check,
    x11_statements,
)
from server.domain.cases.following import customer_name
from server.domain.cases.machines import ANSWERED, IN_INTAKE
from server.domain.cases.queries import first_named
from server.domain.cases.rules import REFUSED, x1_accused, x4_is_confirmed
from server.domain.goods import queries as goods
from server.domain.goods import rules as goods_rules
from server.domain.goods.facts import Answer, Find, Line, Sale, Share, Traced
from server.ids import derive_id
from server.people.centres import RegionTree, same_centre
from server.policy import Policy
from server.sync.kinds import Data, Registry
from server.sync.queries import StoredRecord, children, find_record
from server.values import Value, replace

SOUGHT = ("batch", "product", "market", "customer", "quantity", "unit")
FOUND = ("sources", "derived_accused", "inside_centre", "check_points")
"""The fields of a case that follow from what is known; without a value where nothing follows."""


class Seen(Value, frozen=True):
    """X4, X5: what a look at a case has found."""

    findings: Data
    """Fields that are no longer what they were; None takes one away."""
    basis: frozenset[str]
    """On what beside the case they rest, as ``CaseBasis`` names it."""


class Look:
    """One look at several cases, under one policy and one tree of regions."""

    def __init__(
        self, session: Session, registry: Registry, policy: Policy, tree: RegionTree
    ) -> None:
        self.session, self.registry, self.policy, self.tree = session, registry, policy, tree

    def missing_traces(
        self, case: StoredRecord, submitted_at: datetime | None
    ) -> Iterator[tuple[str, Data]]:
        """X5: (id, fields) of one trace a batch that nobody has asked about; made again, the same.

        Its clock began when the case was submitted, or named the batch later.
        """
        asked = {entry["trace"] for entry in case.data.get("traces", ())}
        fresh: dict[str, str] = {}
        for batch in (line.batch for line in lines_of(case.data) if line.batch):
            trace = derive_id(case.id, f"-{goods_rules.batch_key(batch)}")
            if trace not in asked:
                fresh.setdefault(trace, batch)
        if submitted_at is None or not fresh:
            return
        named = first_named(self.session, case.id)
        for trace, batch in fresh.items():
            since = max(submitted_at, named[goods_rules.batch_key(batch)])
            made = {"case": case.id, "batch": batch, "asked_at": to_wire(since)}
            yield trace, {**made, "proposed": list(self._proposed(batch))}

    def outdated_traces(
        self, traces: Iterable[StoredRecord]
    ) -> Iterator[tuple[StoredRecord, Data]]:
        """X5: those of ``traces`` of which the shipments propose something else by now."""
        for trace in traces:
            proposed = list(self._proposed(trace.data["batch"]))
            if proposed != trace.data.get("proposed", []):
                yield trace, {"proposed": proposed}

    def _proposed(self, batch: str) -> Iterator[Data]:
        shipments = goods.shipments_of(self.session, self.registry, [batch])
        for proposal in goods_rules.x5_proposed_answers([batch], shipments):
            for answer in proposal.answers:
                told = {name: getattr(answer, name) for name in SOUGHT if name != "batch"}
                yield {name: value for name, value in told.items() if value is not None}

    def see(self, case: StoredRecord, traces: Sequence[StoredRecord]) -> Seen:
        """What follows for the case from what is known by now."""
        names = {line["product"] for line in case.data["lines"]}
        products = goods.find_products(self.session, names)
        answers = list(self._answers(traces))
        named = case.data.get("accused_customer")
        concerned = [answer.customer for answer in answers] + ([named] if named else [])
        dealers = goods.dealers_above(self.session, concerned)
        traced = goods_rules.x5_traced(
            lines_of(case.data), answers, products=products, dealers=dealers
        )
        named = goods_rules.x13_dealer(named, dealers) if named else None
        found = self._findings(case, traced, products, named=named)
        stood = {name: case.data[name] for name in FOUND if name in case.data}
        customers = {entry["customer"] for entry in _said(traces)} | {*dealers, *dealers.values()}
        customers |= {answer.customer for answer in answers} | _accused(case.data, found)
        called = names | {product.code for product in products.values()}
        return Seen(
            findings={
                name: found.get(name) for name in FOUND if found.get(name) != stood.get(name)
            },
            basis=frozenset(
                {f"product:{name}" for name in called}
                | {f"batch:{goods_rules.batch_key(trace.data['batch'])}" for trace in traces}
                | {customer_name(customer) for customer in customers}
            ),
        )

    def _findings(
        self,
        case: StoredRecord,
        traced: tuple[Traced, ...],
        products: goods_rules.Products,
        *,
        named: str | None,
    ) -> Data:
        """The fields of the case that follow from where its goods came from; ``named``: who answers
        for the accused that the form names."""
        accused = goods_rules.x5_accused(traced)
        sources = [
            {"dealer": share.dealer, "pieces": str(share.pieces), "possible": str(share.possible)}
            for share in accused.shares
        ]
        inside = self._is_inside(case.data, _markets(traced, accused.dealer))
        told = {
            "sources": sources,
            **({"derived_accused": accused.dealer} if accused.dealer else {}),
            # X7: a case stays whose it is until something else is known.
            "inside_centre": case.data.get("inside_centre") if inside is None else inside,
        }
        if case.data.get("state") not in IN_INTAKE:  # X4: what was decided on is frozen
            return {**told, "check_points": case.data.get("check_points")}
        find = self._find(case.data, accused.dealer or named, products)
        known = self._known(case, traced=traced, shares=accused.shares, inside=inside, find=find)
        known = replace(known, codes={name: product.code for name, product in products.items()})
        points = write_points(x4_check(known, self.policy.cases.least_pieces))
        return {**told, "check_points": with_overrides({**case.data, "check_points": points})}

    def _known(
        self,
        case: StoredRecord,
        *,
        traced: tuple[Traced, ...],
        shares: tuple[Share, ...],
        inside: bool | None,
        find: Find | None,
    ) -> Known:
        data = case.data
        states = {entry["state"] for entry in data.get("traces", ())}
        return Known(
            lines=lines_of(data),
            traced=traced,
            shares=shares,
            is_answered=states == {ANSWERED},
            photos=self._photos(case),
            statements=x11_statements(data.get("signatures", ()), x1_accused(data)),
            unloaded=bool(data.get("vehicle_unloading")),
            is_inside=inside,
            is_confirmed=x4_is_confirmed(data),
            permits=None if find is None else self._permits(find),
            licensed=None if find is None else self._licensed(find),
        )

    def _photos(self, case: StoredRecord) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = defaultdict(list)
        for photo in children(self.session, case.id, "photo"):
            if photo.data["state"] != REFUSED:
                found[photo.data.get("tag", "other")].append(photo.id)
        return {tag: tuple(photos) for tag, photos in found.items()}

    def _find(self, case: Data, dealer: str | None, products: goods_rules.Products) -> Find | None:
        """X12, K6: what was found and whose it is; None: nobody is accused yet."""
        if dealer is None:
            return None
        at = from_wire(case["found_at"])
        return Find(
            dealer=dealer,
            regions=self.tree.above(str(case["affected_market"])),
            pieces=goods_rules.pieces_by_product(lines_of(case), products),
            at=at,
            day=goods_rules.day_in(ZoneInfo(self.policy.cases.zone), at),
        )

    def _permits(self, find: Find) -> tuple[str, ...]:
        permits = goods.permits_of(self.session, find.dealer)
        return tuple(one.record for one in goods_rules.x12_covering_permits(permits, find))

    def _licensed(self, find: Find) -> tuple[str, ...]:
        licences = goods.licences_of(self.session, find.dealer)
        sales = (
            Sale(dealer=find.dealer, regions=find.regions, product=product, day=find.day)
            for product in sorted(find.pieces)
        )
        return tuple(one.product for one in sales if goods_rules.k6_licence_at(licences, one))

    def _answers(self, traces: Iterable[StoredRecord]) -> Iterator[Answer]:
        said = [(one.data["batch"], entry) for one in traces for entry in one.data["answers"]]
        numbers = {entry["customer"] for _batch, entry in said}
        known = goods.find_customers(self.session, self.registry, numbers)
        for batch, entry in said:
            customer = known.get(entry["customer"], entry["customer"])
            yield Answer(**{**entry, "batch": batch, "customer": customer})

    def _is_inside(self, case: Data, shipped_to: Collection[str]) -> bool | None:
        """X4: whether source and affected market share a centre or an alliance; None: unknown."""
        source = self._source_market(case, shipped_to)
        if source is None:
            return None
        rules = self.policy.cases
        affected = str(case["affected_market"])
        alliances = rules.alliances.values()
        return same_centre(self.tree, alliances, source, affected, level=rules.centre_level)

    def _source_market(self, case: Data, shipped_to: Collection[str]) -> str | None:
        """By the traces, else by what the form says: of the customer it names, or by name."""
        traced = {self.tree.find(market) for market in shipped_to}
        if len(traced) == 1:
            return traced.pop()
        named = case.get("accused_customer")
        found = find_record(self.session, named) if named else None
        if found is not None and found.region:
            return found.region
        return self.tree.find(str(case.get("source_market", "")))


def _said(traces: Iterable[StoredRecord]) -> Iterator[Data]:
    """X5: what is proposed or answered of a case's batches."""
    for trace in traces:
        yield from (*trace.data.get("proposed", ()), *trace.data["answers"])


def _accused(case: Data, found: Data) -> set[str]:
    """X12, K6: whose permits and licences are looked for."""
    return {who for who in (found.get("derived_accused"), case.get("accused_customer")) if who}


def _markets(traced: Iterable[Traced], dealer: str | None) -> frozenset[str]:
    """X5: the markets to which the goods of ``dealer`` were shipped."""
    shipped = (one.sources.get(dealer, ()) if dealer else () for one in traced)
    return frozenset(answer.market for answers in shipped for answer in answers if answer.market)


def lines_of(case: Data) -> tuple[Line, ...]:
    """X1: the goods of a case, as the form has them."""
    return tuple(
        Line(
            **{
                name: line[name]
                for name in ("product", "quantity", "unit", "batch")
                if name in line
            }
        )
        for line in case["lines"]
    )
