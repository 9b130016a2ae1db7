"""The kinds ``photo`` and ``signature``."""

from server.domain.declaration import kind_from_schema
from server.domain.evidence import rules
from server.domain.evidence.schemas import photo_schema, signature_schema
from server.domain.shapes import Names
from server.people.principal import MANAGERS, Role
from server.policy import Policy
from server.sync.kinds import Change, Data, RecordKind

SEES_EVIDENCE = MANAGERS | {Role.MARKET_OFFICER, Role.FINANCE_OFFICER}


def photo_kind(policy: Policy, parents: Names) -> RecordKind:
    """X2: a photo or other file under a record of one of the kinds ``parents``."""
    oldest_s = policy.visits.position_age_minutes * 60

    def derive(change: Change, _parent: Data | None) -> Data:
        return rules.derive_photo(change, oldest_s, policy.photos)

    return kind_from_schema(
        photo_schema(parents),
        "photo",
        zh="照片",
        en="Photo",
        parent="parent",
        office_roles=SEES_EVIDENCE,
        opens_with="parent_kind",
        check=rules.names_its_parent,
        derive=derive,
        summary=("tag", "source", "captured", "state", "flags"),
        label="tag",
    )


def signature_kind(parents: Names) -> RecordKind:
    """V3, X3: a signature under a record of one of the kinds ``parents``."""
    return kind_from_schema(
        signature_schema(parents),
        "signature",
        zh="签名",
        en="Signature",
        parent="parent",
        office_roles=SEES_EVIDENCE,
        opens_with="parent_kind",
        check=rules.names_its_parent,
        derive=lambda change, _parent: rules.derive_signature(change),
        summary=("part", "signer", "captured", "state"),
        label="signer",
    )
