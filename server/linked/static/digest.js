// Names bytes by their SHA-256, and makes ids. Knows no page and no network.

const hex = (bytes) => [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");

/** The SHA-256 of a Blob, in lower-case hex. Rejects where the file cannot be read any more. */
export async function sha256(blob) {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer())));
}

/** A fresh UUIDv7 (RFC 9562, section 5.7). */
export function newId(now = Date.now()) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let place = 0; place < 6; place += 1) bytes[place] = Math.floor(now / 256 ** (5 - place)) % 256;
  bytes[6] = 0x70 | (bytes[6] & 0x0f);
  bytes[8] = 0x80 | (bytes[8] & 0x3f);
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
