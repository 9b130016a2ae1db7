"""A kind with a field of every merge rule, for the simulated company only."""

from server.domain import shapes
from server.domain.declaration import kind_from_schema
from server.domain.shapes import BOTH
from server.people.principal import MANAGERS


class Stall(shapes.Shape):
    """A stall at a customer's."""

    customer = shapes.reference("客户", "Customer", "customer", required=True, rule="frozen")
    title = shapes.text("名称", "Title", required=True)
    goods = shapes.listing("商品", "Goods", shapes.text("商品", "Good"), rule="union")
    price = shapes.text("价格", "Price", writers=BOTH, rule="authority", owner="device")
    rank = shapes.text("等级", "Rank", writers=BOTH, rule="authority", owner="office")
    serial = shapes.text("编号", "Serial", rule="frozen")
    flags = shapes.flags({})


STALL = kind_from_schema(
    Stall,
    "stall",
    zh="摊位",
    en="Stall",
    parent="customer",
    office_roles=MANAGERS,
    summary=("title",),
    label="title",
)
