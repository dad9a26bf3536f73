// The worker of JPEG 2000: OpenJPEG.
import openjpeg from "@cornerstonejs/codec-openjpeg/decodewasmjs";
import wasm from "@cornerstonejs/codec-openjpeg/decodewasm";
import { options, serve } from "./serve.js";

serve(async () => {
  const codecs = await openjpeg(await options(wasm));
  return () => new codecs.J2KDecoder();
});
