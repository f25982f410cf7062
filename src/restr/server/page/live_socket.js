// The websocket of a live stream: one question, one answer, then the next; so nothing can queue up.

import { getKey, Problem } from "./api.js";

/** {document, mask, picture}: an answer's facts, and its mask and picture as Blobs or null. */
function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const document = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const middle = 4 + length + document.mask;
  const part = (start, size, type) => (size ? new Blob([new Uint8Array(buffer, start, size)], { type }) : null);
  return {
    document,
    mask: part(4 + length, document.mask, "image/png"),
    picture: part(middle, document.picture, "image/jpeg"),
  };
}

/** handlers: hello(facts), answer(unpacked), problem(Problem), closed(). */
export class LiveSocket {
  constructor(handlers) {
    const { protocol, host } = location;
    this.greeted = false;
    this.socket = new WebSocket(`${protocol === "https:" ? "wss:" : "ws:"}//${host}/v1/live`);
    this.socket.binaryType = "arraybuffer";
    const key = getKey();
    this.socket.onopen = () => this.say(key ? { key } : {});
    this.socket.onmessage = ({ data }) => {
      if (typeof data !== "string") {
        handlers.answer(unpacked(data));
        return;
      }
      const { hello, problem, retry_after: retryAfter } = JSON.parse(data);
      if (hello) {
        this.greeted = true;
        handlers.hello(hello);
      } else if (problem) handlers.problem(new Problem({ ...problem, title: `${problem.title}.`, retryAfter: retryAfter ?? 0 }));
    };
    this.socket.onclose = () => handlers.closed(this);
  }

  get open() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** Change settings, or ask for the next picture of the server's camera. */
  say(words) {
    if (this.open) this.socket.send(JSON.stringify(words));
  }

  /** Send a picture of one's own. */
  send(blob) {
    if (this.open) this.socket.send(blob);
  }

  close() {
    this.socket.onclose = this.socket.onmessage = null;
    this.socket.close();
  }
}
