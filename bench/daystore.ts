import type mongoose from 'mongoose'
import type { DayPayment, DayRecord, DayRefund } from '../domain/bill/record.ts'

const batch = 2_000

/** Inserts the records of a day as store/ keeps them, many at once. */
export async function insertDay(
  connection: mongoose.Connection,
  mchid: string,
  records: Iterable<DayRecord>,
): Promise<void> {
  const names = { payment: 'payments', refund: 'refunds' } as const
  const pending = { payment: [] as object[], refund: [] as object[] }
  const insert = async (kind: DayRecord['kind']) => {
    const documents = pending[kind].splice(0)
    if (documents.length > 0) await connection.collection(names[kind]).insertMany(documents, { ordered: false })
  }
  for (const record of records) {
    pending[record.kind].push(record.kind === 'payment' ? storedPayment(mchid, record) : storedRefund(mchid, record))
    if (pending[record.kind].length === batch) await insert(record.kind)
  }
  await insert('payment')
  await insert('refund')
}

/** As store/payments.ts keeps one: what is not compared is there too, since a read passes over it. */
function storedPayment(mchid: string, { kind: _kind, total, currency, success_time, ...payment }: DayPayment): object {
  return {
    _id: `${mchid}/${payment.transaction_id}`,
    mchid,
    ...payment,
    order_id: `${mchid}/${payment.out_trade_no}`,
    revision: 1,
    evidence_id: `notification/${payment.transaction_id}`,
    trade_type: 'NATIVE',
    bank_type: 'OTHERS',
    success_time: new Date(success_time),
    amount: { total, currency, payer_total: total },
    refunds: [],
    last_refund_time: null,
    acceptance: null,
  }
}

function storedRefund(mchid: string, record: DayRefund): object {
  const { kind: _kind, refund_id, refund, settlement_refund, accepted_time, success_time, ...rest } = record
  return {
    _id: `${mchid}/${rest.out_refund_no}`,
    mchid,
    ...rest,
    order_id: `${mchid}/${rest.out_trade_no}`,
    revision: 2,
    origin: 'api',
    amount: { refund, total: refund, currency: 'CNY' },
    facts: {
      ...{ refund_id, settlement_refund, channel: 'ORIGINAL', payer_refund: refund, user_received_account: '零钱' },
      accepted_time: new Date(accepted_time),
      success_time: success_time && new Date(success_time),
    },
  }
}
