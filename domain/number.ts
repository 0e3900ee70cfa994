/** A merchant's order number as WeChat takes it (docs/wechat-pay.md §3.3). Unique per mchid, for ever. */
export const out_trade_no_pattern = /^[0-9A-Za-z_\-|*]{6,32}$/

/** A refund's number. `@` is WeChat's alphabet too, but Weft keeps it for the refunds it makes itself. */
export const out_refund_no_pattern = /^[0-9A-Za-z_\-|*@]{1,64}$/

export const mchid_pattern = /^[0-9]{8,32}$/
