/** What the checkout page shows: the order's state and its money, seen by the person who pays. */
export const scenes = [
  'ready',
  'advised',
  'preparing',
  'waiting',
  'tap',
  'elsewhere',
  'again',
  'in_shop',
  'stale',
  'confirming',
  'paid',
  'accepted',
  'fulfilled',
  'expired',
  'closed',
  'failed',
  'review',
  'late',
  'refunding',
  'returning',
  'delayed',
  'part_refunded',
  'refunded',
] as const
export type Scene = (typeof scenes)[number]

/** Scenes before the order has ended or its money has come. */
export const open_scenes: readonly Scene[] = [
  'ready',
  'advised',
  'preparing',
  'waiting',
  'tap',
  'elsewhere',
  'again',
  'in_shop',
  'stale',
  'confirming',
]
/** Scenes in which more may happen by itself. */
export const moving_scenes: readonly Scene[] = [
  ...open_scenes,
  'paid',
  'accepted',
  'review',
  'late',
  'refunding',
  'returning',
  'delayed',
]
/** Scenes with time left to pay in. */
export const payable_scenes: readonly Scene[] = open_scenes.filter((scene) => scene !== 'confirming')
/** Scenes of a checkout in which its payer decides to pay right here: an order is made then, or opened once more. */
export const choosing_scenes: readonly Scene[] = ['ready', 'tap', 'elsewhere', 'again']
/** Scenes in which WeChat Pay may be asked whether it was paid. */
export const checkable_scenes: readonly Scene[] = ['waiting', 'tap', 'elsewhere', 'in_shop', 'stale', 'confirming']
/** Scenes with a dead code where the code was. */
export const faded_scenes: readonly Scene[] = ['stale', 'confirming', 'expired', 'closed']
/** Scenes in which the payer has nothing more to do here, or nothing that he can do here. */
export const leavable_scenes: readonly Scene[] = scenes.filter(
  (scene) => scene === 'in_shop' || scene === 'advised' || !open_scenes.includes(scene),
)
/** Scenes after which whoever still wants the goods orders them again. */
export const over_scenes: readonly Scene[] = ['expired', 'closed', 'failed']
