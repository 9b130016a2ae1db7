// Keeps on this phone what was typed, chosen and handed in, until the server has all of it.
//
// One entry per link: {draft: {text, photos}, parcels: [...]}. A parcel is what was handed in at
// once, under an id of its own; it never changes but for what the server said about it.

const NAME = "fieldstamp-links";
const STORE = "entries";
const EMPTY = { draft: { text: "", photos: [] }, parcels: [] };

const settled = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

function open() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return settled(request);
}

/** The entry of one link; every change is on the disk when its promise resolves. */
export class Drafts {
  constructor(database, link) {
    this.database = database;
    this.link = link;
  }

  /** Rejects where this browser keeps nothing. */
  static async open(link) {
    return new Drafts(await open(), link);
  }

  /** The entry as it stands. */
  async read() {
    const store = this.database.transaction(STORE).objectStore(STORE);
    return (await settled(store.get(this.link))) ?? structuredClone(EMPTY);
  }

  /** Changes the entry in one transaction, so that two pages of one link lose nothing. */
  async change(edit) {
    const work = this.database.transaction(STORE, "readwrite", { durability: "strict" });
    const store = work.objectStore(STORE);
    const done = new Promise((resolve, reject) => {
      work.oncomplete = resolve;
      work.onabort = work.onerror = () => reject(work.error);
    });
    const entry = (await settled(store.get(this.link))) ?? structuredClone(EMPTY);
    edit(entry);
    store.put(entry, this.link);
    await done;
    return entry;
  }

  /** Changes one parcel. */
  changeParcel(id, edit) {
    return this.change((entry) => {
      const parcel = entry.parcels.find((one) => one.id === id);
      if (parcel) edit(parcel);
    });
  }
}
