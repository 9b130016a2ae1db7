"""A run of events to one hook: in order, each signed anew, ended by the first that fails.

Called in a thread of its own, without the store.
"""

import http.client
import ssl
from collections.abc import Sequence

from server.clock import Clock
from server.outward import signing
from server.outward.calling import Network, Refused, Target, post
from server.outward.reports import Parcel, Report

RUN_SECONDS = 20
"""After so long a run begins no further event; the next round goes on."""
GONE = 410
LONGEST_ANSWER = 80


def post_all(
    network: Network, clock: Clock, target: Target, secret: str, parcels: Sequence[Parcel]
) -> list[Report]:
    """Sends ``parcels`` one after the other; a report of each that was tried."""
    end = clock.monotonic() + RUN_SECONDS
    reports: list[Report] = []
    for parcel in parcels:
        report = _post(network, clock, target, secret, parcel)
        reports.append(report)
        if not report.arrived or clock.monotonic() > end:
            break
    return reports


def _post(network: Network, clock: Clock, target: Target, secret: str, parcel: Parcel) -> Report:
    stamp = int(clock.now().timestamp())
    try:
        signed = signing.headers(secret, parcel.event, stamp, parcel.body)
        status = post(network, target, parcel.body, signed)
    except Refused as refusal:
        return _failed(parcel, str(refusal))
    except ssl.SSLCertVerificationError:
        return _failed(parcel, "The certificate is not the host's.")
    except (OSError, http.client.HTTPException) as error:
        return _failed(parcel, type(error).__name__)
    arrived = 200 <= status < 300  # a redirect is not followed, and is no arrival
    return Report(
        delivery=parcel.delivery, arrived=arrived, answer=str(status), gone=status == GONE
    )


def _failed(parcel: Parcel, why: str) -> Report:
    return Report(delivery=parcel.delivery, arrived=False, answer=why[:LONGEST_ANSWER])
