"""All scenes by name."""

from tests.durability import in_the_office as office
from tests.durability import in_upkeep as upkeep
from tests.durability import on_the_phone as phone
from tests.durability.scenes import Scene

SCENES: dict[str, type[Scene]] = {
    scene.name: scene
    for scene in (
        phone.Saving,
        phone.Syncing,
        phone.SyncingOffice,
        office.Starting,
        office.Pushing,
        office.Uploading,
        office.Deciding,
        upkeep.Restoring,
    )
}
