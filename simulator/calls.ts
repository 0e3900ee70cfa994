/** A call that was received, as the control side tells it. */
export interface SeenCall {
  /** RFC 3339 */
  time: string
  operation: string
  mchid: string
  out_trade_no: string | null
  out_refund_no: string | null
  /** SHA-256 of the body, hex: whether a repeat really was the same bytes */
  body_sha256: string
  /** null when it was left unanswered */
  status: number | null
  /** WeChat Pay's code, when it was no success */
  code: string | null
  fault: string | null
}

const kept = 10_000

/** The latest authenticated calls, in memory only. */
export class Calls {
  #calls: SeenCall[] = []

  add(call: SeenCall): void {
    this.#calls.push(call)
    if (this.#calls.length >= 2 * kept) this.#calls = this.#calls.slice(-kept)
  }

  list(mchid: string, out_trade_no: string | null): SeenCall[] {
    return this.#calls
      .slice(-kept)
      .filter((call) => call.mchid === mchid && (out_trade_no === null || call.out_trade_no === out_trade_no))
  }
}
