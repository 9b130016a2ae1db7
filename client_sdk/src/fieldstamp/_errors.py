"""Every error a caller can meet, and nothing else.

::

    FieldstampError              code, retryable, action, request_id, fields
    ├── OfflineError             no answer came, or an answer that is not our server's
    │   └── PortalError          something answered, but it does not speak our protocol
    ├── ServerBusyError          429, 503: come back after ``retry_after_s``
    ├── ServerFailedError        other 5xx: the server failed, nothing is lost
    ├── RefusedError             the server understood and said no
    │   ├── LoginNeededError     401: log in again, nothing is lost
    │   ├── DeviceRevokedError   this device may only hand in what it holds
    │   ├── TooLargeError        413: ``limit`` names which limit
    │   └── AppTooOldError       426: what was saved is still handed in, nothing is received
    ├── NotEnrolledError         the store has no user yet, or has never heard from its server
    ├── InvalidFieldsError       values that cannot be saved; ``fields`` says which and why
    │   └── IllegalMoveError     the record does not stand where this could lead it on
    ├── UnknownRecordError       this store holds no such record
    └── StoreError               the file on this device
        ├── StoreBusyError       another process is syncing or writing
        ├── StorageFullError     no space left; nothing was half-saved
        ├── StoreDamagedError    the file is not whole
        └── StoreTooNewError     written by a newer version of this package

``code`` is stable and is what programs compare. ``retryable`` means that the same call can succeed
later without a change. ``action`` says what a person can do.
"""

import errno
from collections.abc import Mapping


class FieldstampError(Exception):
    """The root of every error this package raises on purpose."""

    code = "error"
    retryable = False
    action = "Report this together with the code."

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retryable: bool | None = None,
        action: str | None = None,
        request_id: str | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = self.code if code is None else code
        self.retryable = self.retryable if retryable is None else retryable
        self.action = self.action if action is None else action
        self.request_id = request_id
        self.fields = dict(fields or {})


class OfflineError(FieldstampError):
    """No usable answer came; whether the request arrived is unknown."""

    code = "offline"
    retryable = True
    action = "Everything is kept on this device. Sync again when there is a connection."


class PortalError(OfflineError):
    """Something answered that does not speak our protocol, such as a hotel's login page."""

    code = "portal"
    action = "Open a web page to log in to this network, then sync again. Everything is kept."


class ServerBusyError(FieldstampError):
    """The server asks to come back after ``retry_after_s`` seconds."""

    code = "server_busy"
    retryable = True
    action = "Everything is kept. Sync again later."

    def __init__(self, message: str, *, retry_after_s: float, request_id: str | None) -> None:
        super().__init__(message, request_id=request_id)
        self.retry_after_s = retry_after_s


class ServerFailedError(FieldstampError):
    """The server failed while answering."""

    code = "server_error"
    retryable = True
    action = "Everything is kept. Sync again later; if it stays, report the request id."


class RefusedError(FieldstampError):
    """The server understood the request and refused it."""

    code = "refused"


class LoginNeededError(RefusedError):
    """The tokens are no longer good."""

    code = "login_needed"
    action = "Log in again. Everything saved on this device is kept and will be sent."


class DeviceRevokedError(RefusedError):
    """This device was taken out of use; ``erase`` is ``scopes`` or ``all``."""

    code = "device_revoked"
    action = "Leave the device connected until everything is handed in, then return it."

    def __init__(self, message: str, *, erase: str, request_id: str | None) -> None:
        super().__init__(message, request_id=request_id)
        self.erase = erase


class TooLargeError(RefusedError):
    """The request was over a limit of the server; ``limit`` names it where known."""

    code = "too_large"

    def __init__(self, message: str, *, limit: str = "", request_id: str | None = None) -> None:
        super().__init__(message, request_id=request_id)
        self.limit = limit


class AppTooOldError(RefusedError):
    """The server no longer sends data to this version; handing in still works."""

    code = "app_too_old"
    action = "Update the app. What is saved here is still handed in."


class NotEnrolledError(FieldstampError):
    """Nothing can be sealed before the store knows its user and its server."""

    code = "not_enrolled"
    action = "Log in once while connected."


class InvalidFieldsError(FieldstampError):
    """Values that cannot be saved; ``fields`` maps each to its reason. Nothing was saved."""

    code = "validation"
    action = "Correct the named fields and save again."


class IllegalMoveError(InvalidFieldsError):
    """The record stands, as far as this device knows, where this cannot lead it on by this user.

    Nothing was saved. ``fields`` says which field would have done so, and why it may not.
    """

    code = "illegal_move"
    action = "Sync to see where the record stands by now."


class UnknownRecordError(FieldstampError):
    """This store holds no record with that id."""

    code = "unknown_record"
    action = "Sync first, or check the id."


class StoreError(FieldstampError):
    """The file on this device cannot be used."""

    code = "store"


def of_the_disk(error: OSError) -> StoreError:
    """What an error of the disk is to a person."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageFullError("there is no space left on this device")
    return StoreError(str(error), code="store_unusable")


class StoreBusyError(StoreError):
    """Another process is syncing this store, or writes for too long."""

    code = "store_busy"
    retryable = True
    action = "Wait for the other program, then try again."


class StorageFullError(StoreError):
    """There is no space left; nothing was half-saved."""

    code = "storage_full"
    retryable = True
    action = "Free some space and save again. What was saved before is kept."


class StoreDamagedError(StoreError):
    """The file is not whole."""

    code = "store_damaged"
    action = "Do not delete the file. Copy it and report this."


class StoreTooNewError(StoreError):
    """The file was written by a newer version of this package."""

    code = "store_too_new"
    action = "Update this program."
