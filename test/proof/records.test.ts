import { describe, expect, it } from 'vitest'
import { paymentCorrections } from '../../domain/bill/acceptance.ts'
import { assertBalanced } from '../../domain/journal.ts'
import { finding_kinds, proof_patience, scaledPatience } from '../../proof/finding.ts'
import type { Dossier, Finding, FindingKind, ProofMoment } from '../../proof/finding.ts'
import { dossierFindings } from '../../proof/records.ts'
import type { WeChatRecords } from '../../proof/wechat.ts'
import { acceptedStory, closedStory, fulfilledStory, refundedStory, Story } from '../stage/dossiers.ts'
import {
  at,
  evidenceSample,
  mchid,
  noon,
  paymentFound,
  paymentSample,
  placed,
  secondPayment,
} from '../store/samples.ts'

const day_ms = 24 * 60 * 60 * 1000
/** long after all of it: nothing is excused */
const later: ProofMoment = { now_ms: noon + day_ms, patience: proof_patience }
/** while it is being written down */
const meanwhile: ProofMoment = { now_ms: noon + 110_000, patience: proof_patience }

const kinds = (findings: Finding[]): FindingKind[] => findings.map(({ kind }) => kind)

/** The finding of `kind`, which must be there. */
function found(kind: FindingKind, dossier: Dossier, truth: WeChatRecords | null = null, moment = later): Finding {
  const findings = dossierFindings(dossier, moment, truth)
  const one = findings.find((finding) => finding.kind === kind)
  if (one === undefined) throw new Error(`no ${kind} among: ${kinds(findings).join(', ') || 'nothing'}`)
  return one
}

function partlyRefunded(...amounts: number[]): Story {
  const story = fulfilledStory()
  amounts.forEach((amount, place) =>
    story.refund({ out_refund_no: `R${place + 1}`, amount, tale: ['reserved', 'accepted', 'succeeded'] }),
  )
  return story
}

describe('a payment that a person accepted was never made', () => {
  /** Its book is empty but for what was taken back, and WeChat has nothing. */
  function deniedStory(): Story {
    const story = fulfilledStory()
    const payment = story.payment('t1')
    payment.denial = { time: at(1_000), by: 'key_a', reason: 'why', evidence_id: 'said' }
    const said = { by: 'key_a', reason: 'why', booked_time: at(1_001) }
    story.dossier.entries.push(...paymentCorrections(payment, story.dossier.entries, said))
    return story
  }
  const nothing: WeChatRecords = { order: null, payments: [], refunds: [] }

  it('has nothing in the book, and nothing at WeChat', () => {
    expect(kinds(dossierFindings(deniedStory().dossier, later, nothing))).toEqual([])
  })

  it('is found where the book still has it, unless it is just being taken back', () => {
    const { dossier } = deniedStory()
    dossier.entries.pop()
    expect(found('entry_unexplained', dossier)).toMatchObject({ transaction_id: 't1', amount: 990, under_way: false })
    const meanwhile_denied = { ...later, now_ms: Date.parse(at(1_000)) + 1_000 }
    expect(found('entry_unexplained', dossier, null, meanwhile_denied).under_way).toBe(true)
  })

  it('is found where the record does not say so, and where WeChat has it', () => {
    const { dossier } = deniedStory()
    const there = { transaction_id: 't1', amount: { total: 990 }, success_time: at(1) }
    expect(found('paid_there_unknown_here', dossier, { ...nothing, payments: [there] }).detail).toContain('accepted')
    delete dossier.payments[0]?.denial
    expect(found('entry_missing', dossier)).toMatchObject({ transaction_id: 't1' })
    expect(found('payment_unknown_there', dossier, nothing)).toMatchObject({ transaction_id: 't1' })
  })
})

