// Sends one Blob by tus 1.0.0, and goes on where the server stands. Knows no page and no store.

const VERSION = { "Tus-Resumable": "1.0.0" };
const PIECE = 256 * 1024;

/** The line or the server failed; the same may be tried again. */
export class Unreachable extends Error {}

/** The line, before any answer. */
export class Offline extends Unreachable {}

/** The server says no, and would say so again; `status` is its answer's. */
export class Refused extends Error {
  constructor(status) {
    super(`refused: ${status}`);
    this.status = status;
  }
}

const WORTH_ANOTHER_TRY = new Set([408, 409, 423, 425, 429]);
const GONE = 410;  // an upload that was given up is begun anew

/** P5: a proxy, or the page by which a network lets people in, decides nothing about a photo. */
function isServer(answer) {
  const type = answer.headers.get("Content-Type") ?? "";
  return answer.ok ? answer.headers.has(Object.keys(VERSION)[0]) : type.startsWith("application/problem+json");
}

async function ask(url, options, again = []) {
  const answer = await fetch(url, { ...options, headers: { ...VERSION, ...options.headers } }).catch(
    (fault) => { throw new Offline(fault.message); },
  );
  if (!isServer(answer)) throw new Unreachable(String(answer.status));
  if (answer.ok) return answer;
  const passing = answer.status >= 500 || WORTH_ANOTHER_TRY.has(answer.status);
  if (passing || again.includes(answer.status)) throw new Unreachable(String(answer.status));
  throw new Refused(answer.status);
}

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const offsetOf = (answer) => Number(answer.headers.get("Upload-Offset"));
const stateOf = (answer) => answer.headers.get("Upload-State");

/** Makes the upload, or finds the one that the same `upload` key made before. */
function create(url, content, metadata) {
  const pairs = Object.entries(metadata).map(([name, value]) => `${name} ${base64(value)}`);
  return ask(url, {
    method: "POST",
    headers: { "Upload-Length": String(content.size), "Upload-Metadata": pairs.join(",") },
  });
}

/**
 * Sends what the server does not have yet; resolves once it says that the bytes are verified (M4).
 *
 * `onProgress` is told how many bytes the server has. Rejects with Unreachable, after which the
 * same call goes on where the server stands, or with Refused.
 */
export async function send(url, content, metadata, onProgress = () => {}) {
  const made = await create(url, content, metadata);
  const place = made.headers.get("Location");
  let [offset, state] = [offsetOf(made), stateOf(made)];
  onProgress(offset);
  while (offset < content.size) {
    const answer = await ask(place, {
      method: "PATCH",
      headers: { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) },
      body: content.slice(offset, offset + PIECE),
    }, [GONE]);
    if (offsetOf(answer) <= offset) throw new Unreachable("no step forward");
    [offset, state] = [offsetOf(answer), stateOf(answer)];
    onProgress(offset);
  }
  if (state !== "verified") state = stateOf(await ask(place, { method: "HEAD" }, [GONE]));
  if (state !== "verified") throw new Unreachable(`state: ${state}`);
}
