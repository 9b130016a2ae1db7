// Hands in what is waiting on this phone: words and declarations first, then the photos' bytes.
// Says "received" only where the server did. Knows no page.

import { rest } from "./pace.js";
import { Offline, Refused, Unreachable, send } from "./tus.js";

/** What a link answers after its term. */
export const LATE = 410;

const isMissing = (photo) => !photo.arrived && !photo.refused;

/** Why a photo cannot be sent whose bytes are no longer on this phone. */
const LOST = 404;

/** One delivery at a time, whichever page of the link began it. */
function alone(name, work) {
  return navigator.locks ? navigator.locks.request(name, work) : work();
}

export class Outbox {
  /** `told` hears {state, photo, photos, percent} whenever something changes. */
  constructor(drafts, link, language, told) {
    Object.assign(this, { drafts, link, language, told, running: Promise.resolve() });
  }

  /** Delivers until nothing waits, behind a delivery that runs already. */
  deliver() {
    this.running = this.running.then(() => alone(this.link, () => this.#deliverAll()));
    return this.running;
  }

  async #deliverAll() {
    for (let tries = 0, parcel = null; ; tries += 1) {
      try {
        for (parcel = await this.#next(); parcel; parcel = await this.#next()) {
          await this.#deliverOne(parcel);
          tries = 0;
        }
        return;
      } catch (fault) {
        // Whatever failed, this phone's store included: what waits is not given up.
        this.told({ state: parcel?.number ? "waiting_photos" : fault instanceof Offline ? "waiting" : "trouble" });
        await rest(tries);
      }
    }
  }

  async #next() {
    const { parcels } = await this.drafts.read();
    return parcels.find((one) => !one.number || one.photos.some(isMissing));
  }

  async #deliverOne(parcel) {
    if (!parcel.number) await this.#declare(parcel);
    if (parcel.refusal) return;
    for (const photo of parcel.photos.filter(isMissing)) await this.#sendPhoto(parcel, photo);
    this.told({ state: "arrived", parcel });
  }

  async #declare(parcel) {
    this.told({ state: "sending" });
    const photos = parcel.photos.map(({ id, sha256, bytes, type, source, captured }) => ({ id, sha256, bytes, type, source, captured }));
    const answer = await fetch(`${this.link}/hand-in`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Accept-Language": this.language },
      body: JSON.stringify({ id: parcel.id, text: parcel.text, photos }),
    }).catch((fault) => { throw new Offline(fault.message); });
    const said = await answer.json().catch(() => { throw new Unreachable("cut short"); });
    if (answer.ok && said.number) return this.#accept(parcel, said);
    if (answer.status >= 500 || said.retryable || !said.code) throw new Unreachable(said.code);
    return this.#refuse(parcel, { status: answer.status, said: [said.title, ...Object.values(said.fields ?? {})].join(" ") });
  }

  async #accept(parcel, said) {
    const kept = (one) => {
      one.number = said.number;
      one.at = said.at;
      for (const photo of one.photos) photo.record = said.photos[photo.id];
    };
    await this.drafts.changeParcel(parcel.id, kept);
    kept(parcel);
    this.told({ state: "handed_in", parcel });
  }

  async #refuse(parcel, refusal) {
    parcel.refusal = refusal;
    this.told({ state: "refused", parcel, entry: await this.drafts.bringBack(parcel.id) });
  }

  async #sendPhoto(parcel, photo) {
    const place = parcel.photos.indexOf(photo) + 1;
    const progress = (sent) => this.told({
      state: "sending_photo", photo: place, photos: parcel.photos.length,
      percent: Math.floor((100 * sent) / photo.bytes),
    });
    const content = await this.drafts.content(photo);
    try {
      if (!content) throw new Refused(LOST);
      await send(`${this.link}/uploads`, content, { photo: photo.record, upload: photo.record }, progress);
      photo.arrived = true;
    } catch (fault) {
      if (!(fault instanceof Refused)) throw fault;
      photo.refused = fault.status;
    }
    const drop = photo.arrived ? [photo.id] : [];
    await this.drafts.changeParcel(parcel.id, (one) => { one.photos[place - 1] = photo; }, { drop });
  }
}
