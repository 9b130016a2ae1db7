"""Hashes that are gone on with: only from the very place up to which they are known."""

import hashlib

from server.media import hashing
from server.media.hashing import RunningHashes


def test_m2_a_hash_goes_on_from_the_place_up_to_which_it_is_known_and_from_no_other() -> None:
    hashes = RunningHashes()
    found = hashes.take("one", place=0)
    found.update(b"counted")
    hashes.keep("one", found, place=7)
    found.update(b" and not counted")
    assert hashes.take("one", place=6) is None
    hashes.keep("one", hashlib.sha256(b"counted"), place=7)
    gone_on = hashes.take("one", place=7)
    gone_on.update(b" later")
    assert gone_on.digest() == hashlib.sha256(b"counted later").digest()


def test_m2_what_is_hashed_but_does_not_count_changes_nothing_that_is_kept() -> None:
    hashes = RunningHashes()
    found = hashlib.sha256(b"counted")
    hashes.keep("one", found, place=7)
    found.update(b" and not counted")
    assert hashes.take("one", place=7).digest() == hashlib.sha256(b"counted").digest()


def test_m2_an_upload_whose_beginning_was_not_seen_has_no_hash() -> None:
    assert RunningHashes().take("one", place=1) is None


def test_a16_uploads_that_never_end_take_no_more_room_than_there_is() -> None:
    hashes = RunningHashes()
    for number in range(hashing.MOST + 1):
        hashes.keep(str(number), hashlib.sha256(), place=1)
    assert hashes.take("0", place=1) is None
    assert hashes.take("1", place=1) is not None
