/** Loaded before a member of the troupe (`--import`): its clock is `WEFT_CHAOS_AHEAD_MS` ahead of everybody's. */
const RealDate = globalThis.Date
const ahead_ms = Number(process.env.WEFT_CHAOS_AHEAD_MS)

globalThis.Date = class Date extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + ahead_ms)
    else super(...given)
  }

  static now() {
    return RealDate.now() + ahead_ms
  }
}
