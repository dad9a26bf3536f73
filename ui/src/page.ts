// Small things every element of the page needs: its words, a way to speak, a way to make elements.
import type { Words } from "./format.js";

/** The words the server put into the page, in its language. */
export function pageWords(): Words {
  const element = document.getElementById("words");
  return element?.textContent ? (JSON.parse(element.textContent) as Words) : {};
}

/** Says a sentence to those who listen to the page rather than look at it. */
export function say(sentence: string): void {
  const place = document.getElementById("say");
  if (place) place.textContent = sentence;
}

/** An element with properties and children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
