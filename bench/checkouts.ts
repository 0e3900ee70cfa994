import { get } from 'node:http'
import type { OrderView } from '../domain/event/view.ts'
import { orderId, workflowId } from '../domain/ids.ts'
import type { Installation } from './installation.ts'
import { runAtPace, until } from './load.ts'
import type { BenchMerchant } from './merchants.ts'
import { newNumber, price } from './orderruns.ts'

/** An order as its creator knows it. */
type CreatedOrder = Pick<OrderView, 'out_trade_no' | 'checkout_url'>

const most_placing_ms = 60_000

interface CreationResult {
  times_ms: number[]
  orders: CreatedOrder[]
}

/**
 * Creates `count` orders at `per_second`: from POST /v1/orders to its 201, with the code that WeChat Pay gave. One that is
 * taken and not placed yet, on a busy machine, is asked for again.
 */
export async function createOrders(
  { config }: Installation,
  { token }: BenchMerchant,
  { count, per_second }: { count: number; per_second: number },
): Promise<CreationResult> {
  const orders: CreatedOrder[] = []
  const numbers = Array.from({ length: count }, () => newNumber('C'))
  const isPlaced = async (out_trade_no: string) => {
    const answer = await fetch(`${config.public_url}/v1/orders`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ out_trade_no, description: '龙井茶', amount: { total: price } }),
    })
    const body = (await answer.json()) as OrderView
    if (answer.status === 202) return false
    if (answer.status !== 201 && answer.status !== 200)
      throw new Error(`not created: ${answer.status} ${JSON.stringify(body)}`)
    orders.push(body)
    return true
  }
  const times_ms = await runAtPace(numbers, per_second, async (out_trade_no) => {
    await until(`${out_trade_no} is placed`, most_placing_ms, () => isPlaced(out_trade_no))
  })
  return { times_ms, orders }
}

/**
 * Pays `orders` at `per_second` with their checkout pages open, and returns how long each took: from the moment the
 * simulator is asked to pay until the page's stream of events says one of `states`: `paid`, or what came after it.
 */
export async function measurePaidToPage(
  simulator_url: string,
  { mchid }: BenchMerchant,
  orders: CreatedOrder[],
  per_second: number,
  states: readonly string[] = paid_states,
): Promise<number[]> {
  const pages = await Promise.all(orders.map(async (order) => ({ order, page: await openPage(order, states) })))
  const times_ms: number[] = []
  await runAtPace(pages, per_second, async ({ order, page }) => {
    const begin = performance.now()
    const [seen] = await Promise.all([page.paid, payOne(simulator_url, mchid, order)])
    times_ms.push(seen - begin)
  })
  return times_ms
}

/** The payer of the simulator pays one order. */
export async function payOne(simulator_url: string, mchid: string, { out_trade_no }: CreatedOrder): Promise<void> {
  const body = JSON.stringify({ mchid, out_trade_no, story: 'pay' })
  const answer = await fetch(`${simulator_url}/control/pay`, { method: 'POST', body })
  if (!answer.ok) throw new Error(`nobody could pay: ${answer.status} ${await answer.text()}`)
}

interface OpenPage {
  /** the moment, by this process's clock, at which the page knew */
  paid: Promise<number>
}

const paid_states = ['paid', 'fulfilled']

/** What the browser's EventSource does: a stream of events, read as they come. Open when the first one is there. */
async function openPage({ checkout_url }: CreatedOrder, states: readonly string[]): Promise<OpenPage> {
  const { promise: paid, resolve: setPaid } = withResolvers<number>()
  const { promise: opened, resolve: setOpened } = withResolvers<undefined>()
  const stream = get(`${checkout_url}/events`, { headers: { accept: 'text/event-stream' } }, (answer) => {
    let unread = ''
    answer.setEncoding('utf8')
    answer.on('data', (text: string) => {
      const events = (unread + text).split('\n\n')
      unread = events.pop() ?? ''
      const now = performance.now()
      for (const event of events) {
        const data = /^data: (.*)$/m.exec(event)?.[1]
        if (data === undefined) continue
        setOpened(undefined)
        if (!states.includes((JSON.parse(data) as { state: string }).state)) continue
        setPaid(now)
        stream.destroy()
      }
    })
  })
  stream.on('error', () => undefined) // ours to end
  await opened
  return { paid }
}

/** Promise.withResolvers, which Node 20 does not have. */
function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((done) => (resolve = done))
  return { promise, resolve }
}

/** Events in the histories of `orders`, whose runs must have ended. */
export async function historyLengths(
  { temporal }: Installation,
  { mchid }: BenchMerchant,
  orders: CreatedOrder[],
): Promise<number[]> {
  return await Promise.all(
    orders.map(async ({ out_trade_no }) => {
      const handle = temporal.client.workflow.getHandle(workflowId.order({ mchid, out_trade_no }))
      if ((await handle.result()) !== 'fulfilled')
        throw new Error(`${orderId({ mchid, out_trade_no })} took another way`)
      const { historyLength } = await handle.describe()
      return historyLength
    }),
  )
}
