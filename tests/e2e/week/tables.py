"""All stories of the week, and what the company's tables say that they rest on. Data only."""

from collections.abc import Mapping

from tests.e2e.week.across import ACROSS_CENTRES
from tests.e2e.week.elsewhere import (
    COUNTERFEITS,
    FAULTS,
    INCIDENTS,
    INSIDE_ONE_CENTRE,
    PRICES,
    RETURNS,
    SURVEYS,
)

STORIES = (
    *ACROSS_CENTRES,
    *INSIDE_ONE_CENTRE,
    *COUNTERFEITS,
    *PRICES,
    *FAULTS,
    *RETURNS,
    *INCIDENTS,
    *SURVEYS,
)

AWAY: Mapping[str, tuple[int, int]] = {"rep_guangzhou": (0, 3), "rep_beijing": (1, 6)}
"""Whose device is out of reach, from the first day on until the other."""

PRODUCTS = """Product code,Chinese name,List price,Currency,Bottle per piece,Box per piece
LH,兰花酒,168.00,CNY,6,1
"""
BATCHES = "Batch number,Product code\n" + "".join(
    f"{batch},LH\n"
    for batch in ("G-1", "G-2", "G-3", "G-4", "T-1", "H-1", "J-1", "P-1", "P-2", "L-1")
)
CUSTOMERS = """Customer number,Name,Type,Region,Owner rep,Dealer above
D-SH,上海总经销,dealer,上海,rep,
D-GZ,广州丰源贸易,dealer,广州,rep_guangzhou,
S-1,番禺分销,sub_dealer_main,广州,rep_guangzhou,D-GZ
S-2,花都分销,sub_dealer_main,广州,rep_guangzhou,D-GZ
D-SZ,深圳华强酒业,dealer,深圳,rep_guangzhou,
D-PM,深圳有备案酒业,dealer,深圳,rep_guangzhou,
D-PX,深圳备案过期酒业,dealer,深圳,rep_guangzhou,
D-LI,深圳双授权酒业,dealer,深圳,rep_guangzhou,
D-HZ,杭州湖滨酒业,dealer,杭州,rep_nanjing,
D-TJ,天津海河酒业,dealer,天津,rep_beijing,
"""
SHIPMENTS = """Delivery note,Batch number,Product code,Shipped on,Customer number,Market,数量,单位
N1,G-1,LH,2026-02-01,D-GZ,广州,2000,piece
N2,G-2,LH,2026-02-01,S-1,广州,200,piece
N3,G-3,LH,2026-02-01,S-2,广州,200,piece
N4,G-4,LH,2026-02-01,D-GZ,广州,200,piece
N5,T-1,LH,2026-02-01,D-GZ,广州,100,piece
N6,T-1,LH,2026-02-02,D-SZ,深圳,100,piece
N7,H-1,LH,2026-02-01,D-HZ,杭州,900,piece
N8,J-1,LH,2026-02-01,D-TJ,天津,300,piece
N9,P-1,LH,2026-02-01,D-PM,深圳,300,piece
N10,P-2,LH,2026-02-01,D-PX,深圳,300,piece
N11,L-1,LH,2026-02-01,D-LI,深圳,300,piece
"""
ALLIANCE = 'coast = ["上海", "天津"]'
PERMIT = {
    "lines": [{"product": "LH", "quantity": 100, "unit": "piece"}],
    "start": "2026-02-01",
    "consent_by": "上海总经销",
    "consent_on": "2026-01-20",
}
PERMITS = {"D-PM": "2026-03-31", "D-PX": "2026-03-01"}
"""Dealer → the last day of its permit for Shanghai."""
