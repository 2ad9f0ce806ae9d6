"use strict";
// The data is deflated. It is decoded first; then the program runs, which finds it in `data`.

let data;

function bytesOf(text) {
  const found = atob(text);
  const bytes = new Uint8Array(found.length);
  for (let i = 0; i < found.length; i++) bytes[i] = found.charCodeAt(i);
  return bytes;
}

const opened = (async () => {
  if (!window.DecompressionStream) {
    document.getElementById("about").textContent = "This page needs a browser of 2023 or later.";
    return;
  }
  const stream = new Blob([bytesOf(document.getElementById("data").textContent)]).stream();
  data = await new Response(stream.pipeThrough(new DecompressionStream("deflate"))).json();
  const program = document.createElement("script");
  program.textContent = document.getElementById("program").textContent;
  document.body.append(program);
  performance.mark("opened");
})();
