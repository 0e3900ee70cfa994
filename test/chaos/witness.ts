/**
 * Says what of an installation is still open or wrong, from what its outsiders know: the merchant's own notes, what its
 * endpoint received, what WeChat holds, and the answers of the API. It shares no code with Weft.
 */

/** What a merchant's own database would hold of one order. */
export interface MerchantNote {
  out_trade_no: string
  /** its endpoint has answered `fulfilled`, or `refused` */
  decision: 'fulfilled' | 'refused' | null
  /** refunds that the API took, by out_refund_no; a second person may have rejected them */
  refunds: Map<string, { fen: number; is_rejected: boolean }>
  /** what a person has decided about second payments, by transaction_id */
  seconds: Map<string, 'accept' | 'reject' | 'leave'>
}

/** An event as an endpoint received it, and whether the endpoint answered it with 2xx. */
export interface Received {
  endpoint: string
  id: string
  type: string
  sequence: number
  out_trade_no: string
  was_answered: boolean
}

export interface WeChatTruth {
  payments: readonly { transaction_id: string; out_trade_no: string; amount: { total: number } }[]
  refunds: readonly { out_refund_no: string; transaction_id: string; status: string; amount: { refund: number } }[]
}

export interface ApiOrder {
  out_trade_no: string
  state: string
  transaction_id: string | null
  attention: { code: string } | null
  amount: { total: number; refunded: number; refund_pending: number }
}

export interface ApiCheckout {
  out_trade_no: string
  state: string
  paid_by: string | null
  orders_opened: readonly string[]
}

export interface ApiDay {
  state: string
  is_proven: boolean
  flaws: readonly { text: string }[]
  differences: Readonly<Record<string, number>>
}

export interface ApiEvent {
  id: string
  type: string
  sequence: number
  out_trade_no: string
}

/** All that is looked at when everything should be at rest. */
export interface Scene {
  notes: readonly MerchantNote[]
  checkouts: readonly ApiCheckout[]
  received: readonly Received[]
  wechat: WeChatTruth
  orders: ReadonlyMap<string, ApiOrder>
  events: readonly ApiEvent[]
  /** ids of events that a reader saw who followed the feed all the while */
  followed: ReadonlySet<string>
  open_deliveries: readonly string[]
  attention: readonly { code: string; out_trade_no: string | null; transaction_id: string | null }[]
  running: readonly string[]
  /** the day whose bills were compared; null: none was */
  day: ApiDay | null
}

/** States in which Weft has nothing left to do by itself. */
const states_at_rest = ['fulfilled', 'closed', 'failed', 'review', 'refunded']
const checkouts_at_rest = ['paid', 'expired', 'cancelled']
/** What a person has to decide in these stories; anything else is a complaint. */
const expected_attention = ['second_payment']

/** One line for each thing that is open, contradicted or missing; none where all is at rest and right. */
export function openThings(scene: Scene): string[] {
  return [
    ...scene.running.map((id) => `${id} still runs`),
    ...scene.open_deliveries.map((id) => `delivery ${id} is still open`),
    ...scene.attention
      .filter(({ code }) => !expected_attention.includes(code))
      .map(({ code, out_trade_no }) => `attention ${code} of ${out_trade_no}`),
    ...scene.notes.flatMap((note) => openOfOrder(scene, note)),
    ...scene.checkouts.flatMap((checkout) => openOfCheckout(scene, checkout)),
    ...openOfDay(scene),
    ...scene.events
      .filter(({ id }) => !scene.followed.has(id))
      .map(({ id, type }) => `the feed never showed ${type} ${id}`),
  ]
}

/** One sale: it is over, shipped once at most, and says itself which number has kept it. */
function openOfCheckout({ notes, orders }: Scene, checkout: ApiCheckout): string[] {
  const { out_trade_no, state, paid_by, orders_opened } = checkout
  const shipped = orders_opened.filter((number) => notes.some((note) => note.out_trade_no === number && note.decision))
  const kept = orders_opened.filter((number) => orders.get(number)?.state === 'fulfilled')
  const flaws = [
    ...(checkouts_at_rest.includes(state) ? [] : ['is not over']),
    ...(shipped.length > 1 ? [`was shipped ${shipped.length} times: ${shipped.join(', ')}`] : []),
    ...kept.filter((number) => number !== paid_by).map((number) => `is kept by ${number}, and says ${paid_by}`),
    ...(state === 'paid' && paid_by === null ? ['is paid by no order'] : []),
  ]
  return flaws.map((what) => `checkout ${out_trade_no} (${state}): ${what}`)
}

function openOfDay({ day }: Scene): string[] {
  if (day === null) return []
  if (day.is_proven && day.state !== 'running') return []
  const why = [...day.flaws.map(({ text }) => text), JSON.stringify(day.differences)]
  return [`the day is ${day.state} and not proven: ${why.join('; ')}`]
}

function openOfOrder(scene: Scene, note: MerchantNote): string[] {
  const order = scene.orders.get(note.out_trade_no)
  if (order === undefined) return [`order ${note.out_trade_no} is unknown to the API`]
  const say = (what: string) => `order ${note.out_trade_no} (${order.state}): ${what}`
  const flaws = [
    ...stateFlaws(scene, note, order),
    ...moneyFlaws(scene, note, order),
    ...secondFlaws(scene, note, order),
    ...gapFlaws(scene, note),
    ...endpointsIn(scene).flatMap((endpoint) => eventFlaws(scene, note, endpoint)),
  ]
  return flaws.map(say)
}

