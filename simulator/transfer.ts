import { z } from 'zod'
import { flow_accounts } from '../domain/merchant/bill.ts'
import { randomDigits } from './random.ts'

const place = z.enum([...flow_accounts, 'BANK'])

/** `POST /control/transfers`: money that a merchant moves in its console, between its accounts or to and from its bank. */
export const transferRequest = z
  .strictObject({
    mchid: z.string(),
    from: place,
    to: place,
    amount: z.int().min(1).max(100_000_000_000),
    /** 业务类型 of the line that it leaves by, and of the one that it arrives by: WeChat Pay documents neither */
    out_word: z.string().min(1).max(32).default('提现'),
    in_word: z.string().min(1).max(32).default('充值'),
  })
  .refine(({ from, to }) => from !== to, 'from and to are the same')

export type TransferRequest = z.input<typeof transferRequest>

/** Transfer is money that a merchant moved itself. */
export type Transfer = z.output<typeof transferRequest> & { transfer_id: string; time: number }

export function newTransfer(given: z.output<typeof transferRequest>, time: number): Transfer {
  return { ...given, transfer_id: `1010${randomDigits(24)}`, time }
}
