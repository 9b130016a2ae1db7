"""The kind ``note``: what people in the offices tell each other about a case. Knows no kind."""

from server.domain import shapes
from server.domain.declaration import kind_from_schema
from server.domain.shapes import OFFICE, SERVER, Names, Shape
from server.sync.kinds import Change, Data, FieldErrors, Placement, RecordKind

LONGEST_NOTE = 4000


def note_schema(parents: Names) -> type[Shape]:
    """The shape of a note about records of the kinds ``parents``."""

    class Note(Shape):
        """X9: words that stand beside a case and change nothing of it; never changed themselves."""

        about_kind = shapes.choice(
            "所属类型", "Kind", parents, required=True, rule="frozen", writers=OFFICE
        )
        about = shapes.reference(
            "所属记录", "About", *parents, required=True, rule="frozen", writers=OFFICE
        )
        text = shapes.text(
            "备注", "Note", limit=LONGEST_NOTE, required=True, rule="frozen", writers=OFFICE
        )
        for_rep = shapes.yes_no("告知业务员", "Also for the rep", rule="frozen", writers=OFFICE)
        roles = shapes.listing(
            "职务", "Roles", shapes.text("职务", "Role", limit=40), writers=SERVER
        )
        flags = shapes.flags({})

    return Note


def note_kind(parents: Names) -> RecordKind:
    """X9: a note about a record of one of the kinds ``parents``, for whoever may open that."""
    return kind_from_schema(
        note_schema(parents),
        "note",
        zh="内部备注",
        en="Note",
        parent="about",
        follow=_place,
        create_roles=frozenset(),
        opens_with="about_kind",
        check=_names_its_parent,
        derive=_sign,
        summary=("text",),
        label="text",
    )


def _place(note: Data, about: Placement) -> Placement:
    """P5: for the offices alone, unless it says that the rep is to have it, too."""
    return about if note.get("for_rep") else Placement(scopes=frozenset(), region=about.region)


def _names_its_parent(change: Change, _about: Data | None) -> FieldErrors:
    is_true = change.parent_kind in {None, change.after["about_kind"]}
    return {} if is_true else {"about_kind": "reference"}


def _sign(change: Change, _about: Data | None) -> Data:
    """In which roles its author spoke; they may change later."""
    return {"roles": sorted(change.by.roles)} if change.before is None else {}
