/** CallRecord is a call that was received, as the control side shows it. */
export interface CallRecord {
  /** RFC 3339 */
  time: string
  operation: string
  mchid: string
  out_trade_no: string | null
  out_refund_no: string | null
  /** SHA-256 of the body, hex: shows whether a repeat was the same bytes */
  body_sha256: string
  /** null when it was left unanswered */
  status: number | null
  /** WeChat Pay's code, when it was no success */
  code: string | null
  fault: string | null
}

const calls_kept = 10_000

/** CallLog keeps the latest 10,000 authenticated calls, in memory only. */
export class CallLog {
  #calls: CallRecord[] = []

  add(call: CallRecord): void {
    this.#calls.push(call)
    if (this.#calls.length >= 2 * calls_kept) this.#calls = this.#calls.slice(-calls_kept)
  }

  list(mchid: string, out_trade_no: string | null): CallRecord[] {
    return this.#calls
      .slice(-calls_kept)
      .filter((call) => call.mchid === mchid && (out_trade_no === null || call.out_trade_no === out_trade_no))
  }
}
