/** What the checkout page shows: the order's state, seen by the person who pays. */
export const scenes = [
  'preparing',
  'waiting',
  'confirming',
  'paid',
  'fulfilled',
  'expired',
  'closed',
  'failed',
  'review',
  'late',
  'refunding',
  'refunded',
] as const
export type Scene = (typeof scenes)[number]
