"""The server in the conversations of the contract. Both databases."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from server.people import rights
from server.sync.push import Envelope, push_batch
from tests.company import Company
from tests.phone import Phone, new_id

TRANSCRIPTS = json.loads((Path(__file__).with_name("vectors") / "transcripts.json").read_text())
CASES = [pytest.param(case["steps"], id=case["name"]) for case in TRANSCRIPTS["transcripts"]]


class Stage:
    """The actors, and what they have said."""

    def __init__(self, client: FlaskClient, company: Company) -> None:
        self.company = company
        self.phones = {
            "rep": Phone(client, company.rep("shanghai")),
            "manager": Phone(client, company.manager("east")),
            "other": Phone(client, company.rep("guangzhou")),
        }
        self.said: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, str] = {}
        self.cursors: dict[str, str] = {}

    def play(self, step: dict[str, Any]) -> None:
        """One step."""
        if "office" in step:
            self.hand_over(step)
        elif "pull" in step:
            self.pull(step)
        else:
            fresh = [self.seal(step["by"], told) for told in step.get("push", step.get("seal", []))]
            sent = fresh if "push" in step else [self.said[name] for name in step.get("again", [])]
            if "expect" in step:
                results = self.phones[step["by"]].push(*sent)
                assert len(results) == len(step["expect"])
                for result, expected in zip(results, step["expect"], strict=True):
                    self.match(result, expected)

    def seal(self, by: str, told: dict[str, Any]) -> dict[str, Any]:
        """The mutation that ``told`` abbreviates, sealed by ``by``."""
        record = self.said[told["of"]] if "of" in told else None
        whole = {"base": 0, "record": record["record"] if record else new_id()}
        whole |= {"kind": record["kind"]} if record else {}
        whole |= {name: value for name, value in told.items() if name not in {"as", "of"}}
        if "group" in told:
            group = self.groups.setdefault(told["group"]["as"], new_id())
            whole["group"] = {"id": group, "of": told["group"]["of"]}
        if "after" in told:
            whole["after"] = self.said[told["after"]["mutation"]]["id"]
        if "set" in told:
            whole["set"] = {name: self.value(value) for name, value in told["set"].items()}
        self.said[told["as"]] = self.phones[by].seal(whole)
        return self.said[told["as"]]

    def value(self, value: Any) -> Any:
        """A value, with names of records put in."""
        if isinstance(value, dict) and set(value) == {"record"}:
            return self.said[value["record"]]["record"]
        return value

    def match(self, found: Any, expected: dict[str, Any]) -> None:
        """Each member of ``expected`` stands in ``found``."""
        for name, value in expected.items():
            if name == "absent":
                assert not set(value) & set(found), found
            elif name == "of":
                assert found["record"] == self.said[value]["record"], found
            elif isinstance(value, dict):
                self.match(found[name], value)
            else:
                assert found.get(name) == value, (name, found)

    def pull(self, step: dict[str, Any]) -> None:
        """A page, which brings what is expected and nothing else."""
        cursor = self.cursors.get(step["by"]) if step["pull"] == "next" else None
        page = self.phones[step["by"]].pull(cursor)
        self.cursors[step["by"]] = page["cursor"]
        assert len(page["items"]) == len(step["expect"]), page["items"]
        for item, expected in zip(page["items"], step["expect"], strict=True):
            self.match(item, expected)

    def hand_over(self, step: dict[str, Any]) -> None:
        """The office gives a customer to another rep."""
        to, company = self.phones[step["to"]], self.company
        sender = rights.load_principal(company.store, company.user(region="east"), device=None)
        made = self.said[step["of"]]
        mutation = {
            "id": new_id(),
            "action": "patch",
            "kind": made["kind"],
            "record": made["record"],
            "base": 1,
            "set": {"owner": to.device.user, "region": company.regions["guangzhou"]},
        }
        envelope = Envelope(sender=sender, writer="server")
        push_batch(company.services.sync, company.store, envelope, [mutation])


@pytest.mark.parametrize("steps", CASES)
def test_a_conversation_goes_as_the_contract_says(
    steps: list[dict[str, Any]], client: FlaskClient, company: Company
) -> None:
    stage = Stage(client, company)
    for step in steps:
        stage.play(step)
