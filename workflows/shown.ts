import { workflowInfo } from '@temporalio/workflow'
import type { Time } from '../domain/calendar.ts'
import { languages } from '../domain/language.ts'
import type { Bilingual } from '../domain/language.ts'
import { shown_memo } from '../domain/messages.ts'
import type { ShownTo } from '../domain/messages.ts'
import { unreadableReason } from './payload.ts'

/** Viewer is for whom a text in Temporal UI is, and where its links lead. */
export interface Viewer extends ShownTo {
  namespace: string
}

/** `2026-11-23 12:00:05` in Beijing: of times that are read, and not computed with. */
export function clockText(time: Time): string {
  return time.slice(0, 19).replace('T', ' ')
}

/** The viewer of this run, as its start said; a run of an earlier version was told nothing, and speaks English. */
export function viewer(): Viewer {
  const { namespace, memo } = workflowInfo()
  const said = memo?.[shown_memo] ?? {}
  const { language, guide_url }: Partial<ShownTo> = unreadableReason(said) === null ? said : {}
  return {
    namespace,
    language: languages.find((one) => one === language) ?? 'en',
    guide_url: typeof guide_url === 'string' ? guide_url : null,
  }
}

/** A text in the language of this run's readers. */
export function told(text: Bilingual): string {
  return text[viewer().language]
}
