import { rounded } from './figures.ts'
import { memoryOfWaiting } from './memory.ts'
import { addSignedMerchant } from './merchants.ts'
import type { SignedMerchant } from './merchants.ts'
import { refunds } from './refunding.ts'
import { openRefundWeChat } from './refundwechat.ts'
import type { RefundWeChat } from './refundwechat.ts'
import { reportRefunds } from './report.ts'
import { onServers } from './servers.ts'
import type { Installation } from './installation.ts'
import type { Open } from './servers.ts'
import { orderOf, waitingRefunds } from './waitingrefunds.ts'

/** As in pipeline.ts. */
const sizes = {
  full: { memory: { warm: 200, count: 1_000 }, refunds: { rounds: 5, per_round: 40, concurrency: 16 } },
  small: { memory: { warm: 20, count: 60 }, refunds: { rounds: 1, per_round: 10, concurrency: 4 } },
}

/** Measures refunds and prints a table and, as the last line, one line of JSON. */
export async function measureRefunds(size: keyof typeof sizes): Promise<void> {
  const wechat = await openRefundWeChat(orderOf)
  try {
    await onServers(async (open, say) => {
      say('memory of waiting refunds')
      const waiting = await openFor(open, 'waiting', wechat)
      const memory = await memoryOfWaiting(waiting.installation, sizes[size].memory, (count) =>
        waitingRefunds(waiting.installation, waiting.merchant, count),
      )
      say(`${rounded(memory.kb.workflows, 1)} KB each`)
      say('refunds from accepted to succeeded against bare workflows')
      const living = await openFor(open, 'living', wechat)
      await living.installation.startWorker()
      const refunded = await refunds(living.installation, living.merchant, wechat, sizes[size].refunds)
      reportRefunds({ memory, refunded })
    })
  } finally {
    wechat.close()
  }
}

/** An installation with the one merchant that WeChat now knows. */
async function openFor(
  open: Open,
  name: string,
  wechat: RefundWeChat,
): Promise<{ installation: Installation; merchant: SignedMerchant }> {
  const installation = await open(name, { WEFT_TEST_WECHAT_URL: wechat.url })
  const merchant = await addSignedMerchant({ ...installation })
  wechat.serve(merchant)
  return { installation, merchant }
}
