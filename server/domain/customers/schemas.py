"""The shape of a customer (K1). Shapes only."""

from server.domain import shapes
from server.domain.shapes import BOTH, OFFICE, Shape
from server.domain.vocabulary import CLAIM_FLAGS

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

    name = shapes.text("客户名称", "Name", limit=120, required=True)
    customer_type = shapes.choice("客户类型", "Type", TYPES, required=True)
    address = shapes.text("地址", "Address", limit=300)
    phone = shapes.text("电话", "Phone", limit=40)
    position = shapes.position("位置", "Position")
    contacts = shapes.listing("联系人", "Contacts", shapes.inner("联系人", "Contact", Contact))
    channel = shapes.text("渠道", "Channel", limit=80)
    customer_class = shapes.choice("客户等级", "Class", CLASSES, writers=BOTH)
    tier = shapes.choice("客户层级", "Tier", TIERS, writers=BOTH)
    business_profile = shapes.text("经营概况", "Business profile", limit=4000)
    credit_note = shapes.text("信用情况", "Credit note", limit=2000, writers=BOTH)
    region = shapes.key("区域", "Region", writers=BOTH, rule="authority", owner="office")
    owner = shapes.key("负责业务员", "Owner rep", writers=OFFICE, rule="authority", owner="office")
    flags = shapes.flags(CLAIM_FLAGS)
