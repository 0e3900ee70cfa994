import type { Actor } from '../../domain/actor.ts'
import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import { isUsableKey } from '../../domain/merchant/record.ts'
import type { KeyRecord } from '../../domain/merchant/record.ts'
import type { Scope } from '../../domain/merchant/scope.ts'
import { tokenHash } from '../../runtime/secrets.ts'
import type { ApiContext } from './context.ts'
import { Problem } from './problem.ts'

/** Caller is whose API key a request carries, and through it one merchant in one mode. */
export interface Caller {
  key: KeyRecord
  mchid: string
}

/** A token as `cli/merchant` makes it. Anything else is not looked up. */
const token_pattern = /^Bearer +(weft_(?:live|test)_[A-Za-z0-9_-]{20,128})$/i

/** `last_use_time` of a key is written at most this often: a read must not cost a write each time. */
const touch_every_ms = 60_000

/** The caller behind an `Authorization` header. Throws the problem `unauthenticated`. */
export async function authenticate(context: ApiContext, authorization: string | undefined): Promise<Caller> {
  const token = token_pattern.exec(authorization ?? '')?.[1]
  const key = token === undefined ? null : await context.store.keys.findByHash(tokenHash(token))
  if (key === null || !isUsableKey(key, context.now())) {
    throw new Problem('unauthenticated', { headers: { 'WWW-Authenticate': 'Bearer realm="weft"' } })
  }
  noteUse(context, key)
  return { key, mchid: key.mchid }
}

function noteUse(context: ApiContext, key: KeyRecord): void {
  const last_ms = key.last_use_time === null ? 0 : milliseconds(key.last_use_time)
  if (context.now() - last_ms < touch_every_ms) return
  // Nobody waits for it, and nothing depends on it.
  context.store.keys.noteUse(key._id, beijingTime(context.now())).catch((error: unknown) => {
    context.log.debug('the last use of a key was not noted', { key_id: key.id, error })
  })
}

/** The merchant behind a request, as records name who acted. */
export function callerActor({ key }: Caller): Actor {
  return { kind: 'merchant', id: key.id }
}

/** Throws the problem `forbidden` unless the caller's key has `scope`. */
export function authorise(caller: Caller, scope: Scope): void {
  if (!caller.key.scopes.includes(scope)) throw new Problem('forbidden', { values: { required_scope: scope } })
}

/** Scopes that change something. A paused merchant's key has none of them, whatever it was given. */
export function isChanging(scope: Scope): boolean {
  return !/:(read|decrypt)$/.test(scope)
}

/** Throws the problem `merchant_paused` when the caller's merchant only reads. */
export async function assertNotPaused({ store }: ApiContext, { mchid }: Caller): Promise<void> {
  const merchant = await store.merchants.find(mchid)
  if (merchant?.state === 'paused') throw new Problem('merchant_paused', { values: { mchid } })
}
