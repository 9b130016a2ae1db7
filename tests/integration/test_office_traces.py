"""X5 on the pages: logistics types where one batch went."""

import pytest
from flask import Flask

from server.people.principal import Role
from server.sync.queries import children
from tests.company import Company
from tests.domain.disputes import Dispute
from tests.office import Office

ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
ROWS = {
    "market": ["广州", "上海", ""],
    "customer": ["C-1", "C-2", ""],
    "quantity": ["30", "5", ""],
    "unit": ["piece", "box", ""],
}


@ON_SQLITE
def test_x5_logistics_types_several_customers_of_one_batch(app: Flask, company: Company) -> None:
    dispute, office = Dispute(company), Office(app, company)
    found = dispute.submitted()
    dispute.look()
    (trace,) = children(company.store, found, "batch_trace")
    logistics = office.reviewer(Role.LOGISTICS_OFFICER, None)
    assert 'aria-label="Customer 2"' in logistics.page(f"/records/{trace.id}")
    several = {f"shipped_to_several_shipments_{name}": said for name, said in ROWS.items()}
    wrong = {**several, "shipped_to_several_shipments_market": ["广州", "", ""]}
    assert logistics.decide(trace.id, "shipped_to_several", **wrong).status_code == 422
    assert logistics.decide(trace.id, "shipped_to_several", **several).status_code == 302
    company.store.rollback()
    assert dispute.data(trace.id)["answers"] == [
        {"market": "广州", "customer": "C-1", "quantity": 30, "unit": "piece"},
        {"market": "上海", "customer": "C-2", "quantity": 5, "unit": "box"},
    ]
    dispute.look()
    assert "derived_accused" not in dispute.data(found)
    assert [one["dealer"] for one in dispute.data(found)["sources"]] == ["C-1", "C-2"]
