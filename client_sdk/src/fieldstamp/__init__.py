"""Fieldstamp on a device: saves field records and photos without a network, hands them in later.

>>> from fieldstamp import Client
>>> client = Client("field.db", server="https://fieldstamp.example.com")  # doctest: +SKIP

Only the names listed in ``__all__`` are public.
"""

from fieldstamp._client import Client, SyncRun
from fieldstamp._drafts import Draft, Group
from fieldstamp._errors import (
    AppTooOldError,
    DeviceRevokedError,
    FieldstampError,
    IllegalMoveError,
    InvalidFieldsError,
    LoginNeededError,
    NotEnrolledError,
    OfflineError,
    PortalError,
    RefusedError,
    ServerBusyError,
    ServerFailedError,
    StorageFullError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreTooNewError,
    TooLargeError,
    UnknownRecordError,
)
from fieldstamp._ports import (
    Clock,
    DeviceKey,
    Disk,
    Entropy,
    KeyStore,
    Request,
    Response,
    Transport,
)
from fieldstamp._transport import HttpTransport
from fieldstamp._values import (
    Mutation,
    NeedsYou,
    OutboxItem,
    Position,
    Progress,
    Record,
    Status,
    SyncReport,
)

__all__ = [
    "AppTooOldError",
    "Client",
    "Clock",
    "DeviceKey",
    "DeviceRevokedError",
    "Disk",
    "Draft",
    "Entropy",
    "FieldstampError",
    "Group",
    "HttpTransport",
    "IllegalMoveError",
    "InvalidFieldsError",
    "KeyStore",
    "LoginNeededError",
    "Mutation",
    "NeedsYou",
    "NotEnrolledError",
    "OfflineError",
    "OutboxItem",
    "PortalError",
    "Position",
    "Progress",
    "Record",
    "RefusedError",
    "Request",
    "Response",
    "ServerBusyError",
    "ServerFailedError",
    "Status",
    "StorageFullError",
    "StoreBusyError",
    "StoreDamagedError",
    "StoreError",
    "StoreTooNewError",
    "SyncReport",
    "SyncRun",
    "TooLargeError",
    "Transport",
    "UnknownRecordError",
]
