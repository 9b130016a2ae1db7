"""The kind ``penalty`` (X14): beneath a case that was upheld, for the office alone."""

from server.domain import shapes
from server.domain.cases.penalizing import (
    DECIDED,
    SORTS,
    x14_conditions,
    x14_errors,
    x14_rests_on,
)
from server.domain.cases.penalty_machine import PENALTY
from server.domain.cases.rules import p5_office_only
from server.domain.declaration import kind_from_schema
from server.domain.numbers import say_number
from server.domain.review.steps import Stepped, b2_step_errors, derive_steps, led_by
from server.domain.shapes import OFFICE, SERVER, Names
from server.domain.vocabulary import REVIEW_FLAGS
from server.policy import Policy
from server.roles import Role
from server.sync.kinds import Change, Data, RecordKind

KIND = "penalty"
READERS = frozenset({
    Role.MARKET_OFFICER, Role.REGION_MANAGER, Role.SALES_DIRECTOR, Role.GENERAL_MANAGER,
    Role.FINANCE_OFFICER,
})  # fmt: skip
"""Who decides, approves, and handles the money."""


def penalty_schema(sorts: Names) -> type[Stepped]:
    """The shape of a penalty of one of ``sorts``."""

    class Penalty(Stepped):
        """X14: what is proposed is never changed; it is taken back and proposed again."""

        class Meta(Stepped.Meta):
            """No rep reads it, so that there is nobody to guide (P5)."""

            exclude = ("guidance",)

        case = shapes.reference(
            "案件", "Case", *DECIDED, required=True, rule="frozen", writers=OFFICE
        )
        rests_on = shapes.moment(
            "所依裁定时间", "Decided at", required=True, rule="frozen", writers=OFFICE
        )
        sort = shapes.choice(
            "处罚方式", "Sort", sorts, required=True, rule="frozen", writers=OFFICE
        )
        amount = shapes.decimal("金额", "Amount", rule="frozen", writers=OFFICE)
        currency = shapes.formed(
            "币种", "Currency", "^[A-Z]{3}$", "format", rule="frozen", writers=OFFICE
        )
        party = shapes.text(
            "被处罚方", "Who is penalised", required=True, rule="frozen", writers=OFFICE
        )
        responsible = shapes.listing(
            "连带责任人", "Jointly responsible",
            shapes.key("人员", "Person"), rule="frozen", writers=OFFICE,
        )  # fmt: skip
        reason = shapes.text(
            "处罚理由", "Reason", limit=2000, required=True, rule="frozen", writers=OFFICE
        )
        topped_up = shapes.decimal(
            "补足金额", "Topped up by", rule="authority", owner="office", writers=OFFICE
        )
        topped_up_on = shapes.date(
            "补足日期", "Topped up on", rule="authority", owner="office", writers=OFFICE
        )
        number = shapes.text("处罚编号", "Number", limit=20, writers=SERVER)
        verdict = shapes.choice(
            "审批结论", "Verdict", PENALTY.verdict_words(),
            writers=OFFICE, rule="authority", owner="office",
        )  # fmt: skip
        state = shapes.choice("状态", "State", PENALTY.state_words(), writers=SERVER)
        flags = shapes.flags(REVIEW_FLAGS)

    return Penalty


def sorts_of(policy: Policy) -> Names:
    """X14: the sorts of penalties, those that the policy names last."""
    return {**SORTS, **{code: _both(words) for code, words in policy.cases.penalties.items()}}


def _both(words: str) -> tuple[str, str]:
    """``zh / en`` apart; the same twice where there is only one."""
    return words.partition(" / ")[0], words.rpartition(" / ")[2]


def penalty_kind(policy: Policy) -> RecordKind:
    """X14: proposed by whoever decided; in effect once the general manager approves."""

    def derive(change: Change, case: Data | None) -> Data:
        return derive_penalty(change, case or {}, policy)

    return kind_from_schema(
        penalty_schema(sorts_of(policy)),
        KIND,
        zh="处罚",
        en="Penalty",
        parent="case",
        follow=p5_office_only,
        create_roles=frozenset(),
        office_roles=READERS,
        check=lambda change, case: {
            **x14_errors(change, case or {}),
            **b2_step_errors(PENALTY, change),
        },
        derive=derive,
        **led_by(PENALTY, policy),
        summary=("number", "case", "sort", "amount", "currency", "party"),
        label="number",
        numbered=say_number,
    )


def derive_penalty(change: Change, case: Data, policy: Policy) -> Data:
    """The server's fields of a penalty, by itself and by the decision that it rests on."""
    rests_on = x14_rests_on(change, case)
    return derive_steps(PENALTY, change, policy=policy, when=x14_conditions(case), derived=rests_on)
