import type { Sealed } from '../domain/merchant/record.ts'
import { SealBroken, sealPlace } from './sealer.ts'
import type { Sealer } from './sealer.ts'

/** What people wrote, and what is paid with: Temporal keeps all that goes through it, so these go through it sealed. */
const sealed_fields = ['reason', 'proof', 'url', 'prepay_id', 'h5_url'] as const

const sealed_pattern = /^sealed:([\w.-]+):([A-Za-z0-9+/]+={0,2})$/

/**
 * A message for Temporal with its words sealed, for the run of this workflow alone: copied into another run's history they
 * do not open. They stay text, so that runs and their histories need not know.
 */
export function sealWords<T extends object>(sealer: Sealer, workflow_id: string, message: T): T {
  return changeWords(message, (text, field) => {
    const { sealed, key_id } = sealer.seal(text, placeOf(workflow_id, field))
    return `sealed:${key_id}:${sealed}`
  })
}

/**
 * What came through Temporal to this workflow's run with its words opened. Words that earlier versions sent in the clear
 * stay as they are. Throws `SealingKeyMissing`, `SealBroken`.
 */
export function openWords<T extends object>(sealer: Sealer, workflow_id: string, message: T): T {
  return changeWords(message, (text, field) => {
    const [, key_id, sealed] = sealed_pattern.exec(text) ?? []
    if (key_id === undefined || sealed === undefined) return text
    return openEither(sealer, { sealed, key_id }, placeOf(workflow_id, field), placeOf(place_of_any_run, field))
  })
}

/** Where earlier versions sealed words, whosoever run they were for; such words may still wait in a history. */
const place_of_any_run = 'words'

function openEither(sealer: Sealer, sealed: Sealed, place: string, earlier_place: string): string {
  try {
    return sealer.open(sealed, place)
  } catch (error) {
    if (!(error instanceof SealBroken)) throw error
    return sealer.open(sealed, earlier_place)
  }
}

function changeWords<T extends object>(message: T, change: (text: string, field: string) => string): T {
  const given = message as Record<string, unknown>
  const changed = sealed_fields.flatMap((field) => {
    const text = given[field]
    return typeof text === 'string' && text !== '' ? [[field, change(text, field)] as const] : []
  })
  return { ...message, ...Object.fromEntries(changed) }
}

function placeOf(run: string, field: string): string {
  return sealPlace('temporal', run, field)
}
