"""What the company's tables and the answers of logistics say about a case. Reads only."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from server.clock import from_wire, to_wire
from server.domain.cases.checks import Known, write_points, x4_check, x11_statements
from server.domain.cases.machines import IN_INTAKE
from server.domain.cases.queries import cases_at_work
from server.domain.cases.rules import x4_is_confirmed
from server.domain.goods import queries as goods
from server.domain.goods import rules as goods_rules
from server.domain.goods.facts import Accusation, Answer, Find, Line, Sale, Share, Traced
from server.ids import derive_id
from server.people.centres import RegionTree, same_centre
from server.policy import Policy
from server.proof.encoding import canonical, sha256_hex
from server.sync.kinds import Data, Registry
from server.sync.queries import StoredRecord, children, find_record, find_records

LOOKED_AT = (
    "lines", "traces", "affected_market", "source_market", "accused_customer", "signed_by",
    "signatures", "tag_counts", "vehicle_unloading", "found_at",
)  # fmt: skip
"""Fields of a case from which the findings follow."""
SOUGHT = ("batch", "product", "market", "customer", "quantity", "unit")


class Look:
    """One look at several cases, under one policy and one tree of regions."""

    tree: RegionTree

    def __init__(self, session: Session, registry: Registry, policy: Policy) -> None:
        self.session, self.registry, self.policy = session, registry, policy

    def mark(self, case: StoredRecord) -> str:
        """The same as long as nothing changes from which findings follow."""
        facts = {name: case.data[name] for name in LOOKED_AT if name in case.data}
        return sha256_hex(canonical({**facts, "policy": self.policy.version}))[:16]

    def changed_cases(self) -> list[StoredRecord]:
        """Submitted cases whose facts have changed since they were last looked at."""
        cases = find_records(self.session, cases_at_work(self.session))
        return [case for case in cases.values() if self.mark(case) != case.data.get("looked")]

    def missing_traces(
        self, case: StoredRecord, submitted_at: datetime | None
    ) -> Iterator[tuple[str, Data]]:
        """X5: (id, fields) of one trace a batch that nobody has asked about; made again, the same.

        Its clock began when the case was submitted.
        """
        asked = {entry["trace"] for entry in case.data.get("traces", ())}
        for batch in dict.fromkeys(line.batch for line in lines_of(case.data) if line.batch):
            trace = derive_id(case.id, f"-{goods_rules.batch_key(batch)}")
            if submitted_at is None or trace in asked:
                continue
            asked.add(trace)
            proposed = list(self._proposed(batch))
            made = {"case": case.id, "batch": batch, "asked_at": to_wire(submitted_at)}
            yield trace, {**made, "proposed": proposed}

    def _proposed(self, batch: str) -> Iterator[Data]:
        shipments = goods.shipments_of(self.session, self.registry, [batch])
        for proposal in goods_rules.x5_proposed_answers([batch], shipments):
            for answer in proposal.answers:
                told = {name: getattr(answer, name) for name in SOUGHT if name != "batch"}
                yield {name: value for name, value in told.items() if value is not None}

    def findings(self, case: StoredRecord) -> Data:
        """The fields of the case that follow from what is known by now."""
        products = goods.find_products(
            self.session, [line["product"] for line in case.data["lines"]]
        )
        traced = self._traced(case, products)
        accused = goods_rules.x5_accused(traced)
        sources = [
            {"dealer": share.dealer, "pieces": str(share.pieces), "possible": str(share.possible)}
            for share in accused.shares
        ]
        inside = self._is_inside(case.data, _markets(traced, accused.dealer))
        told = {
            "sources": sources,
            "looked": self.mark(case),
            **({"derived_accused": accused.dealer} if accused.dealer else {}),
            **({} if inside is None else {"inside_centre": inside}),
        }
        if case.data.get("state") not in IN_INTAKE:  # X4: what was decided on is frozen
            return told
        find = self._find(case.data, accused, products)
        known = self._known(case, traced=traced, shares=accused.shares, inside=inside, find=find)
        points = x4_check(known, self.policy.cases.least_pieces)
        return {**told, "check_points": write_points(points)}

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
            is_answered=states == {"answered"},
            photos=self._photos(case),
            statements=x11_statements(data.get("signatures", ())),
            unloaded="vehicle_unloading" in data,
            is_inside=inside,
            is_confirmed=x4_is_confirmed(data),
            permits=None if find is None else self._permits(find),
            licensed=None if find is None else self._licensed(find),
        )

    def _photos(self, case: StoredRecord) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, list[str]] = defaultdict(list)
        for photo in children(self.session, case.id, "photo"):
            if photo.data["state"] != "refused":
                found[photo.data.get("tag", "other")].append(photo.id)
        return {tag: tuple(photos) for tag, photos in found.items()}

    def _find(
        self, case: Data, accusation: Accusation, products: goods_rules.Products
    ) -> Find | None:
        """X12, K6: what was found and whose it is; None: nobody is accused yet."""
        dealer = accusation.dealer or case.get("accused_customer")
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

    def _traced(self, case: StoredRecord, products: goods_rules.Products) -> tuple[Traced, ...]:
        lines = lines_of(case.data)
        answers = list(self._answers(case))
        dealers = goods.dealers_above(self.session, [answer.customer for answer in answers])
        return goods_rules.x5_traced(lines, answers, products=products, dealers=dealers)

    def _answers(self, case: StoredRecord) -> Iterator[Answer]:
        traces = children(self.session, case.id, "batch_trace")
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
