"""What the company's tables and the answers of logistics say about a case. Reads only."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from sqlalchemy.orm import Session

from server.clock import to_wire
from server.domain.goods import queries as goods
from server.domain.goods import rules as goods_rules
from server.domain.goods.facts import Answer, Line, Traced
from server.ids import derive_id
from server.people.centres import RegionTree, same_centre
from server.policy import Policy
from server.proof.encoding import canonical, sha256_hex
from server.sync.kinds import Data, Registry
from server.sync.queries import StoredRecord, children, find_record

LOOKED_AT = (
    "lines", "traces", "affected_market", "source_market", "accused_customer", "signed_by",
    "tag_counts", "vehicle_unloading", "found_at",
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
        traced = self._traced(case)
        accused = goods_rules.x5_accused(traced)
        sources = [
            {"dealer": share.dealer, "pieces": str(share.pieces), "possible": str(share.possible)}
            for share in accused.shares
        ]
        inside = self._is_inside(case.data, _markets(traced, accused.dealer))
        return {
            "sources": sources,
            "looked": self.mark(case),
            **({"derived_accused": accused.dealer} if accused.dealer else {}),
            **({} if inside is None else {"inside_centre": inside}),
        }

    def _traced(self, case: StoredRecord) -> tuple[Traced, ...]:
        lines = lines_of(case.data)
        answers = list(self._answers(case))
        products = goods.find_products(self.session, [line.product for line in lines])
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
