"""The kinds ``product_fault``, ``faulty_goods_return``, ``incident`` and ``survey``."""

from server.casework.machine import Machine
from server.domain.declaration import kind_from_schema
from server.domain.faults import rules
from server.domain.faults.machines import FAULT, GOODS_RETURN, INCIDENT
from server.domain.faults.schemas import GoodsReturn, Incident, ProductFault, Survey
from server.domain.review.steps import b2_step_errors, derive_steps, led_by, settle_steps
from server.people.principal import MANAGERS, Role
from server.policy import Policy
from server.sync.kinds import Change, Data, RecordKind

OFFICE_ROLES = MANAGERS | {
    Role.SALES_CLERK, Role.SALES_DIRECTOR, Role.TECHNICAL_OFFICER, Role.SERVICE_OFFICER,
    Role.GENERAL_MANAGER,
}  # fmt: skip


def _fold_evidence(
    machine: Machine, record: Data, children: tuple[Change, ...], policy: Policy
) -> Data:
    """Where a record goes by the evidence that came beneath it."""
    return settle_steps(machine, record, policy=policy, when=rules.brought(children))


def product_fault_kind(policy: Policy) -> RecordKind:
    """F1, F2: from the report to the result."""

    def derive(change: Change, _customer: Data | None) -> Data:
        return derive_steps(FAULT, change, policy=policy, when=rules.handed_in(change))

    def fold(fault: Data, children: tuple[Change, ...]) -> Data:
        disposed = rules.f5_disposed(fault, children)
        told = {"disposed": disposed} if disposed or "disposed" in fault else {}
        return {**told, **_fold_evidence(FAULT, fault, children, policy)}

    return kind_from_schema(
        ProductFault,
        "product_fault",
        zh="质量问题",
        en="Product fault",
        parent="customer",
        office_roles=OFFICE_ROLES,
        check=lambda change, _customer: {
            **rules.f5_check_fault(change),
            **b2_step_errors(FAULT, change),
        },
        derive=derive,
        fold=fold,
        **led_by(FAULT, policy),
        summary=("customer", "product", "batch", "quantity", "unit", "found_at"),
        label="product",
        urgent_when={"urgency": frozenset({"urgent"})},
    )


def goods_return_kind(policy: Policy) -> RecordKind:
    """F5: never more than was reported, whoever reports it first."""

    def derive(change: Change, _fault: Data | None) -> Data:
        return derive_steps(GOODS_RETURN, change, policy=policy, when=rules.handed_in(change))

    def fold(goods_return: Data, children: tuple[Change, ...]) -> Data:
        return _fold_evidence(GOODS_RETURN, goods_return, children, policy)

    return kind_from_schema(
        GoodsReturn,
        "faulty_goods_return",
        zh="退换货",
        en="Return of faulty goods",
        parent="fault",
        office_roles=OFFICE_ROLES,
        check=lambda change, fault: {
            **rules.f5_check_return(change, fault),
            **b2_step_errors(GOODS_RETURN, change),
        },
        derive=derive,
        fold=fold,
        **led_by(GOODS_RETURN, policy),
        summary=("fault", "received", "exchanged", "sent_back", "scrapped"),
        label="fault",
    )


def incident_kind(policy: Policy) -> RecordKind:
    """F3, F4: urgent ones go ahead of all others; all are answered."""

    def derive(change: Change, _parent: Data | None) -> Data:
        found = rules.f3_flags(change, policy)
        when = rules.handed_in(change)
        return derive_steps(INCIDENT, change, policy=policy, when=when, found=found)

    def fold(incident: Data, children: tuple[Change, ...]) -> Data:
        return _fold_evidence(INCIDENT, incident, children, policy)

    return kind_from_schema(
        Incident,
        "incident",
        zh="投诉与事件",
        en="Incident",
        place=rules.f3_place,
        office_roles=OFFICE_ROLES,
        check=lambda change, _parent: b2_step_errors(INCIDENT, change),
        derive=derive,
        fold=fold,
        **led_by(INCIDENT, policy),
        summary=("type", "customer", "happened_at", "who"),
        label="what",
        urgent_when={"type": frozenset({"complaint_met", "inspection", "press"})},
    )


def survey_kind() -> RecordKind:
    """F7: asked of a customer."""
    return kind_from_schema(
        Survey,
        "survey",
        zh="满意度",
        en="Survey",
        parent="customer",
        office_roles=OFFICE_ROLES,
        summary=("customer", "product", "service", "delivery"),
        label="asked",
    )
