// Every way in which a photograph comes in: chosen, dropped, pasted, taken, or one of the samples.

const $ = (id) => document.getElementById(id);

/** Call open(file, sentence) for each photograph. fail(title, detail) shows an error. */
export function listen(open, fail) {
  for (const input of [$("file"), $("snap")]) {
    input.addEventListener("change", () => {
      if (input.files[0]) open(input.files[0]);
      input.value = ""; // so that the same file can be chosen again
    });
  }
  $("choose").addEventListener("click", choose);
  dropped(open, fail);
  window.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (!file) return;
    event.preventDefault();
    open(file);
  });
  camera(open, fail);
  samples(open, fail);
}

export const choose = () => $("file").click();

function dropped(open, fail) {
  let depth = 0; // enter and leave come for every element below the pointer
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  window.addEventListener("dragenter", (event) => {
    if (!holdsFiles(event)) return;
    depth++;
    $("dropping").hidden = false;
  });
  window.addEventListener("dragleave", (event) => {
    if (holdsFiles(event) && --depth <= 0) $("dropping").hidden = true;
  });
  window.addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
  window.addEventListener("drop", (event) => {
    depth = 0;
    $("dropping").hidden = true;
    if (!holdsFiles(event)) return;
    event.preventDefault();
    const { files } = event.dataTransfer;
    if (files.length) open(files[0]);
    else fail("That was not a file.", "Save the photograph first, then drop the file here.");
  });
}

/** On phones their own camera; elsewhere a live picture, if the browser and the connection allow it. */
function camera(open, fail) {
  const button = $("camera");
  const dialog = $("lens");
  const video = $("video");
  const phone = matchMedia("(pointer: coarse)").matches;
  const live = Boolean(navigator.mediaDevices?.getUserMedia);
  button.hidden = !phone && !live;
  button.addEventListener("click", async () => {
    if (phone) {
      $("snap").click();
      return;
    }
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1920 } }, audio: false });
      dialog.showModal();
      await video.play();
    } catch (error) {
      dialog.close();
      const denied = error.name === "NotAllowedError";
      fail("The camera cannot be used.", denied ? "The browser was told not to allow it." : "No camera was found.");
    }
  });
  $("lens-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  });
  $("shutter").addEventListener("click", async () => {
    if (!video.videoWidth) return;
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    canvas.getContext("2d").drawImage(video, 0, 0);
    const blob = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
    dialog.close();
    open(new File([blob], "camera.jpg", { type: "image/jpeg" }));
  });
}

async function samples(open, fail) {
  let list;
  try {
    list = await (await fetch("/static/samples/samples.json")).json();
  } catch {
    $("samples-title").hidden = true; // the page works without them
    return;
  }
  for (const { file, alt, sentence } of list) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const picture = new Image();
    const words = document.createElement("span");
    Object.assign(picture, { src: `/static/samples/${file}`, alt, loading: "eager", decoding: "async" });
    words.textContent = `\u201c${sentence}\u201d`;
    Object.assign(button, { type: "button", className: "sample" });
    button.append(picture, words);
    button.addEventListener("click", async () => {
      try {
        const blob = await (await fetch(picture.src)).blob();
        open(new File([blob], file, { type: "image/jpeg" }), sentence);
      } catch {
        fail("The sample could not be fetched.", "Is restr serve still running?");
      }
    });
    item.append(button);
    $("samples").append(item);
  }
  $("credits").textContent = `Photographs: ${list.map(({ credit }) => credit).join("; ")}.`;
}
