// The few signs of the tray, drawn as lines of the text's own colour. Each stands in a button that has a name.

const paths = {
  pause: "M9 6v12M15 6v12",
  resume: "M9 6.500v11l8-5.500z",
  cancel: "M7 7l10 10M17 7L7 17",
  retry: "M18.500 12a6.500 6.500 0 1 1-2-4.700M17 4v3.600h-3.600",
  fold: "M7 10l5 5 5-5",
};

export type Sign = keyof typeof paths;

const SVG = "http://www.w3.org/2000/svg";

export function icon(sign: Sign): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "sign");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "path"));
  draw(svg, sign);
  return svg;
}

/** Makes an icon show another sign. */
export function draw(svg: SVGSVGElement, sign: Sign): void {
  svg.firstElementChild?.setAttribute("d", paths[sign]);
}
