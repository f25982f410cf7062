// The server's answers, and what to do when it has none: upload again, wait, or say what went wrong.

/** What went wrong, in words for a person. status 0: the server could not be reached. */
export class Problem extends Error {
  constructor({ status = 0, type = "about:blank", title = "Something went wrong", detail = "", retryAfter = 0 }) {
    super(detail || title);
    Object.assign(this, { status, type, title, detail, retryAfter });
  }
}

const UNREACHABLE = { title: "The server cannot be reached.", detail: "Is restr serve still running?" };
const KEY = "restr.key"; // of a server that asks for one; kept for this tab only

function problemOf(status, body, retryAfter) {
  let fields = {};
  try {
    fields = JSON.parse(body);
  } catch {
    // Not every proxy in between speaks problem+json.
  }
  const title = fields.title || (status === 429 ? "The server is busy" : `The server answered ${status}`);
  return new Problem({
    status,
    type: String(fields.type ?? "about:blank"),
    title: /[.!?]$/.test(title) ? title : `${title}.`,
    detail: typeof fields.detail === "string" ? fields.detail : "",
    retryAfter: Number(retryAfter) || 0,
  });
}

export function setKey(key) {
  sessionStorage.setItem(KEY, key);
}

export const getKey = () => sessionStorage.getItem(KEY) ?? "";

function authorization() {
  const key = sessionStorage.getItem(KEY);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/** Send a photograph once; {id, width, height, model}. onProgress gets 0 to 1. XMLHttpRequest, as fetch reports no progress. */
function upload(file, { signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    body.append("image", file, file.name || "photograph");
    request.open("POST", "/v1/images");
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress?.(event.loaded / event.total);
    request.onerror = () => reject(new Problem(UNREACHABLE));
    request.onabort = () => reject(new DOMException("Stopped", "AbortError"));
    request.onload = () => {
      if (request.status === 201 || request.status === 200) resolve(JSON.parse(request.responseText));
      else reject(problemOf(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    };
    signal?.addEventListener("abort", () => request.abort());
    request.send(body);
  });
}

/** The answer's JSON. body: what to POST; nothing, to GET. */
async function call(path, { body, signal }) {
  let response;
  const sent = body && { method: "POST", body: JSON.stringify(body) };
  const type = body && { "Content-Type": "application/json" };
  try {
    response = await fetch(path, { ...sent, headers: { ...type, Accept: "application/json", ...authorization() }, signal });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Problem(UNREACHABLE);
  }
  if (!response.ok) throw problemOf(response.status, await response.text(), response.headers.get("Retry-After"));
  return response.json();
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("Stopped", "AbortError"));
    });
  });
}

const busy = (error) => error instanceof Problem && (error.status === 429 || (error.status === 503 && error.retryAfter > 0));

/** Try again while the server is busy, as long as it asks to wait, three times at most. onWait gets the seconds. */
async function patiently(ask, { signal, onWait }) {
  for (let tries = 0; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (!busy(error) || tries === 3) throw error;
      const seconds = Math.min(30, Math.max(1, error.retryAfter)) * (1 + 0.2 * Math.random());
      onWait?.(Math.round(seconds));
      await pause(seconds, signal);
    }
  }
}

/** A photograph that the server has encoded; sentences are asked against its handle. */
export class Photo {
  constructor(file) {
    this.file = file;
    this.handle = null;
    this.model = null; // its entry in /v1/models
  }

  async send({ signal, onProgress, onWait } = {}) {
    const handle = await patiently(() => upload(this.file, { signal, onProgress }), { signal, onWait });
    const { models } = await patiently(() => call("/v1/models", { signal }), { signal, onWait });
    this.model = models.find(({ name }) => name === handle.model);
    this.handle = handle;
    return this.handle;
  }

  /** One sentence's result. An expired handle is renewed once. */
  async segment(text, { signal, onWait } = {}) {
    const ask = () => {
      const path = `/v1/images/${encodeURIComponent(this.handle.id)}/segment`;
      const body = { texts: [text], threshold: 0.5, formats: ["prob"], words: true };
      return patiently(() => call(path, { body, signal }), { signal, onWait });
    };
    try {
      return (await ask()).results[0];
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 404) throw error;
      await this.send({ signal, onWait });
      return (await ask()).results[0];
    }
  }
}