describe('records that belong together', () => {
  const refunds = (tale: Parameters<Story['refund']>[0]['tale']) => fulfilledStory().refund({ amount: 300, tale })
  it.each<[string, Story]>([
    ['an order paid and fulfilled', fulfilledStory()],
    ['an order paid with a coupon of the merchant’s own', fulfilledStory('TEA-1', 't1', 100)],
    ['an order nobody paid', closedStory()],
    ['an order wholly refunded', refundedStory()],
    ['an order wholly refunded, a part of it coupon', refundedStory('TEA-1', 100)],
    ['an order wholly refunded, all of it coupon', refundedStory('TEA-1', 990)],
    ['contradicted money, accepted', acceptedStory()],
    ['accepted money, a part of it refunded', acceptedStory().refund({ amount: 400, tale: ['reserved', 'accepted'] })],
    ['refunds of parts', partlyRefunded(300, 300, 390)],
    ['a refund only reserved', refunds(['reserved'])],
    ['a refund WeChat has', refunds(['reserved', 'accepted'])],
    ['a refund the payer’s account does not take', refunds(['reserved', 'accepted', 'abnormal'])],
    ['a refund WeChat closed', refunds(['reserved', 'accepted', 'closed'])],
    ['a refund WeChat refused', refunds(['reserved', 'refused'])],
    ['a refused refund paid by hand', refunds(['reserved', 'refused', 'paid_out'])],
    ['a closed refund paid by hand', refunds(['reserved', 'accepted', 'closed', 'paid_out'])],
    ['a refund returned to the merchant', refunds(['reserved', 'accepted', 'returned_to_merchant'])],
    ['one returned and paid by hand', refunds(['reserved', 'accepted', 'returned_to_merchant', 'paid_out'])],
  ])('agree with each other, the book and WeChat: %s', (_, story) => {
    const truth = story.truth(story.order.state === 'closed' ? 'CLOSED' : 'SUCCESS')
    expect(dossierFindings(story.dossier, later, truth)).toEqual([])
    expect(dossierFindings(story.dossier, { ...later, patience: null }, truth)).toEqual([])
  })

  it('may be money of nobody’s order, which lies in suspense', () => {
    const story = new Story('GHOST-1')
    story.money('t1', 'orphan').order_id = null
    expect(dossierFindings({ ...story.dossier, order: null }, later)).toEqual([])
  })

  it('may be a correction: an exact reversal, then the entry anew', () => {
    const { dossier } = fulfilledStory()
    const [wrong] = dossier.entries
    if (wrong === undefined) throw new Error('no entry')
    const reversal = {
      ...wrong,
      _id: `rev:${wrong._id}`,
      reverses: wrong._id,
      postings: wrong.postings.map((posting) => ({ ...posting, amount: -posting.amount })),
    }
    const anew = { ...wrong, _id: `${wrong._id}#2` }
    expect(dossierFindings({ ...dossier, entries: [wrong, reversal, anew] }, later)).toEqual([])
    expect(kinds(dossierFindings({ ...dossier, entries: [wrong, anew] }, later))).toContain('entry_doubled')
    expect(kinds(dossierFindings({ ...dossier, entries: [wrong, reversal] }, later))).toContain('entry_missing')
  })
})

