"""The device keys of a plain store, kept inside the store itself."""

from fieldstamp import _wire
from fieldstamp._ports import Entropy
from fieldstamp._seal import Ed25519Key
from fieldstamp._store import Store


class StoreKeys:
    """Keeps Ed25519 keys in the store; a phone brings a KeyStore over its key hardware."""

    def __init__(self, store: Store, entropy: Entropy) -> None:
        self._store = store
        self._entropy = entropy

    def device_key(self, device: str) -> Ed25519Key:
        """The key of ``device``, made durably the first time."""
        name = f"key {device}"
        with self._store.read() as transaction:
            kept = transaction.value(name)
        if kept is None:
            kept = self._make(name)
        return Ed25519Key(_wire.from_base64(kept))

    def _make(self, name: str) -> str:
        with self._store.write() as transaction:
            kept = transaction.value(name)
            if kept is None:
                kept = _wire.to_base64(self._entropy.secret(32))
                transaction.keep(name, kept)
        return str(kept)
