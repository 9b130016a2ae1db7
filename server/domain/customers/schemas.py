"""The shapes of a customer (K1), a licence (K6) and a permit (X12). Shapes only."""

from server.domain import shapes
from server.domain.shapes import BOTH, OFFICE, SERVER, Shape
from server.domain.vocabulary import CLAIM_FLAGS, UNITS

TYPES = {
    "dealer": ("经销商", "Dealer"),
    "sub_dealer_exclusive": ("专营分销商", "Exclusive sub-dealer"),
    "sub_dealer_main": ("主营分销商", "Main sub-dealer"),
    "sub_dealer_regional": ("区域分销商", "Regional sub-dealer"),
    "store": ("门店", "Store"),
    "key_account": ("重点客户", "Key account"),
    "consumer": ("消费者", "Consumer"),
}
CLASSES = {letter: (f"{letter} 类", f"Class {letter}") for letter in "ABCD"}
TIERS = {
    "normal": ("普通", "Normal"),
    "important": ("重要", "Important"),
    "large": ("大客户", "Large"),
    "very_large": ("特大客户", "Very large"),
}
DECIDING = {
    "decides": ("决策人", "Decides"),
    "influences": ("影响者", "Influences"),
    "uses": ("使用者", "Uses"),
    "none": ("不参与", "No part"),
}


class Contact(Shape):
    """A person at the customer."""

    name = shapes.text("姓名", "Name", limit=80, required=True)
    title = shapes.text("职务", "Title", limit=80)
    phone = shapes.text("电话", "Phone", limit=40)
    part_in_decisions = shapes.choice("决策角色", "Part in decisions", DECIDING)


class Customer(Shape):
    """K1: a dealer, sub-dealer, store, key account or consumer."""

    name = shapes.text("客户名称", "Name", limit=120, required=True, writers=BOTH)
    customer_type = shapes.choice("客户类型", "Type", TYPES, required=True, writers=BOTH)
    number = shapes.text("客户编号", "Customer number", limit=80, writers=OFFICE)
    dealer = shapes.reference("所属经销商", "Dealer above", "customer", writers=BOTH)
    address = shapes.text("地址", "Address", limit=300, writers=BOTH)
    phone = shapes.text("电话", "Phone", limit=40, writers=BOTH)
    position = shapes.position("位置", "Position")
    contacts = shapes.listing("联系人", "Contacts", shapes.inner("联系人", "Contact", Contact))
    channel = shapes.text("渠道", "Channel", limit=80, writers=BOTH)
    customer_class = shapes.choice("客户等级", "Class", CLASSES, writers=BOTH)
    tier = shapes.choice("客户层级", "Tier", TIERS, writers=BOTH)
    business_profile = shapes.text("经营概况", "Business profile", limit=4000)
    credit_note = shapes.text("信用情况", "Credit note", limit=2000, writers=BOTH)
    region = shapes.key("区域", "Region", writers=BOTH, rule="authority", owner="office")
    owner = shapes.key("负责业务员", "Owner rep", writers=OFFICE, rule="authority", owner="office")
    flags = shapes.flags(CLAIM_FLAGS)


RENEWALS = {"renewed": ("已续签", "Renewed"), "not_renewed": ("不续签", "Not renewed")}


class Licence(Shape):
    """K6: where a dealer may sell what, and until when; what was agreed is never changed."""

    dealer = shapes.reference("经销商", "Dealer", "customer", required=True, rule="frozen")
    number = shapes.text("授权编号", "Licence number", limit=80, writers=BOTH)
    regions = shapes.listing(
        "授权区域", "Regions", shapes.key("区域", "Region"), required=True, rule="frozen"
    )
    products = shapes.listing(
        "授权产品", "Products", shapes.text("产品", "Product", limit=120), most=200,
        required=True, rule="frozen",
    )  # fmt: skip
    start = shapes.date("开始日期", "First day", required=True, rule="frozen")
    end = shapes.date("结束日期", "Last day", rule="frozen")
    online_sales = shapes.yes_no("允许线上销售", "Online sales", rule="frozen")
    ended_on = shapes.date("提前终止日期", "Ended early on", writers=BOTH)
    renewal = shapes.choice("续签", "Renewal", RENEWALS, writers=BOTH)
    note = shapes.text("备注", "Note", limit=2000, writers=BOTH)
    renew_from = shapes.date("建议续签日期", "Renewal proposed from", writers=SERVER)
    flags = shapes.flags({})


class PermitLine(Shape):
    """X12: how much of one product."""

    product = shapes.text("产品", "Product", limit=120, required=True)
    quantity = shapes.integer("数量", "Quantity", least=1, required=True)
    unit = shapes.choice("单位", "Unit", UNITS, required=True)


class Permit(Shape):
    """X12: goods that a dealer takes into another market, as agreed beforehand."""

    dealer = shapes.reference("经销商", "Dealer", "customer", required=True, rule="frozen")
    number = shapes.text("备案编号", "Permit number", limit=80, writers=BOTH)
    market = shapes.key("目标市场", "Market", required=True, rule="frozen")
    lines = shapes.listing(
        "货物明细", "Goods", shapes.inner("货物", "Line", PermitLine), most=200,
        required=True, rule="frozen",
    )  # fmt: skip
    start = shapes.date("开始日期", "First day", required=True, rule="frozen")
    end = shapes.date("结束日期", "Last day", required=True, rule="frozen")
    local_dealer = shapes.text("当地经销商", "Local dealer", limit=120, rule="frozen")
    consent_by = shapes.text("同意人", "Consent by", limit=80, required=True, rule="frozen")
    consent_on = shapes.date("同意日期", "Consent on", required=True, rule="frozen")
    reason = shapes.text("原因", "Reason", limit=2000)
    flags = shapes.flags({})
