/**
 * Records of another size than this SDK knows: shorter ones of an older host, or those that are not at multiples of 8
 * bytes. They are copied to records of the known size, in which what a short record does not have is absent.
 */
import { FIELDS, RECORD_SIZE } from "./fields.js";

/** Bytes with the presence bits that records of this size can have: those of fields that are within them as a whole. */
function presence(size) {
  const mask = new Uint8Array(RECORD_SIZE);
  const bits = new Uint8Array(RECORD_SIZE);
  for (const { bit, offset, size: fieldSize } of Object.values(FIELDS)) {
    if (bit === undefined) {
      continue;
    }
    const byte = bit >> 3;
    bits[byte] |= 1 << (bit & 7);
    if (offset + fieldSize <= size && byte < size) {
      mask[byte] |= 1 << (bit & 7);
    }
  }
  return { mask, bits };
}

export function widen(bytes, recordSize) {
  const size = Math.ceil(Math.max(recordSize, RECORD_SIZE) / 8) * 8;
  const count = bytes.length / recordSize;
  const { mask, bits } = presence(recordSize);
  const wide = new Uint8Array(count * size);
  for (let number = 0; number < count; number += 1) {
    const at = number * size;
    wide.set(bytes.subarray(number * recordSize, (number + 1) * recordSize), at);
    bits.forEach((known, byte) => {
      wide[at + byte] &= ~known | mask[byte];
    });
  }
  return { bytes: wide, size };
}

/** The records in their own size again. Presence bits of fields that they do not have are as they were. */
export function narrow({ bytes, size }, original, recordSize) {
  const { mask, bits } = presence(recordSize);
  const count = original.length / recordSize;
  const narrowed = new Uint8Array(original.length);
  for (let number = 0; number < count; number += 1) {
    const at = number * recordSize;
    narrowed.set(bytes.subarray(number * size, number * size + recordSize), at);
    for (let byte = 0; byte < Math.min(recordSize, RECORD_SIZE); byte += 1) {
      const foreign = bits[byte] & ~mask[byte];
      narrowed[at + byte] = (narrowed[at + byte] & ~foreign) | (original[at + byte] & foreign);
    }
  }
  return { bytes: narrowed, size: recordSize };
}
