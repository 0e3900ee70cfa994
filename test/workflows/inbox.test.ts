import { describe, expect, it } from 'vitest'
import { Inbox, order_urgency } from '../../workflows/inbox.ts'
import type { OrderItem } from '../../workflows/inbox.ts'

const check: OrderItem = { kind: 'check', operation_id: 'c' }
const command = { operation_id: 'o', actor: { kind: 'merchant', id: null }, reason: null } as const
const close: OrderItem = { kind: 'close', asked: { command, reply: null } }
const confirm: OrderItem = { kind: 'confirm', asked: { command: { ...command, result: 'fulfilled' }, reply: null } }
const payment = (evidence_id: string): OrderItem => ({ kind: 'payment', found: { evidence_id } })

describe('an inbox', () => {
  it('gives money first, then what somebody waits for, each in the order it came', () => {
    const inbox = new Inbox(order_urgency)
    for (const item of [check, confirm, payment('1'), close, payment('2')]) inbox.put(item)
    const taken: string[] = []
    for (let item = inbox.first; item; item = inbox.first) {
      taken.push(item.kind === 'payment' && 'evidence_id' in item.found ? item.found.evidence_id : item.kind)
      inbox.remove(item)
    }
    expect(taken).toEqual(['1', '2', 'confirm', 'close', 'check'])
  })

  it('holds one question at most, however many ask', () => {
    const inbox = new Inbox(order_urgency)
    for (let asked = 0; asked < 50; asked += 1) inbox.put({ kind: 'check', operation_id: String(asked) })
    expect(inbox.first).toBeDefined()
    if (inbox.first) inbox.remove(inbox.first)
    expect(inbox.isEmpty).toBe(true)
  })

  it('keeps an item until it is done, so that a step that fails finds it again', () => {
    const inbox = new Inbox(order_urgency)
    inbox.put(close)
    expect(inbox.first).toBe(close)
    expect(inbox.first).toBe(close)
    inbox.remove(close)
    expect(inbox.isEmpty).toBe(true)
  })
})
