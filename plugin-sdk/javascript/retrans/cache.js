/** Values that are made of 16 bytes, such as addresses and names, and that repeat. */

const BITS = 12;
const SLOTS = 1 << BITS;
const { imul } = Math;

/**
 * Remembers what `make` returns for four words. A value has one slot, in which it replaces another one: memory is
 * bounded, and nothing has to be counted. Not a Map: the engine's take microseconds to find a number.
 */
export function cachedByWords(make) {
  const keys = new Int32Array(4 * SLOTS);
  // Filled, because QuickJS is slow at arrays with holes.
  const values = Array.from({ length: SLOTS }, () => undefined);
  return (a, b, c, d) => {
    // The golden ratio spreads addresses that differ in a few bits.
    const slot = imul(a ^ b ^ c ^ d, 0x9e3779b1) >>> (32 - BITS);
    const key = 4 * slot;
    const found = values[slot];
    if (found !== undefined && keys[key + 3] === d && keys[key + 2] === c && keys[key + 1] === b && keys[key] === a) {
      return found;
    }
    const value = make(a, b, c, d);
    keys[key] = a;
    keys[key + 1] = b;
    keys[key + 2] = c;
    keys[key + 3] = d;
    values[slot] = value;
    return value;
  };
}
