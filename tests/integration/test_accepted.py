"""P2, P4, P6: what was answered as accepted is stored and fed, whatever was beside it in its batch.

Batches are put together by a seed from good, bad, doubled, waiting and grouped mutations of several
devices. Both databases.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.company import Company
from tests.phone import Phone, customer, new_id

TAKEN = {"applied", "merged", "conflict"}
BATCHES = 16
Sealed = dict[str, Any]


@dataclass
class Mixer:
    """Puts together batches of one phone, with everything that devices ever send."""

    phone: Phone
    chance: random.Random
    known: list[Sealed] = field(default_factory=list)
    """Creates of customers by whatever phone, received or not."""
    sent: list[Sealed] = field(default_factory=list)

    def batch(self) -> list[Sealed]:
        """The next batch, in any order, with some of it twice."""
        made: list[Sealed] = []
        for _ in range(self.chance.randint(3, 12)):
            made += self.chance.choice(self._sorts())()
        made += self.chance.sample(made, len(made) // 4)
        if self.chance.random() < 0.5:
            self.chance.shuffle(made)
        self.sent += made
        return made

    def _sorts(self) -> list[Callable[[], list[Sealed]]]:
        fine = [self.good, self.child, self.group, self.withdrawal, self.edit, self.edit, self.edit]
        return [*fine, self.bad, self.bad_group, self.stranger, self.orphan, self.again]

    def good(self) -> list[Sealed]:
        made = self.phone.create("customer", customer(name=str(self.chance.random())))
        self.known.append(made)
        return [made]

    def bad(self) -> list[Sealed]:
        wrong: tuple[Any, ...] = ({"name": ""}, {"name": 7}, {}, {"customer_type": "moon"})
        return [self.phone.create("customer", self.chance.choice(wrong))]

    def stranger(self) -> list[Sealed]:
        return [self.phone.create("hologram", {"x": 1})]

    def orphan(self) -> list[Sealed]:
        return [self.phone.create("visit", {"customer": new_id(), "purpose": "routine"})]

    def child(self) -> list[Sealed]:
        if not self.known:
            return self.good()
        above = self.chance.choice(self.known)["record"]
        return [self.phone.create("visit", {"customer": above, "purpose": "routine"})]

    def edit(self) -> list[Sealed]:
        if not self.known:
            return self.good()
        values = self.chance.choice(({"phone": str(self.chance.random())}, {"name": ""}))
        about = self.chance.choice(self.known[-4:])
        return [self.phone.patch(about, self.chance.randint(0, 3), values)]

    def withdrawal(self) -> list[Sealed]:
        if not self.known or self.chance.random() < 0.7:
            return self.edit()
        return [self.phone.withdraw(self.chance.choice(self.known), self.chance.randint(1, 3))]

    def again(self) -> list[Sealed]:
        return [self.chance.choice(self.sent)] if self.sent else []

    def group(self) -> list[Sealed]:
        group = {"id": new_id(), "of": 2}
        made = self.phone.create("customer", customer(), group=group)
        self.known.append(made)
        inside = {"customer": made["record"], "purpose": "routine"}
        return [made, self.phone.create("visit", inside, group=group)]

    def bad_group(self) -> list[Sealed]:
        group = {"id": new_id(), "of": 2}
        first = self.phone.create("customer", customer(), group=group)
        return [first, self.phone.create("customer", {"name": ""}, group=group)]


@dataclass
class Answers:
    """What was said of each mutation; a final outcome is never said otherwise again."""

    final: dict[str, Sealed] = field(default_factory=dict)

    def note(self, results: list[Sealed]) -> None:
        for result in results:
            if result["outcome"] == "waiting":
                assert result["id"] not in self.final
                continue
            said = self.final.setdefault(result["id"], result)
            assert said["ack"] == result["ack"], "P2: another outcome than before"


def assert_stored_and_fed(
    answers: Answers, mutations: dict[str, Sealed], phones: dict[str, Phone], fed: dict[str, Sealed]
) -> None:
    for name, result in answers.final.items():
        mutation = mutations[name]
        phone = phones[mutation["device"]]
        told = phone.client.get(f"/v1/sync/mutations/{name}", headers=phone.device.headers)
        assert told.get_json()["ack"] == result["ack"]
        bare = {member: value for member, value in mutation.items() if member != "seal"}
        assert told.get_json()["mutation"] == bare, "P6: not as it was sealed"
        if result["outcome"] in TAKEN:
            assert fed[mutation["record"]]["version"] >= result["version"], result
            assert set(result.get("conflicts", ())) <= fed.keys()
        else:
            assert fed[name]["kind"] == "parked"


@pytest.mark.parametrize("seed", range(6))
def test_p2_p4_p6_what_was_accepted_is_stored_and_fed_whatever_was_beside_it(
    client: FlaskClient, company: Company, seed: int
) -> None:
    chance = random.Random(seed)
    rep = company.rep()
    devices = (rep, company.device(rep.user), company.rep("hangzhou"), company.manager())
    mixers = [Mixer(Phone(client, device), chance) for device in devices]
    for mixer in mixers[1:]:
        mixer.known = mixers[0].known
    answers = Answers()
    for _ in range(BATCHES):
        mixer = chance.choice(mixers)
        batch = mixer.batch()
        answers.note(mixer.phone.push(*batch))
    mutations = {one["id"]: one for mixer in mixers for one in mixer.sent}
    for mixer in mixers:
        answers.note(mixer.phone.push(*mixer.sent))
    phones = {mixer.phone.device.id: mixer.phone for mixer in mixers}
    assert {result["outcome"] for result in answers.final.values()} >= {"applied", "rejected"}
    fed = {item["record"]: item for item in Phone(client, company.manager()).pull_all(limit=7)}
    assert_stored_and_fed(answers, mutations, phones, fed)
    assert_each_holds_its_own(phones, fed)


def assert_each_holds_its_own(phones: dict[str, Phone], fed: dict[str, Sealed]) -> None:
    """P7: what two devices hold of a record is equal."""
    for phone in phones.values():
        for item in phone.pull_all(limit=5):
            if item["item"] == "put" and item["record"] in fed:
                assert item["hash"] == fed[item["record"]]["hash"]


def test_p6_an_edit_that_stands_before_its_create_in_a_batch_is_in_the_record(
    client: FlaskClient, company: Company
) -> None:
    phone = Phone(client, company.rep())
    made = phone.create("customer", customer())
    edit = phone.patch(made, 1, {"phone": "5"})
    results = phone.push(edit, made)
    assert [(told["outcome"], told["version"]) for told in results] == [
        ("applied", 2),
        ("applied", 1),
    ]
    [item] = phone.pull_all()
    assert (item["version"], item["data"]["phone"]) == (2, "5")
