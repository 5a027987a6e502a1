// Event selectors: which records an exporter wants, exactly as CloudTrail defines them and in its
// spelling, so that what `aws cloudtrail get-event-selectors` prints can be pasted. Deliver asks
// the compiled selector once for each record. No selectors configured means everything.

export {
  type AdvancedEventSelector,
  advancedEventSelectors,
  compileAdvancedEventSelectors,
} from "./advanced-selectors.ts";
export { compileEventSelectors, type EventSelector, eventSelectors } from "./basic-selectors.ts";
export { type Selectable, selectable, type Selector } from "./event-category.ts";