describe('a fault in the book is named with its numbers', () => {
  it('an entry that is missing', () => {
    const { dossier } = fulfilledStory()
    dossier.entries = []
    expect(found('entry_missing', dossier)).toMatchObject({
      mchid,
      out_trade_no: 'TEA-1',
      transaction_id: 't1',
      amount: 990,
      under_way: false,
    })
    expect(found('income_differs', dossier)).toMatchObject({ amount: 990 })
  })

  it('an entry of a wrong amount', () => {
    const { dossier } = refundedStory()
    const entry = dossier.entries.find(({ kind }) => kind === 'refund_accepted')
    for (const posting of entry?.postings ?? []) posting.amount *= 2
    expect(found('entry_differs', dossier)).toMatchObject({ out_refund_no: 'R1', amount: 990 })
  })

  it('an entry that does not sum to zero', () => {
    const { dossier } = fulfilledStory()
    const posting = dossier.entries[0]?.postings[0]
    if (posting) posting.amount += 1
    expect(found('entry_unbalanced', dossier)).toMatchObject({ transaction_id: 't1', amount: 1 })
    expect(() => assertBalanced(dossier.entries[0]?.postings ?? [])).toThrow(RangeError)
  })

  it('an entry in the book of another merchant than its number says', () => {
    const { dossier } = fulfilledStory()
    dossier.entries = dossier.entries.map((entry) => ({ ...entry, _id: 'pay:1900000999:t1' }))
    expect(found('entry_foreign', dossier)).toMatchObject({ transaction_id: 't1', amount: 990 })
  })

  it('an entry that no record explains', () => {
    const { dossier } = fulfilledStory()
    const [entry] = refundedStory().dossier.entries.filter(({ kind }) => kind === 'refund_accepted')
    if (entry) dossier.entries.push(entry)
    expect(found('entry_unexplained', dossier)).toMatchObject({ out_refund_no: 'R1', amount: 990, under_way: false })
    expect(found('income_differs', dossier)).toMatchObject({ amount: 990 })
  })

  it('suspense that is not empty after acceptance', () => {
    const { dossier } = acceptedStory()
    const entry = dossier.entries.find(({ kind }) => kind === 'acceptance')
    for (const posting of entry?.postings ?? []) posting.amount -= Math.sign(posting.amount) * 10
    expect(found('suspense_open', dossier)).toMatchObject({ transaction_id: 't1', amount: 10 })
  })

  it('an acceptance that is not booked', () => {
    const { dossier } = acceptedStory()
    dossier.entries = dossier.entries.filter(({ kind }) => kind !== 'acceptance')
    expect(found('entry_missing', dossier)).toMatchObject({ transaction_id: 't1', amount: 1000 })
    expect(found('suspense_open', dossier)).toMatchObject({ amount: 1000 })
  })

  it('money of the order’s own booked in suspense', () => {
    const { dossier } = fulfilledStory()
    const income = dossier.entries[0]?.postings.find(({ account }) => account === 'sales')
    if (income) Object.assign(income, { account: 'suspense', key: 't1' })
    expect(found('entry_differs', dossier)).toMatchObject({ transaction_id: 't1', amount: 990 })
    expect(found('suspense_open', dossier)).toMatchObject({ amount: 990 })
  })

  it('a debt to the payer that is left after success', () => {
    const { dossier } = refundedStory()
    dossier.entries = dossier.entries.filter(({ kind }) => kind !== 'refund_succeeded')
    expect(found('payable_open', dossier)).toMatchObject({ out_refund_no: 'R1', amount: 990 })
    expect(found('entry_missing', dossier)).toMatchObject({ out_refund_no: 'R1' })
  })

  it('an amount of which nothing can be booked', () => {
    const { dossier } = fulfilledStory()
    const [payment] = dossier.payments
    if (payment) payment.settled_total = 12.5
    expect(found('amount_unusable', dossier)).toMatchObject({ transaction_id: 't1' })
  })

  it('a payout of more than was owed', () => {
    const { dossier } = fulfilledStory().refund({ amount: 300, tale: ['reserved', 'refused', 'paid_out'] })
    const payout = dossier.entries.find(({ kind }) => kind === 'payout')
    for (const posting of payout?.postings ?? []) posting.amount *= 2
    expect(found('entry_differs', dossier)).toMatchObject({ out_refund_no: 'R1', amount: 300 })
  })
})

