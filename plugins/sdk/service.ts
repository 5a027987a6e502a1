// Services: how an extension reaches what an exporter keeps, without importing it.

/** A kind of service, compared by identity; the type parameter says what providers offer. */
export interface ServiceKind<S> {
  readonly name: string;
  /** Never set; carries the type. */
  readonly offers?: S;
}

/** Names a kind of service. Call once, in the SDK, and share the result. */
export function serviceKind<S>(name: string): ServiceKind<S> {
  return { name };
}
