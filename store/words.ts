import { sealPlace } from './sealer.ts'
import type { Sealer } from './sealer.ts'

/** What people wrote, and what is paid with: Temporal keeps all that goes through it, so these go through it sealed. */
const sealed_fields = ['reason', 'proof', 'url', 'prepay_id', 'h5_url'] as const

const sealed_pattern = /^sealed:([\w.-]+):([A-Za-z0-9+/]+={0,2})$/

/** A message for Temporal with its words sealed. They stay text, so that runs and their histories need not know. */
export function sealWords<T extends object>(sealer: Sealer, message: T): T {
  return changeWords(message, (text, field) => {
    const { sealed, key_id } = sealer.seal(text, placeOf(field))
    return `sealed:${key_id}:${sealed}`
  })
}

/**
 * What came through Temporal with its words opened. Words that earlier versions sent in the clear stay as they are.
 * Throws `SealingKeyMissing`, `SealBroken`.
 */
export function openWords<T extends object>(sealer: Sealer, message: T): T {
  return changeWords(message, (text, field) => {
    const [, key_id, sealed] = sealed_pattern.exec(text) ?? []
    return key_id === undefined || sealed === undefined ? text : sealer.open({ sealed, key_id }, placeOf(field))
  })
}

function changeWords<T extends object>(message: T, change: (text: string, field: string) => string): T {
  const given = message as Record<string, unknown>
  const changed = sealed_fields.flatMap((field) => {
    const text = given[field]
    return typeof text === 'string' && text !== '' ? [[field, change(text, field)] as const] : []
  })
  return { ...message, ...Object.fromEntries(changed) }
}

function placeOf(field: string): string {
  return sealPlace('temporal', 'words', field)
}