describe('a fault among records is named with its numbers', () => {
  it('a payment that is gone', () => {
    const { dossier } = fulfilledStory()
    dossier.payments = []
    expect(found('payment_missing', dossier)).toMatchObject({ transaction_id: 't1', amount: 990 })
    expect(found('evidence_without_effect', dossier)).toMatchObject({ transaction_id: 't1' })
    expect(found('entry_unexplained', dossier)).toMatchObject({ transaction_id: 't1', amount: 990 })
  })

  it('a paid order that names no payment', () => {
    const { dossier } = fulfilledStory()
    if (dossier.order) dossier.order.payment = null
    expect(found('payment_missing', dossier)).toMatchObject({ amount: 990 })
    expect(found('payment_untold', dossier)).toMatchObject({ transaction_id: 't1' })
  })

  it('a payment of another amount than was asked for', () => {
    const { dossier } = fulfilledStory()
    const [payment] = dossier.payments
    if (payment) Object.assign(payment, { amount: { ...payment.amount, total: 1090 }, settled_total: 1090 })
    expect(found('payment_differs', dossier)).toMatchObject({ transaction_id: 't1', amount: 100 })
  })

  it('a payment that counts twice', () => {
    const story = fulfilledStory()
    story.money('t2', 'order')
    expect(found('payment_doubled', story.dossier)).toMatchObject({ transaction_id: 't2', amount: 990 })
    expect(found('payment_untold', story.dossier)).toMatchObject({ transaction_id: 't2' })
  })

  it('but not a second payment of which the order knows', () => {
    const story = fulfilledStory()
    story.money('second', 'second')
    story.tell(secondPayment('second'))
    expect(dossierFindings(story.dossier, later)).toEqual([])
  })

  it('a refund that the payment counts and nobody recorded', () => {
    const { dossier } = partlyRefunded(300)
    dossier.refunds = []
    expect(found('refund_unrecorded', dossier)).toMatchObject({ out_refund_no: 'R1', amount: 300 })
  })

  it('a refund that the payment does not count', () => {
    const { dossier } = partlyRefunded(300)
    for (const payment of dossier.payments) payment.refunds = []
    expect(found('refund_uncounted', dossier)).toMatchObject({ out_refund_no: 'R1', amount: 300 })
  })

  it.each([
    ['amount', { amount: 310 }, 10],
    ['state', { state: 'closed' as const }, 300],
  ])('a refund that the payment counts with another %s', (_, wrong, amount) => {
    const { dossier } = partlyRefunded(300)
    Object.assign(dossier.payments[0]?.refunds[0] ?? {}, wrong)
    expect(found('refund_differs', dossier)).toMatchObject({ out_refund_no: 'R1', amount })
  })

  it('more given back than was paid', () => {
    expect(found('refunds_exceed_payment', partlyRefunded(600, 500).dossier)).toMatchObject({
      transaction_id: 't1',
      amount: 110,
    })
  })

  it('an order refunded whose refund WeChat closed', () => {
    const { dossier } = refundedStory()
    const closed = fulfilledStory().refund({ tale: ['reserved', 'accepted', 'closed'] }).dossier
    dossier.refunds = closed.refunds
    dossier.payments = closed.payments
    dossier.entries = closed.entries
    expect(kinds(dossierFindings(dossier, later))).toEqual(['order_not_refunded'])
    expect(found('order_not_refunded', dossier)).toMatchObject({ transaction_id: 't1', amount: 990 })
  })

  it('an order refunding while nothing gives the money back', () => {
    const by = { operation_id: 'requested', time: at(80), actor: { kind: 'weft', id: null } as const }
    const story = new Story().tell(placed())
    story.money('t1', 'order')
    story.tell(paymentFound('t1'), { event: 'full_refund_requested', out_refund_no: 'R1', ...by })
    expect(found('refunding_idle', story.dossier)).toMatchObject({ transaction_id: 't1', amount: 990 })
    story.refund({ tale: ['reserved'] })
    expect(dossierFindings(story.dossier, later)).toEqual([])
  })

  it('a gap among the numbers of events, and events that are not there', () => {
    const { dossier } = refundedStory()
    const entry = dossier.order?.timeline.findLast(({ sequence }) => sequence !== null)
    if (entry) entry.sequence = (entry.sequence ?? 0) + 1
    expect(found('event_gap', dossier).detail).toContain('1, 2, 3, 5')
    const without = { ...refundedStory().dossier, events: [] }
    expect(kinds(dossierFindings(without, later))).toEqual(Array(4).fill('event_missing'))
    const more = fulfilledStory().dossier
    more.events.push({ sequence: 9, type: 'order.refunded' })
    expect(found('event_unexplained', more).detail).toContain('event 9')
  })

  it('an order at rest that told nobody', () => {
    const { dossier } = closedStory()
    const last = dossier.order?.timeline.at(-1)
    if (last && dossier.order) {
      Object.assign(last, { sequence: null, event_type: null })
      dossier.order.sequence = 0
      dossier.events = []
    }
    expect(kinds(dossierFindings(dossier, later))).toEqual(['state_untold'])
  })

  it('a timeline with a gap, or one that ends elsewhere', () => {
    const { dossier } = fulfilledStory()
    dossier.order?.timeline.splice(1, 1)
    expect(kinds(dossierFindings(dossier, later))).toContain('timeline_broken')
    const other = partlyRefunded(300).dossier
    if (other.refunds[0]) other.refunds[0].revision = 7
    expect(found('timeline_broken', other)).toMatchObject({ out_refund_no: 'R1' })
  })

  it('evidence that nobody applied or looks for', () => {
    const { dossier } = fulfilledStory()
    const waiting = evidenceSample('n2')
    const { unapplied: _, ...lost } = evidenceSample('n3')
    dossier.evidence.push(waiting, lost)
    expect(found('evidence_unapplied', dossier)).toMatchObject({ transaction_id: 't1' })
    expect(found('evidence_lost', dossier).detail).toContain('n3')
    expect(kinds(dossierFindings(dossier, meanwhile))).toEqual(['evidence_lost'])
  })

  it('a payment of somebody else’s', () => {
    const { dossier } = fulfilledStory()
    for (const payment of dossier.payments) payment.order_id = null
    expect(found('payment_differs', dossier)).toMatchObject({ transaction_id: 't1', amount: 990 })
  })
})

