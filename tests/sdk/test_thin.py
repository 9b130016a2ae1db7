"""The whole way once: enrol, save, attach, push, upload, verify."""

from fieldstamp import Client
from tests.sdk.office import Office


def test_p3_a_visit_with_a_photo_reaches_the_server_and_is_said_to_be_synced(
    client: Client, office: Office
) -> None:
    visit = client.create("visit", {"purpose": "routine"})
    photo = client.attach(visit, b"\xff\xd8\xff" + b"x" * 700_000, tag="goods")
    report = client.sync().run()
    assert report.reason is None, report
    assert report.synced
    assert report.sent == 2
    assert report.photos_verified == 1
    assert next(iter(office.uploads.values())).content == client.original(photo.id)
    assert client.status().synced
    assert client.outbox() == []
