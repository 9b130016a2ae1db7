// The page of one link: keeps a draft on this phone, hands it in, and says truly how far it is.

import { newId, sha256 } from "./digest.js";
import { Drafts } from "./drafts.js";
import { LATE, Outbox } from "./outbox.js";

const settings = JSON.parse(document.getElementById("settings").textContent);
const find = (selector) => document.querySelector(selector);
const say = (name, ...values) => values.reduce(
  (text, value, place) => text.replace(`{${place}}`, value), settings.words[name],
);
const form = document.getElementById("answer");
const standing = find("[data-standing]");
const progress = find("[data-progress]");
const opened = { at: Date.now(), tick: performance.now() };
let drafts = null;
let seen = "";  // the words of the draft as this page last read or kept them
let choosing = Promise.resolve();

function show(name, ...values) {
  standing.textContent = name ? say(name, ...values) : "";
}

/** By the server's clock as the page brought it; the phone's may be wrong. */
function showTimeLeft() {
  // Ticks stand still while some phones sleep.
  const gone = Math.max(performance.now() - opened.tick, Date.now() - opened.at);
  const minutes = Math.max(Math.floor((Date.parse(settings.due) - Date.parse(settings.now) - gone) / 60000), 0);
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24];
  find("[data-left]").textContent = days ? say("days", days, hours)
    : hours ? say("hours", hours, minutes % 60) : say("minutes", minutes);
}

function showParcel(parcel) {
  const list = find("[data-parcels]");
  let entry = list.querySelector(`[data-number="${parcel.number}"]`);
  if (!entry) {
    entry = document.createElement("li");
    entry.dataset.number = parcel.number;
    const [label, number] = [document.createElement("span"), document.createElement("strong")];
    Object.assign(label, { className: "label", textContent: say("number") });
    Object.assign(number, { className: "number", textContent: parcel.number });
    entry.append(label, number);
    list.append(entry);
  }
  showArrived(entry, parcel);
  find("#handed-in").hidden = false;
}

function showArrived(entry, { photos }) {
  if (!photos.length) return;
  let line = entry.querySelector("[data-arrived]");
  if (!line) {
    line = document.createElement("span");
    line.dataset.arrived = "";
    entry.append(line);
  }
  line.textContent = say("photos_arrived", photos.filter((one) => one.arrived).length, photos.length);
}

function showRefusal({ refusal }) {
  if (refusal.status === LATE) location.reload();
  else showFault(say("refused", refusal.said));
}

function told({ state, parcel, entry, photo, photos, percent }) {
  progress.hidden = state !== "sending_photo";
  if (state === "sending_photo") {
    progress.value = percent;
    show(state, photo, photos, percent);
  } else if (state === "handed_in" || state === "arrived") {
    showParcel(parcel);
    if (state === "handed_in") find("#handed-in").scrollIntoView();
    const refused = parcel.photos.find((one) => one.refused);
    if (refused) show(refused.refused === LATE ? "photo_late" : "photo_refused");
    else show(hasDraft() ? "saved" : state === "arrived" ? "all_arrived" : "");
  } else if (state === "refused") {
    showDraft(entry);
    show("saved");
    showRefusal(parcel);
  } else {
    show(state);
  }
}

const hasDraft = () => Boolean(form && (form.elements.text.value.trim() || find("[data-chosen]").children.length));

function showFault(text) {
  const place = find("[data-fault]");
  place.hidden = !text;
  place.textContent = text;
}

function showDraft({ draft }) {
  if (!form) return;
  const { text } = form.elements;
  // Letters that were typed since are still to be kept: they are not shown over.
  if (text.value === seen) text.value = seen = draft.text;
  find("[data-chosen]").replaceChildren(...draft.photos.map(showPhoto));
}

function showPhoto(photo) {
  const [entry, button, cross] = ["li", "button", "span"].map((name) => document.createElement(name));
  entry.append(pictureOf(photo));
  if (!form) return entry;
  button.type = "button";
  button.setAttribute("aria-label", say("remove", photo.name));
  cross.textContent = "×";
  button.append(cross);
  button.addEventListener("click", () => keep((draft) => {
    draft.photos = draft.photos.filter((one) => one.id !== photo.id);
  }, { drop: [photo.id] }));
  entry.append(button);
  return entry;
}

function pictureOf(photo) {
  if (photo.type === "application/pdf") {
    const paper = document.createElement("span");
    paper.className = "paper";
    paper.textContent = photo.name;
    return paper;
  }
  const picture = document.createElement("img");
  picture.alt = photo.name;
  picture.onload = picture.onerror = () => URL.revokeObjectURL(picture.src);
  drafts.content(photo).then((content) => { picture.src = URL.createObjectURL(content ?? new Blob()); });
  return picture;
}

/** Changes the draft on the disk, then what is shown; "saved" is said only afterwards. */
async function keep(edit, bytes) {
  try {
    const entry = await drafts.change(({ draft }) => edit(draft), bytes);
    if (bytes) showDraft(entry);
    show(entry.draft.text || entry.draft.photos.length ? "saved" : "");
    return true;
  } catch {
    show("not_saved");
    return false;
  }
}

