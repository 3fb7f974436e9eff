import { at, eventNumber, u16, addressAt } from "./cursor.js";
import { labels } from "./labels.js";
import { FIELDS } from "./fields.js";

/** One end of the connection. Reads the record each time. */
class Endpoint {
  #ip;
  #port;

  constructor(ip, port) {
    this.#ip = ip.offset;
    this.#port = port.offset;
  }

  get ip() {
    return addressAt(this.#ip);
  }

  get port() {
    return u16[(at + this.#port) >> 1];
  }

  toString() {
    const { ip, port } = this;
    return ip.version === 6 ? `[${ip}]:${port}` : `${ip}:${port}`;
  }
}

const PEER = new Endpoint(FIELDS.peerAddress, FIELDS.peerPort);
const LOCAL = new Endpoint(FIELDS.localAddress, FIELDS.localPort);

/** What an event has beside its fields. */
export class BaseEvent {
  /** The other end of the connection. */
  get peer() {
    return PEER;
  }

  /** This machine's end. */
  get local() {
    return LOCAL;
  }

  label(key) {
    return labels.get(eventNumber(), key);
  }

  labels() {
    return labels.all(eventNumber());
  }

  setLabel(key, value) {
    labels.set(eventNumber(), key, value);
  }
}
