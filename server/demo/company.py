"""Who and what the demonstration company is: the same values for the same seed. Data, no I/O."""

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from server.people.principal import Role

SEED = 20261122
CUSTOMERS = 200
PASSWORD = "fieldstamp-demo"  # noqa: S105 - printed for everybody; the server hears this machine only


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A region; ``lat`` and ``lon`` are the middle of a market, in degrees."""

    key: str
    zh: str
    en: str
    level: str
    parent: str | None = None
    lat: float = 0
    lon: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can log in; a grant without a place holds in the whole company."""

    username: str
    name: str
    home: str | None
    grants: tuple[tuple[Role, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerFile:
    """A customer before it has an id; ``owner`` is a username, ``place`` a market."""

    owner: str
    place: str
    fields: dict[str, Any]


PLACES = (
    Place(key="country", zh="全国", en="Country", level="company"),
    Place(key="east", zh="华东", en="East China", level="sales_centre", parent="country"),
    Place(key="south", zh="华南", en="South China", level="sales_centre", parent="country"),
    Place(key="north", zh="华北", en="North China", level="sales_centre", parent="country"),
    *(
        Place(key=key, zh=zh, en=en, level="market", parent=parent, lat=lat, lon=lon)
        for key, zh, en, parent, lat, lon in (
            ("shanghai", "上海", "Shanghai", "east", 31.2304, 121.4737),
            ("nanjing", "南京", "Nanjing", "east", 32.0603, 118.7969),
            ("hangzhou", "杭州", "Hangzhou", "east", 30.2741, 120.1551),
            ("guangzhou", "广州", "Guangzhou", "south", 23.1291, 113.2644),
            ("shenzhen", "深圳", "Shenzhen", "south", 22.5431, 114.0579),
            ("beijing", "北京", "Beijing", "north", 39.9042, 116.4074),
            ("tianjin", "天津", "Tianjin", "north", 39.0842, 117.2009),
        )
    ),
)
MARKETS = tuple(place for place in PLACES if place.level == "market")

OFFICE_NAMES = {
    Role.SALES_MANAGER: "周建国",
    Role.MARKET_OFFICER: "Helen Zhao",
    Role.MARKET_INSPECTOR: "郑凯",
    Role.LOGISTICS_OFFICER: "孙丽",
    Role.SALES_CLERK: "吴敏",
    Role.SERVICE_OFFICER: "Grace Lin",
    Role.TECHNICAL_OFFICER: "何工",
    Role.SALES_DIRECTOR: "马骏",
    Role.GENERAL_MANAGER: "高明",
    Role.FINANCE_OFFICER: "David Xu",
    Role.CASHIER: "罗静",
    Role.WAREHOUSE_OFFICER: "唐强",
    Role.ADMINISTRATOR: "Admin",
}
"""Roles that reach the whole company, with who holds them."""

PEOPLE = (
    Person(username="rep", name="张伟", home="shanghai", grants=((Role.REP, "shanghai"),)),
    Person(
        username="rep_guangzhou",
        name="Lina Chen",
        home="guangzhou",
        grants=((Role.REP, "guangzhou"), (Role.REP, "shenzhen")),
    ),
    Person(
        username="rep_nanjing",
        name="陈静",
        home="nanjing",
        grants=((Role.REP, "nanjing"), (Role.REGION_MANAGER, "east")),
    ),
    Person(
        username="rep_beijing",
        name="刘洋",
        home="beijing",
        grants=((Role.REP, "beijing"), (Role.REP, "tianjin")),
    ),
    Person(
        username="region_manager",
        name="王芳",
        home="east",
        grants=tuple((Role.REGION_MANAGER, centre) for centre in ("east", "south", "north")),
    ),
    *(
        Person(username=role.value, name=name, home=None, grants=((role, None),))
        for role, name in OFFICE_NAMES.items()
    ),
)
FIELD_CREW = ("rep", "rep_guangzhou", "rep_nanjing")
"""Whose devices work in the demonstration; the last one stands in for the region manager."""

OWNERS = {
    "shanghai": "rep",
    "hangzhou": "rep_nanjing",
    "nanjing": "rep_nanjing",
    "guangzhou": "rep_guangzhou",
    "shenzhen": "rep_guangzhou",
    "beijing": "rep_beijing",
    "tianjin": "rep_beijing",
}

STREETS_ZH = ("南京路", "人民路", "中山路", "解放路", "建设路", "和平路", "新华路", "长江路")
STREETS_EN = ("Harbour Rd", "Station Rd", "Garden St", "Canal St", "Market St", "Temple Rd")
TRADES = (
    ("store", "烟酒店", "Wine & Spirits"),
    ("store", "便利店", "Corner Store"),
    ("sub_dealer_regional", "商贸行", "Trading"),
    ("dealer", "酒业有限公司", "Liquor Co."),
    ("key_account", "大酒楼", "Grand Restaurant"),
    ("sub_dealer_main", "副食批发", "Wholesale"),
)
SURNAMES = ("王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴")
GIVEN = ("建军", "秀英", "志强", "美玲", "海涛", "晓燕", "国华", "文静")
TIERS = ("normal", "normal", "normal", "important", "large", "very_large")

PRODUCTS = (
    {"code": "LH-500", "zh": "兰花酒 500ml", "en": "Orchid 500 ml", "list_price": "168.00"},
    {"code": "LH-250", "zh": "兰花酒 250ml", "en": "Orchid 250 ml", "list_price": "92.00"},
    {"code": "QH-500", "zh": "清和酒 500ml", "en": "Clear Peace 500 ml", "list_price": "238.00"},
    {"code": "SJ-330", "zh": "山涧啤酒 330ml", "en": "Brook Beer 330 ml", "list_price": "6.50"},
)


def invent_customers(seed: int = SEED, count: int = CUSTOMERS) -> list[CustomerFile]:
    """``count`` customers spread over all markets, with Chinese and with English names."""
    chance = Random(seed)  # noqa: S311 - the same company each time, not a secret
    return [_invent_customer(chance, number) for number in range(count)]


def _invent_customer(chance: Random, number: int) -> CustomerFile:
    market = MARKETS[number % len(MARKETS)]
    trade, zh, en = TRADES[(number // len(MARKETS)) % len(TRADES)]
    house = chance.randrange(1, 400)
    if chance.random() < 0.7:
        street = chance.choice(STREETS_ZH)
        name, address = f"{market.zh}{street}{house}号{zh}", f"{market.zh}市{street}{house}号"
    else:
        street = chance.choice(STREETS_EN)
        name, address = f"{street} {house} {en}", f"{house} {street}, {market.en}"
    phone = f"1{chance.choice('3578')}{chance.randrange(10**9):09d}"
    contact = chance.choice(SURNAMES) + chance.choice(GIVEN)
    fields = {
        "name": name,
        "customer_type": trade,
        "address": address,
        "phone": phone,
        "position": position_near(chance, market),
        "contacts": [{"name": contact, "phone": phone, "part_in_decisions": "decides"}],
        "customer_class": chance.choice("ABCD"),
        "tier": chance.choice(TIERS),
    }
    return CustomerFile(owner=OWNERS[market.key], place=market.key, fields=fields)


def position_near(chance: Random, market: Place) -> dict[str, Any]:
    """A measured position within some kilometres of the middle of ``market``."""
    lat = market.lat + chance.uniform(-0.06, 0.06)
    lon = market.lon + chance.uniform(-0.06, 0.06)
    return {"lat": f"{lat:.6f}", "lon": f"{lon:.6f}", "accuracy_m": "12.0", "provider": "gps"}


def invent_master_data(today: date, seed: int = SEED) -> dict[str, Any]:
    """Products, batches and shipments, as a file beside the store."""
    chance = Random(seed)  # noqa: S311 - the same goods each time, not a secret
    batches = [
        {
            "batch": f"{product['code']}-{today:%y}{number:03d}",
            "product": product["code"],
            "made_on": f"{today - timedelta(days=30 + 9 * number):%Y-%m-%d}",
        }
        for product in PRODUCTS
        for number in range(1, 5)
    ]
    shipments = [
        {
            "batch": batch["batch"],
            "market": chance.choice(MARKETS).key,
            "pieces": chance.randrange(40, 400, 20),
            "shipped_on": f"{today - timedelta(days=chance.randrange(5, 25)):%Y-%m-%d}",
        }
        for batch in batches
    ]
    return {"products": list(PRODUCTS), "batches": batches, "shipments": shipments}
