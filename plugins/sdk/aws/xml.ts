// Reads AWS's XML answers: the parser of AWS's own SDK behind two functions that ask for elements.

import type { Json, JsonObject } from "../json.ts";
import { isObject } from "../mapping-path.ts";

/** An element's children by name; a name that occurs twice holds a list. */
export type XmlElement = JsonObject;

/**
 * Parses a document into the children of its root, whatever that is called. Throws an Error for
 * text that is no XML.
 */
export async function parseXml(text: string): Promise<XmlElement> {
  // Loaded with the first answer: what never speaks to AWS goes without.
  const { parseXML } = await import("@aws-sdk/xml-builder");
  const document = parseXML(text) as Record<string, Json>;
  const [root] = Object.values(document);
  return isObject(root) ? root : {};
}

/** All elements of a name, in order; one that holds text alone is left out. */
export function elements(parent: XmlElement, name: string): readonly XmlElement[] {
  const value = parent[name];
  const list = Array.isArray(value) ? value : [value];
  return list.filter(isObject);
}

/** The text of the first element of a name; undefined where there is none. */
export function textOf(parent: XmlElement, name: string): string | undefined {
  const value = parent[name];
  const first = Array.isArray(value) ? value[0] : value;
  return typeof first === "string" ? first : undefined;
}
