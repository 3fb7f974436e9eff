import { at, eventNumber, u16, addressAt } from "./cursor.js";
import { labels } from "./labels.js";
import { FIELDS } from "./fields.js";

const PEER_IP = FIELDS.peerAddress.offset;
const PEER_PORT = FIELDS.peerPort.offset;
const LOCAL_IP = FIELDS.localAddress.offset;
const LOCAL_PORT = FIELDS.localPort.offset;

/** One end of the connection. Reads the record each time. */
class Endpoint {
  toString() {
    const { ip, port } = this;
    return ip.version === 6 ? `[${ip}]:${port}` : `${ip}:${port}`;
  }
}

class Peer extends Endpoint {
  get ip() {
    return addressAt(PEER_IP);
  }

  get port() {
    return u16[(at + PEER_PORT) >> 1];
  }
}

class Local extends Endpoint {
  get ip() {
    return addressAt(LOCAL_IP);
  }

  get port() {
    return u16[(at + LOCAL_PORT) >> 1];
  }
}

const PEER = new Peer();
const LOCAL = new Local();

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
