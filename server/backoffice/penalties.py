"""X14: the page of the penalties beneath a case, and the form that proposes one."""

import re
from collections.abc import Mapping

from flask import redirect, render_template, request, url_for

from server.backoffice.blueprint import Page, blueprint
from server.backoffice.door import signed_in
from server.backoffice.facts import Lens
from server.backoffice.languages import language
from server.backoffice.lenses import label_in, lens_for, state_words
from server.backoffice.sight import Sight, look_at
from server.domain.cases import penalty_actions
from server.domain.cases.penalties import KIND
from server.domain.cases.penalty_actions import Proposal
from server.domain.queries import label_of
from server.errors import Problem, describe
from server.extensions import db
from server.people.principal import Principal
from server.services import services
from server.sync.kinds import RecordKind
from server.sync.queries import StoredRecord

BETWEEN_NAMES = re.compile(r"[\s,;，；、]+")
PARTIES = ("accused", "seller")
"""Fields of a case that say against whom it is."""
FIELDS = ("sort", "amount", "currency", "party", "responsible", "reason")
"""What is typed into the form."""
SHOWN_AGAIN = frozenset({"wrong_state", "validation"})


def lists_penalties(reader: Principal, sight: Sight) -> bool:
    """Whether ``reader`` may propose a penalty on the case, or may read one that there is."""
    own, session = services(), db.session()
    if not penalty_actions.may_read(own.sync, reader, sight.record):
        return False
    may = penalty_actions.may_propose(reader, sight.record)
    return may or bool(penalty_actions.penalties_of(session, own.sync, reader, sight.record.id))


@blueprint.get("/records/<record>/penalties")
@signed_in
def show_penalties(principal: Principal, record: str) -> Page:
    """Every penalty of a case, and the form where the reader decided it."""
    return _page(principal, _need(principal, record))


@blueprint.post("/records/<record>/penalties")
@signed_in
def propose_penalty(principal: Principal, record: str) -> Page:
    """Proposes one to the general manager, and shows it."""
    sight = _need(principal, record)
    try:
        said = _read_form(record)
        made = penalty_actions.propose_penalty(db.session(), services().sync, principal, said)
    except Problem as problem:
        if problem.code not in SHOWN_AGAIN:
            raise
        sight = look_at(principal, record)
        return _page(principal, sight, request.form, problem), problem.type.status
    return redirect(url_for("office.show_record", record=made))


def _need(reader: Principal, record: str) -> Sight:
    """*Raises* ``not_found`` for what no penalty hangs under, and for who may not read one."""
    sight = look_at(reader, record)
    if not penalty_actions.may_read(services().sync, reader, sight.record):
        raise Problem("not_found")
    return sight


def _read_form(case: str) -> Proposal:
    told = {name: request.form.get(name, "").strip() for name in ("id", "rests_on", *FIELDS)}
    people = BETWEEN_NAMES.split(told.pop("responsible"))
    return Proposal(case=case, responsible=tuple(filter(None, people)), **told)


def _page(
    reader: Principal,
    sight: Sight,
    typed: Mapping[str, str] | None = None,
    problem: Problem | None = None,
) -> str:
    own, session, case = services(), db.session(), sight.record
    kind = own.sync.registry.kinds[KIND]
    found = penalty_actions.penalties_of(session, own.sync, reader, case.id)
    lens = lens_for(session, reader, [case, *found])
    properties = kind.json_schema["properties"]
    return render_template(
        "office/penalties.html",
        case=case,
        kind=sight.kind,
        label=label_in(lens, sight.kind, label_of(sight.kind, case)),
        penalties=[(one, *_worded(lens, kind, one)) for one in found],
        proposable=penalty_actions.may_propose(reader, case),
        typed=typed or _empty_form(case),
        told=describe(problem.code, language(), problem.fields) if problem else None,
        titles={name: lens.title(properties[name], name) for name in FIELDS},
        sorts=[
            (code, words[language()]) for code, words in properties["sort"]["x-choices"].items()
        ],
    )


def _worded(lens: Lens, kind: RecordKind, penalty: StoredRecord) -> tuple[str, str]:
    """The sort of a penalty and where it stands, in the reader's words."""
    schema = kind.json_schema["properties"]["sort"]
    code = penalty.data["sort"]
    return lens.choice(schema, code) or code, state_words(lens, kind, penalty.data)


def _empty_form(case: StoredRecord) -> dict[str, str]:
    """A form that nobody has filled in; its id makes it one penalty, however often it is sent."""
    party = next((case.data[name] for name in PARTIES if name in case.data), "")
    return {
        "id": services().ids.new(),
        "rests_on": str(case.data.get("decided_at", "")),
        "party": str(party),
        "currency": services().policy.receipts.currency,
    }
