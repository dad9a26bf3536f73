// What is used of the codecs, which come without types.
interface Codecs {
  J2KDecoder: new () => import("./codec.js").Decoder;
  JpegLSDecoder: new () => import("./codec.js").Decoder;
  HTJ2KDecoder: new () => import("./codec.js").Decoder;
  J2KEncoder: new () => Encoder; // the encoders are for tests
  JpegLSEncoder: new () => Encoder;
  HTJ2KEncoder: new () => Encoder;
}

interface Options {
  wasmBinary?: ArrayBuffer; // else the file beside the script is looked for
  print(line: string): void;
  printErr(line: string): void;
}

interface Encoder {
  getDecodedBuffer(info: object): Uint8Array;
  getEncodedBuffer(): Uint8Array;
  setQuality(lossless: boolean, quality: number): void;
  setNearLossless(near: number): void;
  setInterleaveMode(mode: number): void;
  encode(): void;
}

declare module "@cornerstonejs/codec-openjpeg/decodewasmjs" {
  export default function make(options: Options): Promise<Codecs>;
}

declare module "@cornerstonejs/codec-charls/decodewasmjs" {
  export default function make(options: Options): Promise<Codecs>;
}

declare module "@cornerstonejs/codec-openjph/wasmjs" {
  export default function make(options: Options): Promise<Codecs>;
}

declare module "@cornerstonejs/codec-openjpeg/decodewasm" {
  const address: string;
  export default address;
}

declare module "@cornerstonejs/codec-charls/decodewasm" {
  const address: string;
  export default address;
}

declare module "@cornerstonejs/codec-openjph/wasm" {
  const address: string;
  export default address;
}

declare module "@cornerstonejs/codec-openjpeg/wasmjs" {
  export default function make(options: Options): Promise<Codecs>;
}

declare module "@cornerstonejs/codec-charls/wasmjs" {
  export default function make(options: Options): Promise<Codecs>;
}
