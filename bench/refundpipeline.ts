import { withServers } from './bench.ts'
import type { OpenInstallation } from './bench.ts'
import { roundTo } from './figures.ts'
import type { Installation } from './installation.ts'
import { measureMemory } from './memory.ts'
import { addSignedMerchant } from './merchants.ts'
import type { SignedMerchant } from './merchants.ts'
import { orderNumberOf, startWaitingRefunds } from './refundruns.ts'
import { measureRefunds } from './refunds.ts'
import { openRefundWeChat } from './refundwechat.ts'
import type { RefundWeChat } from './refundwechat.ts'
import { printRefundReport } from './report.ts'

/** How much of everything. `small` proves that the bench works; its figures mean little. */
const sizes = {
  full: { memory: { warm: 200, count: 1_000 }, refunds: { rounds: 5, per_round: 40, concurrency: 16 } },
  small: { memory: { warm: 20, count: 60 }, refunds: { rounds: 1, per_round: 10, concurrency: 4 } },
}

/** Measures refunds and prints a table and, as the last line, one line of JSON. */
export async function measureRefundPipeline(size: keyof typeof sizes): Promise<void> {
  const wechat = await openRefundWeChat(orderNumberOf)
  try {
    await withServers(async (open, say) => {
      say('memory of waiting refunds')
      const waiting = await openForRefunds(open, 'waiting', wechat)
      const memory = await measureMemory(waiting.installation, sizes[size].memory, (count) =>
        startWaitingRefunds(waiting.installation, waiting.merchant, count),
      )
      say(`${roundTo(memory.kb.workflows, 1)} KB each`)
      say('refunds from accepted to succeeded against bare workflows')
      const living = await openForRefunds(open, 'living', wechat)
      await living.installation.startWorker()
      const refunded = await measureRefunds(living.installation, living.merchant, wechat, sizes[size].refunds)
      printRefundReport({ memory, refunded })
    })
  } finally {
    wechat.close()
  }
}

/** An installation with the one merchant that WeChat now knows. */
async function openForRefunds(
  open: OpenInstallation,
  name: string,
  wechat: RefundWeChat,
): Promise<{ installation: Installation; merchant: SignedMerchant }> {
  const installation = await open(name, { WEFT_TEST_WECHAT_URL: wechat.url })
  const merchant = await addSignedMerchant({ ...installation })
  wechat.serve(merchant)
  return { installation, merchant }
}