/** Puts what is typed here into the draft, and what another page of this link put there before it. */
function takeText(draft) {
  const { value } = form.elements.text;
  draft.text = draft.text === seen || value.includes(draft.text) ? value : [draft.text, value].join("\n");
  return { typed: value, kept: draft.text };
}

/** After `takeText` is on the disk. */
function showText({ typed, kept }) {
  const { text } = form.elements;
  seen = kept;
  if (text.value === typed) text.value = kept;
}

async function keepText() {
  let taken = null;
  if (await keep((draft) => { taken = takeText(draft); })) showText(taken);
}

async function choose(files, source) {
  showFault("");
  for (const file of files) {
    if (file.size > settings.photo_bytes) {
      showFault(say("too_big", Math.floor(settings.photo_bytes / 2 ** 20), file.name));
      continue;
    }
    show("reading");
    const chosen = await describe(file, source).catch(() => null);
    if (!chosen) showFault(say("unreadable", file.name));
    else if (!await keepPhoto(chosen)) showFault(say("no_room", file.name));
    if (!chosen) show(hasDraft() ? "saved" : "");
  }
}

/** A photo that is chosen twice is one. */
function keepPhoto({ photo, content }) {
  return keep(({ photos }) => {
    if (!photos.some((one) => one.sha256 === photo.sha256)) photos.push(photo);
  }, { bring: { [photo.id]: content }, drop: [photo.id] });
}

/** The bytes are read here, once: a file that is chosen may be gone when it is sent. */
async function describe(file, source) {
  const content = new Blob([await file.arrayBuffer()], { type: file.type });
  const photo = {
    id: newId(), name: file.name, source, bytes: content.size, sha256: await sha256(content),
    type: file.type || "application/octet-stream", captured: new Date(file.lastModified).toISOString(),
  };
  return { photo, content };
}

async function handIn(outbox) {
  showFault("");
  await choosing;  // a photo that is still being read belongs to what is handed in
  let taken = null;
  const { draft } = await drafts.change((entry) => { taken = takeText(entry.draft); });
  showText(taken);
  if (!draft.text.trim() && !draft.photos.length) return showFault(say("empty"));
  if (draft.photos.length > settings.photos) return showFault(say("too_many_photos", settings.photos));
  showDraft(await drafts.change((entry) => {
    entry.parcels.push({ id: newId(), ...entry.draft });
    entry.draft = { text: "", photos: [] };
  }));
  outbox.deliver();
}

function listen(outbox) {
  form.querySelector(".scripted").hidden = false;
  const { text } = form.elements;
  text.addEventListener("input", keepText);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  addEventListener("pageshow", ({ persisted }) => persisted && refresh());
  for (const [id, source] of [["camera", "system_camera"], ["gallery", "gallery"]]) {
    const input = document.getElementById(id);
    const take = () => {
      const files = [...input.files];
      input.value = "";
      choosing = choosing.then(() => choose(files, source));
    };
    input.addEventListener("change", take);
    if (input.files.length) take();  // before this script had come
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    handIn(outbox).catch(() => show("not_saved"));
  });
}

/** Another page of this link may have changed the draft, or handed it in. */
async function refresh() {
  const entry = await drafts.read().catch(() => null);
  if (!entry) return;
  showTimeLeft();
  showDraft(entry);
  for (const parcel of entry.parcels.filter((one) => one.number)) showParcel(parcel);
}

/** What was typed before this script had come is part of the draft; a full phone still reads it. */
async function readDraft() {
  const typed = form?.elements.text.value ?? "";
  const kept = await drafts.read();
  seen = typed;
  if (kept.draft.text.includes(typed)) return kept;
  return drafts.change(({ draft }) => {
    draft.text = [draft.text, typed].filter(Boolean).join("\n");
  }).catch(() => {
    seen = "";
    return kept;
  });
}

function showLate({ draft }) {
  if (!draft.text && !draft.photos.length) return;
  find("[data-late]").hidden = false;
  find("[data-late-text]").value = draft.text;
  find("[data-chosen]").replaceChildren(...draft.photos.map(showPhoto));
}

async function start() {
  drafts = await Drafts.open(settings.link);
  const outbox = new Outbox(drafts, settings.link, document.documentElement.lang, told);
  const entry = await readDraft();
  for (const parcel of entry.parcels.filter((one) => one.number)) showParcel(parcel);
  if (form) {
    setInterval(showTimeLeft, 30000);
    showDraft(entry);
    listen(outbox);
    if (entry.draft.text || entry.draft.photos.length) show("saved");
  } else {
    showLate(entry);
  }
  outbox.deliver();
}

/** Nothing is typed while the draft is looked for, or one of the two would be lost. */
async function begin() {
  if (!isSecureContext) return;  // no hashes there: the plain form does its work
  if (form) form.elements.text.readOnly = true;
  // Without a place to keep a draft, the plain form does its work, too.
  await start().catch(() => show("not_saved"));
  if (form) form.elements.text.readOnly = false;
}

begin();
