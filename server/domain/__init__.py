"""What reps do, as kinds of records. The only place that lists the kinds of an installation."""

from collections.abc import Iterable

from server.domain.cases.counterfeits import counterfeit_report_kind
from server.domain.cases.kinds import cross_region_case_kind
from server.domain.cases.penalties import penalty_kind
from server.domain.cases.prices import price_report_kind
from server.domain.cases.supplements import case_supplement_kind
from server.domain.cases.traces import batch_trace_kind
from server.domain.customers.claims import claim_match_kind
from server.domain.customers.kinds import customer_kind, licence_kind, permit_kind
from server.domain.evidence.kept import conflict_kind, parked_kind
from server.domain.evidence.kinds import photo_kind, signature_kind
from server.domain.evidence.matches import photo_match_kind
from server.domain.faults.kinds import (
    goods_return_kind,
    incident_kind,
    product_fault_kind,
    survey_kind,
)
from server.domain.links.kinds import fault_supplement_kind, rebuttal_kind
from server.domain.money.kinds import receipt_kind
from server.domain.review.notes import note_kind
from server.domain.shapes import Names
from server.domain.visits.kinds import visit_kind, visit_report_kind
from server.policy import Policy
from server.sync.kinds import RecordKind


def all_kinds(policy: Policy, *further: RecordKind) -> tuple[RecordKind, ...]:
    """Every kind that reps work with, under ``policy``; photos may hang under each of them."""
    records = (
        customer_kind(),
        licence_kind(policy),
        permit_kind(),
        visit_kind(policy),
        visit_report_kind(policy),
        receipt_kind(policy),
        cross_region_case_kind(policy),
        batch_trace_kind(policy),
        case_supplement_kind(),
        counterfeit_report_kind(policy),
        price_report_kind(policy),
        penalty_kind(policy),
        rebuttal_kind(),
        product_fault_kind(policy),
        fault_supplement_kind(),
        goods_return_kind(policy),
        incident_kind(policy),
        survey_kind(),
        *further,
    )
    parents, cases = names_of(records), names_of(one for one in records if one.machine)
    evidence = (photo_kind(policy, parents), signature_kind(parents))
    found = (photo_match_kind(policy), claim_match_kind(policy))
    kept = (conflict_kind(), parked_kind(policy))
    return (*records, note_kind(cases), *evidence, *found, *kept)


def names_of(kinds: Iterable[RecordKind]) -> Names:
    """The names of ``kinds`` with their words in zh and en."""
    return {kind.name: (kind.title["zh-CN"], kind.title["en"]) for kind in kinds}
