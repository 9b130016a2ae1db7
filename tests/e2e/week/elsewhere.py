"""What else befell the company: inside one centre, counterfeits, prices, faults. Data only."""

from tests.e2e.week.story import (
    DEALER_ALONE,
    IN_THE_REGION,
    STANDING_IN,
    UPHELD,
    WHOLE_WAY,
    WITH_CONFIRMATION,
    Story,
)

INSIDE_ONE_CENTRE = (
    Story(
        name="Inside one centre, nobody of the company signed",
        rule="X3",
        ends="unsigned",
        goods=("30 piece H-1",),
        signed=DEALER_ALONE,
        clocks="unsigned!",
        waits_for=("region_manager", "sales_manager"),
    ),
    Story(
        name="Inside one centre, the region manager signed",
        rule="X7",
        ends="upheld",
        goods=("30 piece H-1",),
        then=(*IN_THE_REGION, "+2 10:00 region_manager upheld"),
        clocks=WHOLE_WAY,
        points={"competence": "no"},
        accused="D-HZ",
    ),
    Story(
        name="Inside one centre, the sales manager stood in",
        rule="X3",
        ends="dismissed",
        goods=("30 piece H-1",),
        signed=STANDING_IN,
        then=(*IN_THE_REGION, "+2 10:00 region_manager dismissed"),
        clocks=WHOLE_WAY,
        accused="D-HZ",
    ),
    Story(
        name="Inside one centre, both signed, so the market department decides",
        rule="X4",
        ends="upheld",
        goods=("30 piece H-1",),
        signed=WITH_CONFIRMATION,
        then=UPHELD,
        clocks=WHOLE_WAY,
        points={"competence": "yes"},
        accused="D-HZ",
    ),
    Story(
        name="Inside one sales alliance, the region decides",
        rule="X4",
        ends="inconclusive",
        goods=("30 piece J-1",),
        then=(*IN_THE_REGION, "+2 10:00 region_manager inconclusive"),
        clocks=WHOLE_WAY,
        points={"competence": "no"},
        accused="D-TJ",
    ),
)

COUNTERFEIT = "counterfeit_report"
SEEN = ("+0 16:00 market_officer accepted", "+1 16:00 market_officer facts_verified")
COUNTERFEITS = (
    Story(
        name="Three bottles with a blurred label",
        rule="X10",
        kind=COUNTERFEIT,
        ends="confirmed",
        goods=("3 bottle -",),
        then=(*SEEN, "+2 10:00 market_officer confirmed"),
        clocks="intake facts decision",
    ),
    Story(
        name="A cap without a code, and yet genuine",
        rule="X10",
        kind=COUNTERFEIT,
        ends="genuine",
        goods=("1 piece -",),
        then=(*SEEN, "+2 10:00 market_officer genuine"),
        clocks="intake facts decision",
    ),
    Story(
        name="A cheap box that its finder takes back",
        rule="X9",
        kind=COUNTERFEIT,
        ends="withdrawn",
        goods=("1 box -",),
        then=("+0 12:00 rep takes_back",),
        clocks="intake",
    ),
)

PRICE = "price_report"
CHEAP = {"product": "LH", "unit": "piece", "price_found": "120.00"}
AT_LIST_PRICE = {**CHEAP, "price_found": "168.00"}
PRICES = (
    Story(
        name="Below the list in Shanghai, by somebody of Hangzhou",
        rule="X15",
        kind=PRICE,
        ends="upheld",
        fields={"lines": [CHEAP], "currency": "CNY", "source_market": "杭州"},
        then=(
            "+0 16:00 region_manager accepted",
            "+2 10:00 region_manager facts_verified",
            "+2 10:00 region_manager upheld",
        ),
        clocks="intake facts decision",
    ),
    Story(
        name="Below the list in Shanghai, by somebody of Guangzhou",
        rule="X15",
        kind=PRICE,
        ends="upheld",
        fields={"lines": [CHEAP], "currency": "CNY", "source_market": "广州"},
        then=(
            "+0 16:00 market_officer accepted",
            "+2 10:00 market_officer facts_verified",
            "+2 10:00 market_officer upheld",
        ),
        clocks="intake facts decision",
    ),
    Story(
        name="At the list price nobody breaks it",
        rule="X15",
        kind=PRICE,
        ends="dismissed",
        fields={"lines": [AT_LIST_PRICE], "currency": "CNY", "source_market": "广州"},
        then=(
            "+0 16:00 market_officer accepted",
            "+2 10:00 market_officer facts_verified",
            "+2 10:00 market_officer dismissed",
        ),
        clocks="intake facts decision",
    ),
)

