import type { Bilingual } from './language.ts'

/** Everything that is said of a kind of problem. `{name}` in a text is filled from the problem's values. */
export interface CatalogueEntry {
  status: number
  /** true: the identical request may succeed later */
  retryable: boolean
  title: Bilingual
  detail: Bilingual
  remedy: Bilingual
}
