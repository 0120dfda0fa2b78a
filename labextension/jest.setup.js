// What JupyterLab's packages expect of a browser and jsdom does not have.
globalThis.DragEvent ??= class extends Event {};
globalThis.ResizeObserver ??= class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
globalThis.matchMedia ??= () => ({
  matches: false,
  addEventListener() {},
  removeEventListener() {},
  addListener() {},
  removeListener() {}
});
document.queryCommandSupported ??= () => false;
const { TextEncoder, TextDecoder } = require('util');
Object.assign(globalThis, { TextEncoder, TextDecoder });
for (const name of ['Request', 'Response', 'Headers', 'fetch', 'structuredClone', 'ReadableStream']) {
  if (!globalThis[name]) {
    try {
      globalThis[name] = require('node:vm').runInThisContext(name);
    } catch {
      // This Node.js has none; the tests that need it say so.
    }
  }
}