FAULT, RETURN, INCIDENT = "product_fault", "faulty_goods_return", "incident"
LOOKED_AT = (
    "+0 16:00 sales_clerk registered",
    "+1 10:00 region_manager goes",
    "+2 10:00 region_manager seen",
    "+2 10:00 sales_director opinion_given opinion=同意",
)
HANDS = "register acknowledge on_site opinion technical"
TOLD = ("+3 16:00 service_officer done", "+4 10:00 region_manager closed")
LEAKS = {"customer": "#D-SH", "quantity": 12, "unit": "piece", "symptom": "瓶口漏液"}
FAULTS = (
    Story(
        name="A leak that is repaired",
        rule="F2",
        kind=FAULT,
        ends="closed",
        fields=LEAKS,
        then=(*LOOKED_AT, "+3 10:00 technical_officer repair", *TOLD),
        clocks=f"{HANDS} do acknowledge_result",
    ),
    Story(
        name="A leak that is exchanged",
        rule="F2",
        kind=FAULT,
        ends="closed",
        fields=LEAKS,
        then=(*LOOKED_AT, "+3 10:00 technical_officer exchange", *TOLD),
        clocks=f"{HANDS} do acknowledge_result",
    ),
    Story(
        name="A leak that is taken back",
        rule="F2",
        kind=FAULT,
        ends="closed",
        fields=LEAKS,
        then=(*LOOKED_AT, "+3 10:00 technical_officer take_back", *TOLD),
        clocks=f"{HANDS} do acknowledge_result",
    ),
    Story(
        name="A stain that is refused",
        rule="F2",
        kind=FAULT,
        ends="closed",
        fields=LEAKS,
        then=(
            *LOOKED_AT,
            "+3 10:00 technical_officer refused",
            "+4 10:00 region_manager closed",
        ),
        clocks=f"{HANDS} acknowledge_result",
    ),
    Story(
        name="A fault without a batch is sent back and taken back",
        rule="F2",
        kind=FAULT,
        ends="withdrawn",
        fields=LEAKS,
        then=("+0 16:00 sales_clerk returned", "+1 09:00 rep takes_back"),
        clocks="register mend",
    ),
)
RETURNS = (
    Story(
        name="Eight pieces come back",
        rule="F5",
        kind=RETURN,
        ends="approved",
        day=1,
        fields={"fault": "@A leak that is exchanged", "received": 8, "exchanged": 8},
        then=("+0 16:00 service_officer approved",),
        clocks="approve",
    ),
    Story(
        name="Four more would be right, and are refused",
        rule="F5",
        kind=RETURN,
        ends="refused",
        day=1,
        fields={"fault": "@A leak that is taken back", "received": 4},
        then=("+0 16:00 service_officer refused",),
        clocks="approve",
    ),
    Story(
        name="Thirteen of twelve pieces do not come back",
        rule="F5",
        kind=RETURN,
        ends="parked",
        day=1,
        fields={"fault": "@A leak that is repaired", "received": 13},
    ),
)
INCIDENTS = (
    Story(
        name="An inspection that is reported at once",
        rule="F3",
        kind=INCIDENT,
        ends="closed",
        fields={"type": "inspection", "what": "市监局抽检", "minutes_ago": 5},
        then=(
            "+0 16:00 service_officer answered_plain",
            "+1 16:00 service_officer solved outcome=合格",
            "+1 16:00 service_officer closed satisfaction=5",
        ),
        clocks="answer solve satisfaction",
    ),
    Story(
        name="A complaint that was written down in time and arrived three days later",
        rule="F3",
        kind=INCIDENT,
        by="rep_guangzhou",
        ends="closed",
        fields={"type": "complaint_met", "what": "客户当面投诉送货迟"},
        then=(
            "+3 16:00 service_officer answered_complex",
            "+5 10:00 service_officer progress",
            "+5 10:00 service_officer solved outcome=道歉并补货",
            "+5 10:00 service_officer closed satisfaction=4",
        ),
        clocks="answer progress progress satisfaction",
        flags=("arrived_late",),
    ),
    Story(
        name="The press asked two hours before it was reported",
        rule="F3",
        kind=INCIDENT,
        ends="plain",
        day=4,
        fields={"type": "press", "what": "记者来电", "minutes_ago": 120},
        then=("+0 16:00 service_officer answered_plain",),
        clocks="answer solve",
        flags=("made_late",),
        waits_for=("service_officer",),
    ),
    Story(
        name="A complaint after whose end the rep calls again",
        rule="F4",
        kind=INCIDENT,
        ends="closed",
        fields={"type": "complaint", "what": "包装破损", "customer": "#D-SH"},
        then=(
            "+0 16:00 service_officer answered_plain",
            "+1 16:00 service_officer solved outcome=换货",
            "+1 16:00 service_officer revisit satisfaction=4",
            "+3 09:00 rep visits #D-SH",
            "+3 16:00 region_manager reviews",
        ),
        clocks="answer solve satisfaction revisit",
    ),
)
SURVEYS = (
    Story(
        name="A dealer is asked how satisfied it is",
        rule="F7",
        kind="survey",
        ends="",
        day=2,
        fields={"customer": "#D-SH", "product": 4, "service": 5},
    ),
)
