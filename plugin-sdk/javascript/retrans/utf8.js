/** Text and its bytes. QuickJS has no TextEncoder; its other built-in functions are much faster than a loop. */

const encoder = typeof TextEncoder === "function" ? new TextEncoder() : undefined;
// With the defaults it would remove a byte order mark, which belongs to the text.
const decoder = typeof TextDecoder === "function" ? new TextDecoder("utf-8", { ignoreBOM: true }) : undefined;

/** Bytes of text. Surrogates without their other half, which have no bytes, become U+FFFD. */
export function encodeUtf8(text) {
  if (encoder !== undefined) {
    return encoder.encode(text);
  }
  return Uint8Array.fromBase64(btoa(isAscii(text) ? text : unescape(encodeURIComponent(text.toWellFormed()))));
}

/** The number of bytes of text. */
export function utf8Length(text) {
  if (isAscii(text)) {
    return text.length;
  }
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0);
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return length;
}

/** Text of bytes. Those that are not UTF-8 become `?`; those of a character that is cut off at the end are left out. */
export function decodeUtf8(bytes) {
  if (bytes.length > 64 && decoder !== undefined) {
    return decoder.decode(bytes);
  }
  let text = "";
  let start = 0;
  // Arguments are on the engine's stack, which is small.
  for (; start < bytes.length; start += 1024) {
    text += String.fromCharCode.apply(null, bytes.subarray(start, start + 1024));
  }
  if (isAscii(text)) {
    return text;
  }
  try {
    return decodeURIComponent(escape(text));
  } catch {
    return decodeInvalid(bytes);
  }
}

export function isAscii(text) {
  // eslint-disable-next-line no-control-regex
  return !/[^\x00-\x7f]/.test(text);
}

/** The number of bytes of a character with this first byte, and the bounds of its second byte; by RFC 3629. */
function sequence(first) {
  if (first < 0x80) return [1, 0, 0];
  if (first >= 0xc2 && first < 0xe0) return [2, 0x80, 0xbf];
  if (first === 0xe0) return [3, 0xa0, 0xbf];
  if (first === 0xed) return [3, 0x80, 0x9f];
  if (first > 0xe0 && first < 0xf0) return [3, 0x80, 0xbf];
  if (first === 0xf0) return [4, 0x90, 0xbf];
  if (first > 0xf0 && first < 0xf4) return [4, 0x80, 0xbf];
  if (first === 0xf4) return [4, 0x80, 0x8f];
  return [0, 0, 0];
}

function decodeInvalid(bytes) {
  let text = "";
  for (let start = 0; start < bytes.length; ) {
    const [length, low, high] = sequence(bytes[start]);
    let good = length === 0 ? 0 : 1;
    while (good > 0 && good < length && start + good < bytes.length) {
      const next = bytes[start + good];
      const [from, to] = good === 1 ? [low, high] : [0x80, 0xbf];
      if (next < from || next > to) {
        break;
      }
      good += 1;
    }
    if (good > 0 && good === length) {
      const character = String.fromCharCode.apply(null, bytes.subarray(start, start + length));
      text += decodeURIComponent(escape(character));
    } else if (good > 0 && start + good === bytes.length) {
      return text;
    } else {
      text += "?";
    }
    start += Math.max(good, 1);
  }
  return text;
}
