// The first page of a PDF as a picture, by PDF.js in a worker. Scripts of the document never run: only the page's marks are
// drawn, no forms, no links, no layers of text.
import { getDocument, GlobalWorkerOptions } from "pdfjs-dist/legacy/build/pdf.min.mjs";

GlobalWorkerOptions.workerSrc = new URL("pdf-worker.js", import.meta.url).href;

/** Pixels of a drawn page at most: a document may claim a page as large as a house. */
const MOST_PIXELS = 4_000_000;

/** Draws the first page, width CSS pixels wide, on a new canvas. Rejects when the document is damaged or wants a password. */
export async function firstPage(data: Uint8Array, width: number): Promise<HTMLCanvasElement> {
  const beside = (folder: string) => new URL(`pdf/${folder}/`, import.meta.url).href;
  const loading = getDocument({
    data,
    isEvalSupported: false,
    enableXfa: false,
    useSystemFonts: false, // the same everywhere
    stopAtErrors: false,
    maxImageSize: 64_000_000,
    cMapUrl: beside("cmaps"),
    cMapPacked: true,
    standardFontDataUrl: beside("standard_fonts"),
    wasmUrl: beside("wasm"),
    verbosity: 0,
  });
  try {
    const page = await (await loading.promise).getPage(1);
    const natural = page.getViewport({ scale: 1 });
    const ratio = Math.min(devicePixelRatio, 2);
    const scale = Math.min((width * ratio) / natural.width, Math.sqrt(MOST_PIXELS / (natural.width * natural.height)));
    const viewport = page.getViewport({ scale });
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.floor(viewport.width));
    canvas.height = Math.max(1, Math.floor(viewport.height));
    await page.render({ canvas, viewport, annotationMode: 0 }).promise;
    return canvas;
  } finally {
    void loading.destroy();
  }
}
