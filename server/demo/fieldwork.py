"""What a rep does with the client library on a day in the field. Nothing here uses a network."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

from fieldstamp import Client, Position, Record
from server.demo.drawing import draw_pictures, draw_signature
from server.demo.job import CaseFound, Job

FAR_DEGREES = 0.02
"""About two kilometres: a check-in from elsewhere."""
NEAR_DEGREES = 0.0005
TOPICS = ("陈列与补货", "新品试销", "Price list for next quarter", "节日促销安排", "Delivery times")
NEEDS = ("需要新的价签", "Wants smaller boxes", "希望增加冰柜", "None")
EVALUATIONS = ("客户配合", "Open to a second order", "需要主管支持")
KINDS = ("transport", "meal", "lodging")


class Pictures:
    """The pictures that this device takes, by what they show; each is taken once before any again.

    A picture of the caller's own shows anything.
    """

    def __init__(self, files: list[Path]) -> None:
        self._any = cycle(files)
        self._by_tag: dict[str, Iterator[Path]] = {}
        for tag in {file.stem.rpartition("-")[0] for file in files}:
            named = [file for file in files if file.stem.rpartition("-")[0] == tag]
            self._by_tag[tag] = cycle(named)

    def take(self, tag: str) -> Path:
        """The next picture of ``tag``."""
        return next(self._by_tag.get(tag, self._any))


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A rep with a device, somewhere between customers."""

    job: Job
    client: Client
    pictures: Pictures
    chance: Random
    now: datetime


def start_day(job: Job, client: Client, *, now: datetime) -> Day:
    """A day of ``job`` that ends at ``now``, with a camera full of pictures."""
    chance = Random(job.seed)  # noqa: S311 - the same day each time, not a secret
    files = [Path(name) for name in job.photos] or _draw(job, client)
    return Day(job=job, client=client, pictures=Pictures(files), chance=chance, now=now)


