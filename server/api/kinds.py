"""What devices are told about kinds and policy, so that they work offline. Pure."""

from typing import Any

from server.casework.machine import Machine
from server.policy import Policy
from server.sync.kinds import FieldSpec, RecordKind, Registry


def describe_kinds(registry: Registry, policy: Policy) -> dict[str, Any]:
    """The answer to ``GET /v1/sync/kinds``."""
    return {
        "schema": SCHEMA,
        "kinds": [describe_kind(kind) for kind in registry.kinds.values()],
        "policy": {
            "version": policy.version,
            "required_tags": policy.cases.required_tags,
            "required_signatures": policy.cases.required_signatures,
            "signature_stand_ins": policy.cases.signature_stand_ins,
            "reasons": policy.review.reasons,
            "checkin_radius_m": policy.visits.radius_m,
            "position_age_minutes": policy.visits.position_age_minutes,
            "checklist_version": policy.visits.checklist_version,
            "checklist": policy.visits.checklist,
            "currency": policy.receipts.currency,
        },
    }


SCHEMA = 1
"""Grows by one whenever a kind or a field is added or changed."""


def describe_kind(kind: RecordKind) -> dict[str, Any]:
    """One kind: its JSON Schema, and per field what the schema cannot say."""
    return {
        "name": kind.name,
        "title": dict(kind.title),
        "schema": kind.json_schema,
        "fields": {name: _describe_field(spec) for name, spec in kind.fields.items()},
        "parent": kind.parent,
        "shares_parent_scopes": kind.place is None,
        "claim_keys": [list(names) for names in kind.claims],
        "lane": _describe_lane(kind),
        "states": describe_states(kind.machine),
        "create_roles": sorted(kind.create_roles),
        "summary": list(kind.summary),
        "label": kind.label,
    }


def _describe_lane(kind: RecordKind) -> str | dict[str, Any]:
    if not kind.urgent_when:
        return kind.lane
    ((name, values),) = kind.urgent_when.items()
    return {"field": name, "urgent": sorted(values, key=str)}


def describe_states(machine: Machine | None) -> dict[str, Any] | None:
    """State → its moves: where each leads, what takes it, and who may; and to which states it
    ``passes`` by itself. None without a machine."""
    if machine is None:
        return None
    return {
        name: {
            "end": machine.is_end(name),
            "moves": {
                move: {
                    "to": taken.to,
                    "field": taken.field,
                    "needs": list(taken.needs),
                    "roles": sorted(taken.roles),
                }
                for move, taken in state.moves.items()
            },
            "passes": sorted({to for _condition, to in state.passes}),
        }
        for name, state in machine.states.items()
    }


def _describe_field(spec: FieldSpec) -> dict[str, Any]:
    return {
        "title": dict(spec.title),
        "writers": sorted(spec.writers),
        "owner": spec.owner,
        "rule": spec.rule,
        "refers": sorted(spec.refers),
    }
