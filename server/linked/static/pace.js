// When to try again: soon, then more and more rarely, at random, and at once when there is a network.

const FIRST_MS = 1000;
const LONGEST_MS = 30000;

/** Resolves when the next try may begin; `tries` counts those that failed in a row. */
export function rest(tries, random = Math.random) {
  const longest = Math.min(FIRST_MS * 2 ** Math.min(tries, 10), LONGEST_MS);
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      resolve();
    };
    const timer = setTimeout(end, longest * (0.5 + random() / 2));
    addEventListener("online", end);
  });
}
