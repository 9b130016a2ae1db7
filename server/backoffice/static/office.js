// Keys, photos and drafts of the office pages. Every page works without it.

const find = (selector) => document.querySelector(selector);
const findAll = (selector) => [...document.querySelectorAll(selector)];

// ---- photos: one at a time, larger, turned -------------------------------------------------

const photos = findAll("[data-photo]");
const view = { at: 0, zoom: 1, turn: 0 };

function draw() {
  photos.forEach((photo, place) => { photo.hidden = place !== view.at; });
  findAll("[data-pick]").forEach((link, place) => {
    if (place === view.at) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  });
  const picture = photos[view.at]?.querySelector("[data-picture]");
  if (picture) picture.style.transform = `rotate(${view.turn}deg) scale(${view.zoom})`;
  const frame = photos[view.at]?.querySelector("[data-frame]");
  if (frame) frame.style.overflow = view.zoom > 1 ? "auto" : "hidden";
}

function showPhoto(place) {
  if (photos.length === 0) return;
  Object.assign(view, { at: (place + photos.length) % photos.length, zoom: 1, turn: 0 });
  draw();
}

function zoom(factor) {
  view.zoom = factor === 0 ? 1 : Math.min(8, Math.max(1, view.zoom * factor));
  draw();
}

function turn() {
  view.turn = (view.turn + 90) % 360;
  draw();
}

if (photos.length > 0) {
  find("[data-tools]").hidden = false;
  findAll("[data-pick]").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    showPhoto(Number(link.dataset.pick));
  }));
  findAll("[data-step]").forEach((button) => button.addEventListener("click", () => showPhoto(view.at + Number(button.dataset.step))));
  findAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => zoom(Number(button.dataset.zoom))));
  find("[data-turn]").addEventListener("click", turn);
  draw();
}

// ---- the form of a decision: digits, and a note that survives a lost session ----------------

const form = find("[data-decision]");
const verdict = () => form?.querySelector("[name=verdict]:checked");

function digit(key) {
  const chosen = verdict();
  const group = chosen && form.querySelector(`[data-reasons="${chosen.value}"]`);
  const input = group ? group.querySelectorAll("input")[Number(key) - 1] : form?.querySelector(`[name=verdict][data-key="${key}"]`);
  if (!input) return false;
  form.closest("details")?.setAttribute("open", "");
  input.checked = true;
  input.focus();
  return true;
}

function chooseAgain() {
  form?.querySelectorAll("input[type=radio]").forEach((input) => { input.checked = false; });
}

function send(step) {
  if (!form || !verdict()) return false;
  form.requestSubmit(form.querySelector(`[name=step][value=${step}]`));
  return true;
}

if (form) {
  const place = `draft:${form.dataset.decision}`;
  const kept = JSON.parse(sessionStorage.getItem(place) ?? "{}");
  for (const field of form.querySelectorAll("textarea")) {
    if (!field.value && kept[field.name]) field.value = kept[field.name];
    field.addEventListener("input", () => {
      kept[field.name] = field.value;
      sessionStorage.setItem(place, JSON.stringify(kept));
    });
  }
}

const taken = find("[data-undo]");
if (taken) sessionStorage.removeItem(`draft:${taken.dataset.undo}`);

// ---- the seconds in which a decision may be taken back --------------------------------------

function countDown() {
  const bar = find("[data-seconds]");
  if (!bar) return;
  const end = performance.now() + Number(bar.dataset.seconds) * 1000;
  const words = bar.querySelector("[data-countdown]");
  const tick = setInterval(() => {
    const left = Math.ceil((end - performance.now()) / 1000);
    words.textContent = words.textContent.replace(/\d+/, String(Math.max(left, 0)));
    if (left > 0) return;
    clearInterval(tick);
    bar.remove();
  }, 1000);
}
countDown();

// ---- the list ------------------------------------------------------------------------------

function moveLine(step) {
  const links = findAll("[data-list] .row-link");
  if (links.length === 0) return false;
  const at = links.indexOf(document.activeElement);
  links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + step))].focus();
  return true;
}

// ---- keys ----------------------------------------------------------------------------------

const press = (selector) => { const target = find(selector); target?.click(); return Boolean(target); };
const focus = (selector) => { const target = find(selector); target?.focus(); return Boolean(target); };
const help = find("#help");

const KEYS = {
  j: () => moveLine(1),
  k: () => moveLine(-1),
  "/": () => focus("[data-filters] a[aria-current]"),
  "?": () => { help?.showModal(); return Boolean(help); },
  n: () => focus("[data-key=n]"),
  z: () => press("[data-key=z]"),
  u: () => press("[data-key=u]"),
  o: () => { turn(); return photos.length > 0; },
  d: () => press("[data-photo]:not([hidden]) [data-original]"),
  "+": () => { zoom(1.5); return photos.length > 0; },
  "=": () => { zoom(1.5); return photos.length > 0; },
  "-": () => { zoom(0.667); return photos.length > 0; },
  0: () => { zoom(0); return photos.length > 0; },
  ArrowLeft: () => { showPhoto(view.at - 1); return photos.length > 0; },
  ArrowRight: () => { showPhoto(view.at + 1); return photos.length > 0; },
  Escape: () => { chooseAgain(); return Boolean(form); },
};

const isTyping = (target) => target.closest("textarea, select, input:not([type=radio]):not([type=checkbox])");
const isAction = (target) => target.closest("a, button, summary");
const areOff = () => localStorage.getItem("keys") === "off";

document.addEventListener("keydown", (event) => {
  // While an input method is composing, its keys are not ours.
  if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.altKey || event.metaKey) return;
  if (areOff() || help?.open || isTyping(event.target)) return;
  if (event.target.type === "radio" && event.key.startsWith("Arrow")) return;
  const act = event.key === "Enter"
    ? () => !isAction(event.target) && send(event.shiftKey ? "stay" : "next")
    : /^[1-9]$/.test(event.key) ? () => digit(event.key) : KEYS[event.key];
  if (act?.()) event.preventDefault();
});

const helpButton = find("[data-help]");
if (helpButton) {
  helpButton.hidden = false;
  helpButton.addEventListener("click", () => help.showModal());
  const off = find("[data-keys-off]");
  off.checked = areOff();
  off.addEventListener("change", () => localStorage.setItem("keys", off.checked ? "off" : "on"));
}

find("[data-focus]")?.focus();
