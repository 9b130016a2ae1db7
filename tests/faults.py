"""A product fault, and whoever deals with it: for tests of the links by which dealers show it."""

import re
from dataclasses import dataclass, field

from server.people.principal import Role
from server.sync.queries import StoredRecord, children
from tests.domain.desk import Desk
from tests.links import Guest
from tests.office import Office, Rep, Reviewer

ADDRESS = re.compile(r'value="https?://[^"]+/l/([\w-]{24})"')
SHOWN = {"product": "红牛 250ml", "batch": "B20260214", "quantity": 23, "unit": "piece"}
HIDDEN = {"symptom": "老板说是司机摔的", "warranty": "over", "urgency": "urgent"}


@dataclass
class Report:
    """A fault that a rep reported, and whoever deals with it."""

    office: Office
    rep: Rep = field(init=False)
    shop: str = field(init=False)
    fault: str = field(init=False)
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        """The rep hands it in."""
        self.rep = self.office.rep(name="赵业务员")
        self.shop = self.rep.create("customer", name="曹杨好又多", customer_type="store")
        found = {"found_at": "2026-03-02T08:55:00+08:00", **SHOWN, **HIDDEN}
        self.fault = self.rep.create("product_fault", customer=self.shop, **found)
        self.desk = Desk(self.office.company)

    @property
    def path(self) -> str:
        """The page of its links."""
        return f"/records/{self.fault}/links"

    def lead(self, *moves: str) -> None:
        """The clerk registers it, the region manager says who looks."""
        self.desk.decide(self.desk.reviewer(Role.SALES_CLERK, None), self.fault, "registered")
        manager = self.desk.reviewer()
        for move in moves:
            self.desk.decide(manager, self.fault, move)

    def make(self, maker: Reviewer) -> str:
        """A link that ``maker`` makes on its page; its token."""
        made = maker.post(self.path, seen=self.path)
        found = ADDRESS.search(made.text)
        assert found is not None, made.text
        return found[1]

    def guest(self, maker: Reviewer) -> Guest:
        """The dealer, with a link that ``maker`` made."""
        return Guest(maker.client, self.make(maker))

    def supplements(self) -> list[StoredRecord]:
        """What came by links."""
        store = self.desk.company.store
        came = children(store, self.fault, "fault_supplement")
        store.rollback()  # what others write from now on is to be seen
        return came

    def state(self) -> str:
        """Where the fault stands."""
        return str(self.desk.data(self.fault)["state"])
