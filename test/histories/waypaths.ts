import { until } from '../stage/until.ts'
import { kept, ordered } from './paths.ts'
import type { Chapter, Teller } from './paths.ts'

/* Orders of other ways to pay than by a code to scan: the same steps, and other things that are handed out. */

/** Opens WeChat with what Weft handed over. */
async function payInWeChat({ stage }: Teller, out_trade_no: string): Promise<void> {
  const { body } = await stage.call<{ client: Record<string, unknown> }>('GET', `/v1/orders/${out_trade_no}`)
  const { kind: _, ...parameters } = body.client
  stage.simulator.control.answerSheet({ client: 'jsapi', parameters })
}

export const way_chapters: Chapter[] = [
  {
    // H5's address is old after two seconds here.
    options: { time_scale: 120, settings: { fulfilment: { mode: 'event' } }, ways_to_pay: true },
    paths: {
      paid_in_wechat: async (teller, name) => {
        const payer = teller.stage.simulator.control.openid({ appid: teller.stage.appid })
        const order = await ordered(teller, name, { trade_type: 'JSAPI', payer })
        await payInWeChat(teller, order.out_trade_no)
        await kept(teller, name, order)
      },
      h5_renewed: async (teller, name) => {
        const scene_info = { payer_client_ip: '203.0.113.7', h5_info: { type: 'Wap' } }
        const order = await ordered(teller, name, { trade_type: 'MWEB', scene_info })
        const { code } = await teller.stage.record(order)
        await until('a new address', async () => {
          await teller.stage.call('POST', `/v1/orders/${order.out_trade_no}/code`)
          return (await teller.stage.record(order)).code?.h5_url !== code?.h5_url
        })
        teller.stage.pay(order)
        await kept(teller, name, order)
      },
    },
  },
]
