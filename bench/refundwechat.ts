import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { wechatTime } from '../domain/calendar.ts'
import { refundPath } from '../wechat/refunds.ts'
import type { SignedMerchant } from './merchants.ts'
import { signedHeaders } from './notifications.ts'
import { price } from './orderruns.ts'

/**
 * RefundWeChat is WeChat Pay as far as refunds need it: it accepts every one, and ends them by `end`. Its answers are
 * signed.
 */
export interface RefundWeChat {
  url: string
  /** whose keys it signs with */
  serve(merchant: SignedMerchant): void
  /** From now on these refunds are SUCCESS. */
  end(out_refund_nos: readonly string[]): void
  close(): void
}

interface AcceptedRefund {
  out_refund_no: string
  out_trade_no: string
  transaction_id: string
  refund: number
  ended_ms: number | null
}

/** The first query lies this far ahead, so that no waiting refund is queried while it is measured. */
const quiet_ms = 600_000

/**
 * Opens a RefundWeChat in this process, in place of the simulator: the measurement needs signatures and no state of
 * payments, so a thousand refunds are there in seconds. `orderOf` derives the order's number from the payment's.
 */
export async function openRefundWeChat(orderOf: (transaction_id: string) => string): Promise<RefundWeChat> {
  const refunds = new Map<string, AcceptedRefund>()
  const merchants: SignedMerchant[] = []

  async function findOrAccept(request: IncomingMessage): Promise<AcceptedRefund | undefined> {
    if (request.method === 'GET') return refunds.get(decodeURIComponent(request.url?.split('/').at(-1) ?? ''))
    const body = JSON.parse(await textOf(request)) as AcceptedRefund & { amount: { refund: number } }
    const { out_refund_no, transaction_id, amount } = body
    const out_trade_no = orderOf(transaction_id)
    const taken = { out_refund_no, out_trade_no, transaction_id, refund: amount.refund, ended_ms: null }
    const known = refunds.get(out_refund_no) ?? taken
    refunds.set(out_refund_no, known)
    return known
  }

  const server = createServer((request, response) => {
    void findOrAccept(request).then(async (taken) => {
      const [merchant] = merchants
      const isHere = request.url?.startsWith(refundPath) && taken !== undefined && merchant !== undefined
      if (!isHere) return response.writeHead(404).end('{"code":"RESOURCE_NOT_EXISTS","message":"退款单不存在"}')
      const body = JSON.stringify(refundObject(taken))
      return response.writeHead(200, await signedHeaders(merchant, body)).end(body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    serve: (merchant) => void merchants.splice(0, 1, merchant),
    end(out_refund_nos) {
      for (const out_refund_no of out_refund_nos) {
        const taken = refunds.get(out_refund_no)
        if (taken === undefined) throw new Error(`${out_refund_no} was never asked for`)
        taken.ended_ms = Date.now()
      }
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  request.setEncoding('utf8')
  for await (const part of request) text += String(part)
  return text
}

/** The refund object of docs/wechat-pay.md §2.4. */
function refundObject({ out_refund_no, out_trade_no, transaction_id, refund, ended_ms }: AcceptedRefund): object {
  return {
    refund_id: `5030${out_refund_no.slice(-24)}`,
    out_refund_no,
    transaction_id,
    out_trade_no,
    channel: 'ORIGINAL',
    user_received_account: '支付用户零钱',
    ...(ended_ms !== null && { success_time: wechatTime(ended_ms) }),
    create_time: wechatTime(Date.now() + quiet_ms),
    status: ended_ms === null ? 'PROCESSING' : 'SUCCESS',
    funds_account: 'AVAILABLE',
    amount: { total: price, refund, payer_total: price, payer_refund: refund, settlement_refund: refund },
  }
}
