import { createHash } from 'node:crypto'
import { z } from 'zod'

/** Whose phone it is where nobody says. */
export const phone_payer = 'phone'

/** `POST /control/openids`: whose openid, at which appid. */
export const openidRequest = z.strictObject({
  appid: z.string().min(1).max(32),
  payer: z.string().min(1).max(64).default(phone_payer),
})

export type OpenidRequest = z.input<typeof openidRequest>

const letters_of_an_app = 7

/**
 * The openid of a payer at one appid: always the same, and another at every other appid. As real ones do, all openids
 * of an appid begin alike, so whether one belongs to it can be seen.
 */
export function openidOf(appid: string, payer: string): string {
  return `${beginningOf(appid)}${lettersOf(`${appid}/${payer}`).slice(0, 28 - letters_of_an_app)}`
}

/** Whether an openid is one of this appid's. */
export function isOpenidOf(appid: string, openid: string): boolean {
  return openid.length === 28 && openid.startsWith(beginningOf(appid))
}

function beginningOf(appid: string): string {
  return `o${lettersOf(appid).slice(0, letters_of_an_app - 1)}`
}

function lettersOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').replaceAll(/[-_]/g, 'x')
}
