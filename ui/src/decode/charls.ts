// The worker of JPEG-LS: CharLS.
import charls from "@cornerstonejs/codec-charls/decodewasmjs";
import wasm from "@cornerstonejs/codec-charls/decodewasm";
import { options, serve } from "./serve.js";

serve(async () => {
  const codecs = await charls(await options(wasm));
  return () => new codecs.JpegLSDecoder();
});