describe('what WeChat knows otherwise is named with its numbers', () => {
  it('paid there and not here', () => {
    const truth = fulfilledStory().truth()
    const story = closedStory()
    expect(found('paid_there_unknown_here', story.dossier, truth)).toMatchObject({ transaction_id: 't1', amount: 990 })
    const nothing = { ...story.dossier, order: null, events: [] }
    expect(found('paid_there_unknown_here', nothing, truth)).toMatchObject({ out_trade_no: 'TEA-1' })
  })

  it('paid here and not there, or otherwise', () => {
    const { dossier } = fulfilledStory()
    const truth = fulfilledStory().truth()
    expect(found('payment_unknown_there', dossier, { ...truth, payments: [] })).toMatchObject({ transaction_id: 't1' })
    for (const payment of truth.payments) payment.amount.total = 1000
    expect(found('payment_differs_there', dossier, truth)).toMatchObject({ transaction_id: 't1', amount: 10 })
  })

  it('closed here and payable there', () => {
    const story = closedStory()
    expect(found('payable_there', story.dossier, story.truth('NOTPAY'))).toMatchObject({ amount: 990 })
  })

  it('waited for here, closed or unknown there', () => {
    const story = new Story().tell(placed())
    expect(found('closed_there', story.dossier, story.truth('CLOSED'))).toMatchObject({ under_way: false })
    const unknown = { ...story.truth(), order: null }
    expect(found('order_unknown_there', story.dossier, unknown)).toMatchObject({ amount: 990 })
  })

  it('a refund there of which nothing is known here', () => {
    const truth = partlyRefunded(300).truth()
    expect(found('refund_unknown_here', fulfilledStory().dossier, truth)).toMatchObject({
      out_refund_no: 'R1',
      amount: 300,
    })
  })

  it('a refund here of which nothing is known there', () => {
    const { dossier } = partlyRefunded(300)
    const truth = fulfilledStory().truth()
    expect(found('refund_unknown_there', dossier, truth)).toMatchObject({ out_refund_no: 'R1', amount: 300 })
  })

  it.each(['PROCESSING', 'CLOSED', 'ABNORMAL'] as const)('a refund that succeeded here and is %s there', (status) => {
    const story = partlyRefunded(300)
    const truth = story.truth()
    for (const refund of truth.refunds) refund.status = status
    expect(found('refund_state_there', story.dossier, truth)).toMatchObject({
      out_refund_no: 'R1',
      amount: 300,
      under_way: false,
    })
  })

  it('a refund that the merchant got there and the payer has here', () => {
    const story = partlyRefunded(300)
    const truth = story.truth()
    for (const refund of truth.refunds) refund.user_received_account = '商户基本账户'
    expect(found('refund_state_there', story.dossier, truth).detail).toContain('商户基本账户')
  })

  it('a refund of another amount, in whole or in what leaves the account', () => {
    const story = partlyRefunded(300)
    const truth = story.truth()
    for (const refund of truth.refunds) refund.amount = { refund: 300, settlement_refund: 270 }
    expect(found('refund_amount_there', story.dossier, truth)).toMatchObject({ out_refund_no: 'R1', amount: 30 })
  })
})

