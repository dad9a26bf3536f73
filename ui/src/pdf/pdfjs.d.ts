// What is used of PDF.js' build for older browsers, which has the types of the other one.
declare module "pdfjs-dist/legacy/build/pdf.min.mjs" {
  export * from "pdfjs-dist";
}
