// The worker of HTJ2K: OpenJPH.
import openjph from "@cornerstonejs/codec-openjph/wasmjs";
import wasm from "@cornerstonejs/codec-openjph/wasm";
import { options, serve } from "./serve.js";

serve(async () => {
  const codecs = await openjph(await options(wasm));
  return () => new codecs.HTJ2KDecoder();
});
