import { numberOf, ordered, keyOf, kept, misbehave } from './paths.ts'
import type { Chapter, Path, Teller } from './paths.ts'
import { until } from '../stage/until.ts'

/*
 * First attempts in line, which a worker makes only once it has seen that WeChat and the shop are quick; so each path has
 * a worker of its own. The paths of other chapters are mostly told before that.
 */

/** Until the worker has seen both answer quickly. */
async function warmUp(teller: Teller): Promise<void> {
  const order = await ordered(teller, 'warm_up')
  teller.stage.pay(order)
  await teller.stage.reaches(order, 'fulfilled')
}

/** `path` with a worker of its own, which has seen that all are quick unless it `is_cold`. */
function chapterOf(name: string, path: Path, { is_cold = false } = {}): Chapter {
  return {
    options: { time_scale: 30, settings: { fulfilment: { mode: 'event' } } },
    ...(!is_cold && { before: warmUp }),
    paths: { [name]: path },
  }
}

const paid: Path = async (teller, name) => {
  const order = await ordered(teller, name)
  teller.stage.pay(order)
  await kept(teller, name, order)
}

const paidAndUnheard: Path = async (teller, name) => {
  teller.answers(keyOf(teller, name), { status: 503 })
  await paid(teller, name)
}

/** What comes meanwhile is taken after the answer. */
const paidTwiceMeanwhile: Path = async (teller, name) => {
  let answer = () => {}
  const after = new Promise<void>((resolve) => (answer = resolve))
  teller.answers(keyOf(teller, name), { status: 200, body: '{"fulfilment":"fulfilled"}', after })
  const order = await ordered(teller, name)
  teller.stage.pay(order)
  await until('the shop thinks', () => teller.stage.shop.of(order.out_trade_no).length > 0)
  teller.stage.pay(order, 'second_payment')
  await until('the second payment is told', () => {
    const told = teller.stage.wechat.notifications.filter(({ out_trade_no }) => out_trade_no === order.out_trade_no)
    return told.flatMap(({ attempts }) => attempts).filter(({ status }) => status === 204).length > 1
  })
  answer()
  await kept(teller, name, order)
}

const refusedByWeChat: Path = async (teller, name) => {
  misbehave(teller, keyOf(teller, name), { operation: 'place', fault: 'RULE_LIMIT', times: 1 })
  await teller.stage.create({ out_trade_no: numberOf(name) })
  await kept(teller, name, keyOf(teller, name))
}

const unansweredByWeChat: Path = async (teller, name) => {
  const order = keyOf(teller, name)
  misbehave(teller, order, { operation: 'place', fault: 'disconnect_after', times: 2 })
  await teller.stage.create({ out_trade_no: order.out_trade_no })
  await teller.stage.reaches(order, 'awaiting_payment')
  teller.stage.pay(order)
  await kept(teller, name, order)
}

export const line_chapters: Chapter[] = [
  chapterOf('not_in_line', paid, { is_cold: true }),
  chapterOf('answered_in_line', paid),
  chapterOf('unheard_in_line', paidAndUnheard),
  chapterOf('paid_twice_in_line', paidTwiceMeanwhile),
  chapterOf('refused_in_line', refusedByWeChat),
  chapterOf('unanswered_in_line', unansweredByWeChat),
]
