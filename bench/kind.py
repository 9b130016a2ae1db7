"""The kind of record that is pushed: fourteen typed fields, two scopes, and somebody must act."""

from datetime import timedelta

from server.casework.items import OpenItem, Waits
from server.domain import shapes
from server.domain.declaration import kind_from_schema
from server.people.principal import Role
from server.sync.kinds import Author, Change, Data, Placement

TOPICS = {
    "service": ("服务", "Service"),
    "product": ("产品", "Product"),
    "price": ("价格", "Price"),
}


class Call(shapes.Shape):
    """A call at a customer's, as a rep writes it down."""

    title = shapes.text("标题", "Title", limit=120, required=True)
    summary = shapes.text("摘要", "Summary", limit=2000, required=True)
    customer_name = shapes.text("客户", "Customer", required=True)
    address = shapes.text("地址", "Address", required=True)
    phone = shapes.text("电话", "Phone", limit=40)
    contact = shapes.text("联系人", "Contact")
    topic = shapes.choice("主题", "Topic", TOPICS, required=True)
    quantity = shapes.integer("数量", "Quantity", least=0, most=100_000)
    amount = shapes.decimal("金额", "Amount")
    started_at = shapes.moment("开始", "Start", required=True)
    ended_at = shapes.moment("结束", "End")
    solved = shapes.yes_no("已解决", "Solved")
    rating = shapes.integer("评分", "Rating", least=1, most=5)
    remark = shapes.text("备注", "Remark", limit=500)


def _place(_call: Data, by: Author) -> Placement:
    scopes = frozenset({f"user:{by.user}", f"region:{by.home_region}"})
    return Placement(scopes=scopes, region=by.home_region)


REVIEW = OpenItem(Role.REGION_MANAGER, "review", timedelta(days=2))


def _waits(change: Change) -> Waits:
    return (REVIEW,) if change.before is None else None


CALL = kind_from_schema(
    Call,
    "bench_call",
    zh="走访",
    en="Call",
    place=_place,
    waits=_waits,
    office_roles=frozenset({Role.REGION_MANAGER}),
    summary=("title",),
    label="title",
)
