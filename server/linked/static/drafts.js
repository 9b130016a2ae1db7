// Keeps on this phone what was typed, chosen and handed in, until the server has all of it.
//
// One entry per link: {draft: {text, photos}, parcels: [...]}. A parcel is what was handed in at
// once, under an id of its own; it never changes but for what the server said about it. The bytes
// of photos lie beside the entries, so that a typed letter does not write them again.

const NAME = "fieldstamp-links";
const [ENTRIES, CONTENTS] = ["entries", "contents"];
const EMPTY = { draft: { text: "", photos: [] }, parcels: [] };

const isWanted = ({ draft, parcels }, id) => [draft, ...parcels].some(
  ({ photos }) => photos.some((one) => one.id === id && !one.arrived),
);

const settled = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

function open() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    for (const name of [ENTRIES, CONTENTS]) request.result.createObjectStore(name);
  };
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
    const store = this.database.transaction(ENTRIES).objectStore(ENTRIES);
    return (await settled(store.get(this.link))) ?? structuredClone(EMPTY);
  }

  /** The bytes of a photo; undefined where they are not here. */
  content(photo) {
    return settled(this.database.transaction(CONTENTS).objectStore(CONTENTS).get(photo.id));
  }

  /**
   * Changes the entry in one transaction, so that two pages of one link lose nothing.
   *
   * `bring` is the bytes of a photo that is new in it, by id; `drop` the ids of those to forget,
   * unless they were handed in meanwhile and have not arrived.
   */
  async change(edit, { bring = {}, drop = [] } = {}) {
    const work = this.database.transaction([ENTRIES, CONTENTS], "readwrite", { durability: "strict" });
    const [entries, contents] = [ENTRIES, CONTENTS].map((name) => work.objectStore(name));
    const done = new Promise((resolve, reject) => {
      work.oncomplete = resolve;
      work.onabort = work.onerror = () => reject(work.error);
    });
    const entry = (await settled(entries.get(this.link))) ?? structuredClone(EMPTY);
    edit(entry);
    // Bytes first: where there is no room for them, no entry may name them.
    for (const [id, blob] of Object.entries(bring)) contents.put(blob, id);
    entries.put(entry, this.link);
    for (const id of drop.filter((one) => !isWanted(entry, one))) contents.delete(id);
    await done;
    return entry;
  }

  /** A parcel that was not taken is a draft again, for a person to mend. */
  bringBack(id) {
    return this.change((entry) => {
      const [parcel] = entry.parcels.filter((one) => one.id === id);
      if (!parcel) return;
      entry.parcels = entry.parcels.filter((one) => one !== parcel);
      entry.draft.text = [parcel.text, entry.draft.text].filter(Boolean).join("\n");
      entry.draft.photos.unshift(...parcel.photos);
    });
  }

  /** Changes one parcel. */
  changeParcel(id, edit, bytes) {
    return this.change((entry) => {
      const parcel = entry.parcels.find((one) => one.id === id);
      if (parcel) edit(parcel);
    }, bytes);
  }
}