def _draw(job: Job, client: Client) -> list[Path]:
    """As many pictures as the day needs, in a folder beside the device's store."""
    wanted = {"store_front": job.visits, "display": job.visits, "receipt": job.visits // 2 + 1}
    if job.cases:
        tags = client.kinds()["policy"]["required_tags"]
        wanted |= dict.fromkeys(tags, len(job.cases))
    return draw_pictures(Path(job.store).with_name("camera"), wanted, seed=job.seed)


def work(day: Day) -> None:
    """Visits with reports and receipts, and what else befalls this rep."""
    mine = [c for c in day.client.records("customer") if c.get("owner") == day.client.status().user]
    stops = day.chance.sample(mine, k=min(day.job.visits, len(mine)))
    for number, customer in enumerate(stops):
        visit = _visit(day, customer, number)
        if number % 3 != 2:
            _report(day, visit)
        if number % 2 == 0:
            _receipt(day, visit, number)
    _register(day)
    _correct_phone(day)
    for found in day.job.cases:
        _find_goods(day, found)


def sign_cases(job: Job, client: Client) -> None:
    """A region manager signs the cases that wait for it."""
    chance = Random(job.seed)  # noqa: S311 - the same hand each time, not a secret
    for case in client.records("cross_region_case"):
        if case.get("state") == "unsigned":
            _sign(client, chance, case, part="region_manager", signer=job.name)


def _visit(day: Day, customer: Record, number: int) -> Record:
    arrived = day.now - timedelta(hours=day.job.visits - number, minutes=50)
    is_store = customer["customer_type"] == "store"
    fields: dict[str, Any] = {
        "customer": customer,
        "purpose": "store_check" if is_store else day.chance.choice(("routine", "follow_up")),
        "method": "on_site",
        "check_in": {"at": arrived, "position": _position(day, customer, far=number == 1)},
        "check_out": {
            "at": arrived + timedelta(minutes=40),
            "position": _position(day, customer, far=False),
        },
        "met": [{"name": customer["contacts"][0]["name"], "part": "owner"}],
        "topics": day.chance.choice(TOPICS),
        "needs": day.chance.choice(NEEDS),
        "attitude": day.chance.choice(("friendly", "friendly", "neutral")),
        "satisfaction": day.chance.randint(2, 5),
        "result": day.chance.choice(("done", "done", "partly")),
        "next_contact": (arrived + timedelta(days=14)).date(),
    }
    visit = day.client.create(
        "visit", fields | ({"checklist": _checklist(day)} if is_store else {})
    )
    _attach(day, visit, "store_front", source="app_camera")
    if is_store or number == 0:
        _attach(day, visit, "display", source="gallery" if number == 0 else "app_camera")
    signer = customer["contacts"][0]["name"]
    _sign(day.client, day.chance, visit, part="customer", signer=signer)
    return visit


def _position(day: Day, customer: Record, *, far: bool) -> dict[str, object]:
    known = customer["position"]
    away = FAR_DEGREES if far else day.chance.uniform(-NEAR_DEGREES, NEAR_DEGREES)
    return Position(
        lat=Decimal(known["lat"]) + Decimal(f"{away:.6f}"),
        lon=Decimal(known["lon"]),
        accuracy_m=Decimal(day.chance.randint(5, 30)),
        age_s=day.chance.randint(0, 60),
        provider="gps",
    ).wire()


def _checklist(day: Day) -> dict[str, object]:
    policy = day.client.kinds()["policy"]
    answers = ("pass", "pass", "pass", "fail", "na")
    return {
        "version": policy["checklist_version"],
        "answers": [
            {"item": item, "answer": day.chance.choice(answers)} for item in policy["checklist"]
        ],
    }


def _attach(day: Day, parent: Record, tag: str, *, source: str) -> None:
    day.client.attach(parent, day.pictures.take(tag), tag=tag, source=source, captured=day.now)


def _sign(client: Client, chance: Random, parent: Record, *, part: str, signer: str) -> None:
    strokes = [[chance.randint(0, 300), chance.randint(0, 120)] for _ in range(24)]
    image = draw_signature(signer)
    client.sign(parent, part=part, signer=signer, image=image, strokes=strokes)


def _report(day: Day, visit: Record) -> None:
    fields = {
        "visit": visit,
        "summary": f"{visit['topics']}。{visit['needs']}",
        "evaluation": day.chance.choice(EVALUATIONS),
    }
    report = day.client.create("visit_report", fields)
    with day.client.edit(report.id) as draft:
        draft["next_steps"] = day.chance.choice(TOPICS)


def _receipt(day: Day, visit: Record, number: int) -> None:
    fields = {
        "kind": KINDS[number % len(KINDS)],
        "amount": Decimal(day.chance.randrange(1200, 48000)) / 100,
        "currency": "CNY",
        "date": day.now.date(),
        "seller": day.chance.choice(("滴滴出行", "如家酒店", "Blue Cab", "老王面馆")),
        "number": f"{day.chance.randrange(10**8):08d}",
        "visit": visit,
    }
    receipt = day.client.create("receipt", fields)
    _attach(day, receipt, "receipt", source="app_camera")


def _register(day: Day) -> None:
    """A prospect; where the region is out of reach, the server refuses and keeps it."""
    fields = {"name": f"{day.job.name} 新客户", "customer_type": "store", "phone": "021-55550100"}
    region = {"region": day.job.out_of_reach} if day.job.out_of_reach else {}
    day.client.create("customer", fields | region)


def _correct_phone(day: Day) -> None:
    if day.job.contested is None:
        return
    with day.client.edit(day.job.contested) as draft:
        draft["phone"] = day.job.contested_phone


def _find_goods(day: Day, found: CaseFound) -> None:
    fields = {
        "affected_market": found.affected_market,
        "accused": found.accused,
        "source_market": found.source_market,
        "finder": day.job.name,
        "lines": found.lines,
        "vehicle_plate": f"苏A{day.chance.randrange(10**5):05d}",
        "place": "批发市场东门 / East gate of the wholesale market",
        "found_at": day.now - timedelta(hours=2),
        "storage_place": "3 号仓 / Warehouse 3",
        "price_found": Decimal("139.00"),
        "currency": "CNY",
    }
    case = day.client.create("cross_region_case", fields)
    for tag in day.client.kinds()["policy"]["required_tags"]:
        _attach(day, case, tag, source="app_camera")
    _sign(day.client, day.chance, case, part="affected_dealer", signer="钱老板")
