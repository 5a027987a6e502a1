// Where a trail's objects go: a folder or a bucket. The exporter and its digests write through
// this; they know keys and bytes, the store knows how these become durable.

/** What an object's bytes are. */
export interface ObjectAbout {
  readonly contentType: string;
  readonly contentEncoding?: string;
  /** Attached to the object; names in lower case. In a folder they lie beside it. */
  readonly metadata?: Readonly<Record<string, string>>;
  /**
   * SHA-256 of the content before compression, in hex. An object that is there already with the
   * same hash is the same, also where another version of zlib compressed it to other bytes.
   */
  readonly textHash?: string;
  /**
   * When it was first meant to be written, in milliseconds since the epoch. An object that is older
   * than the store's opening may be there already; one without a time, too.
   */
  readonly plannedAt?: number;
}

/** Bytes in one piece, or in pieces that are read at most once, and not at all where not needed. */
export type ObjectBody = Uint8Array | AsyncIterable<Uint8Array>;

/** A place for objects, each written once. */
export interface TrailStore {
  /** What digests and notifications call the place: the bucket's name, or the folder's own. */
  readonly bucket: string;
  /** Clears away what a crash left half written. Rejects with a RetryableError. */
  open(signal: AbortSignal): Promise<void>;
  /**
   * Stores an object. Resolves when it is durable, be it written now or before; it appears whole or
   * not at all. Throws a RetryableError; what is there under the key with other content is never
   * written over.
   */
  put(key: string, body: ObjectBody, about: ObjectAbout, signal: AbortSignal): Promise<void>;
  /** Ends what is under way, and lets go of files and connections. Safe twice, and without open. */
  close(): Promise<void>;
}

/** The file beside an object of a folder that holds its metadata, as a JSON object. */
export function metadataKey(key: string): string {
  return `${key}.metadata.json`;
}
