import { defaultPayloadConverter } from '@temporalio/common'
import type { PayloadConverter } from '@temporalio/common'

type FromPayload<T> = Parameters<typeof defaultPayloadConverter.fromPayload<T>>

const is_unreadable = Symbol('unreadable')

/**
 * The converter of workflow code. The SDK converts a signal's payload before it looks for a handler, so that one whose
 * bytes cannot be decoded would fail every workflow task from then on. Here such a payload becomes a value that says so
 * (`unreadableReason`), and that throws wherever anything else is read of it.
 */
export const payloadConverter: PayloadConverter = {
  toPayload: (value, context, hint) => defaultPayloadConverter.toPayload(value, context, hint),
  fromPayload<T>(...given: FromPayload<T>): T {
    try {
      return defaultPayloadConverter.fromPayload(...given)
    } catch (error) {
      return unreadable(error instanceof Error ? error.message : String(error)) as T
    }
  },
}

/** Why a payload could not be decoded; null of a value that was. */
export function unreadableReason(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null
  return (value as { [is_unreadable]?: string })[is_unreadable] ?? null
}

function unreadable(reason: string): object {
  // An activity's result is asked for its `then` first: the step that waits for it fails, as it would without this.
  const get = (_target: object, name: string | symbol) => {
    if (name === is_unreadable) return reason
    throw new Error(`a payload could not be decoded: ${reason}`)
  }
  return new Proxy({}, { get })
}