describe('what is merely under way', () => {
  it('is no fault while Weft carries it, and one once its plan is overdue', () => {
    const story = new Story().tell(placed())
    if (story.dossier.order) story.dossier.order.next_action = { what: 'ask_wechat', time: at(3600) }
    const truth = fulfilledStory().truth()
    const seen = (now_ms: number, given: ProofMoment['patience'] = proof_patience) =>
      found('paid_there_unknown_here', story.dossier, truth, { now_ms, patience: given }).under_way
    expect(seen(noon + 3_000_000)).toBe(true)
    expect(seen(noon + 3_000_000, null)).toBe(false)
    expect(seen(noon + 3_600_000 + proof_patience.overdue_ms)).toBe(false)
  })

  it('is a refund that WeChat has finished and Weft has still to ask about', () => {
    const story = fulfilledStory().refund({ amount: 300, tale: ['reserved', 'accepted'] })
    const truth = partlyRefunded(300).truth()
    const [refund] = story.dossier.refunds
    if (refund) refund.next_action = { what: 'ask_wechat', time: at(7200) }
    expect(found('refund_state_there', story.dossier, truth, meanwhile).under_way).toBe(true)
    expect(found('refund_state_there', story.dossier, truth, later).under_way).toBe(false)
  })

  it('is an entry that follows from what was written a moment ago, and what its absence does to accounts', () => {
    const { dossier } = partlyRefunded(300)
    dossier.entries = dossier.entries.filter(({ kind }) => kind !== 'refund_succeeded')
    const [soon, late] = [meanwhile, later].map((moment) => dossierFindings(dossier, moment))
    expect(soon?.map(({ kind, under_way }) => [kind, under_way])).toEqual([
      ['entry_missing', true],
      ['payable_open', true],
    ])
    expect(late?.every(({ under_way }) => !under_way)).toBe(true)
  })

  it('never excuses a refund that is ahead of WeChat', () => {
    const story = partlyRefunded(300)
    const truth = fulfilledStory().truth()
    expect(found('refund_unknown_there', story.dossier, truth, meanwhile).under_way).toBe(false)
  })

  it('is measured in shorter times where time runs faster, but never in none', () => {
    expect(scaledPatience(proof_patience, 10).writing_ms).toBe(12_000)
    expect(scaledPatience(proof_patience, 1_000_000).writing_ms).toBe(5_000)
  })
})

it('every kind is said in a sentence', () => {
  for (const sentence of Object.values(finding_kinds)) expect(sentence).toMatch(/^[A-Z].*\.$/)
  expect(paymentSample('t1').role).toBe('order')
})