function stateFlaws({ wechat }: Scene, { out_trade_no, decision }: MerchantNote, order: ApiOrder): string[] {
  if (!states_at_rest.includes(order.state)) return ['is not at rest']
  const is_paid = wechat.payments.some((payment) => payment.out_trade_no === out_trade_no)
  const flaws: string[] = []
  if (is_paid && order.transaction_id === null) flaws.push('WeChat has money that the order does not know')
  if (!is_paid && order.transaction_id !== null) flaws.push('knows money that WeChat never took')
  if (order.state === 'fulfilled' && decision !== 'fulfilled') flaws.push(`fulfilled, and the shop said ${decision}`)
  if (order.state === 'closed' && decision === 'fulfilled') flaws.push('closed, and the shop has shipped')
  return flaws
}

/** Money is with the merchant for what was shipped, and with the payer for everything else. */
function moneyFlaws({ wechat }: Scene, note: MerchantNote, order: ApiOrder): string[] {
  const flaws: string[] = []
  const asked_for = [...note.refunds.values()].filter(({ is_rejected }) => !is_rejected)
  const gone = (transaction_id: string | null) =>
    wechat.refunds
      .filter((refund) => refund.transaction_id === transaction_id && refund.status === 'SUCCESS')
      .reduce((sum, { amount }) => sum + amount.refund, 0)
  if (order.transaction_id !== null) {
    const refunded = gone(order.transaction_id)
    if (refunded !== order.amount.refunded)
      flaws.push(`says ${order.amount.refunded} fen went back, WeChat says ${refunded}`)
    if (order.amount.refund_pending !== 0) flaws.push(`${order.amount.refund_pending} fen are still on their way back`)
    const asked = asked_for.reduce((sum, { fen }) => sum + fen, 0)
    if (note.decision === 'fulfilled' && refunded > asked)
      flaws.push(`shipped, and ${refunded} fen went back where the merchant asked for ${asked}`)
    if (note.decision !== 'fulfilled' && refunded !== order.amount.total)
      flaws.push(`never shipped, and only ${refunded} of ${order.amount.total} fen went back`)
  }
  for (const [number, { is_rejected }] of note.refunds) {
    const status = wechat.refunds.find(({ out_refund_no }) => out_refund_no === number)?.status
    if ((status === 'SUCCESS') === is_rejected) flaws.push(`refund ${number} is ${status ?? 'unknown'} at WeChat`)
  }
  return flaws
}

/** Each payment beside the order's own went back, was accepted by a person, or waits for one who is told of it. */
function secondFlaws({ wechat, attention }: Scene, note: MerchantNote, order: ApiOrder): string[] {
  const seconds = wechat.payments.filter(
    ({ out_trade_no, transaction_id }) => out_trade_no === note.out_trade_no && transaction_id !== order.transaction_id,
  )
  return seconds.flatMap(({ transaction_id, amount }) => {
    const decision = note.seconds.get(transaction_id) ?? 'leave'
    const gone = wechat.refunds
      .filter((refund) => refund.transaction_id === transaction_id && refund.status === 'SUCCESS')
      .reduce((sum, refund) => sum + refund.amount.refund, 0)
    const is_asked = attention.some((one) => one.transaction_id === transaction_id)
    if (decision === 'leave' && !is_asked) return [`nobody is told of the second payment ${transaction_id}`]
    if (decision !== 'leave' && is_asked) return [`second payment ${transaction_id} is decided and still asked about`]
    if (gone === (decision === 'reject' ? amount.total : 0)) return []
    return [`second payment ${transaction_id}: ${decision}, and ${gone} fen went back`]
  })
}

const endpointsIn = ({ received }: Scene) => [...new Set(received.map(({ endpoint }) => endpoint))]

function publishedOf({ events }: Scene, { out_trade_no }: MerchantNote): ApiEvent[] {
  return events.filter((event) => event.out_trade_no === out_trade_no).sort((a, b) => a.sequence - b.sequence)
}

function gapFlaws(scene: Scene, note: MerchantNote): string[] {
  return publishedOf(scene, note)
    .filter(({ sequence }, index) => sequence !== index + 1)
    .map(({ sequence }) => `events have a gap at ${sequence}`)
}

/**
 * Each event was received and answered under its one id, the lower number before the higher, and nothing that was never
 * published.
 */
function eventFlaws(scene: Scene, note: MerchantNote, endpoint: string): string[] {
  const published = publishedOf(scene, note)
  const mine = scene.received.filter((event) => event.endpoint === endpoint && event.out_trade_no === note.out_trade_no)
  const first = new Map<string, number>()
  mine.forEach(({ id, was_answered }, index) => {
    if (was_answered && !first.has(id)) first.set(id, index)
  })
  const flaws: string[] = []
  let latest = -1
  for (const { id, type, sequence } of published) {
    const index = first.get(id)
    // The one event that the endpoint of the fulfilment does not get: it says itself what it tells.
    if (index === undefined) {
      if (type !== 'order.fulfilled') flaws.push(`${type} (${sequence}) was never received by the ${endpoint} endpoint`)
      continue
    }
    if (index < latest) flaws.push(`${type} (${sequence}) was received before an earlier one was`)
    latest = index
  }
  const known = new Set(published.map(({ id }) => id))
  return [
    ...flaws,
    ...mine.filter(({ id }) => !known.has(id)).map(({ type }) => `${type} was received and never published`),
  ]
}
