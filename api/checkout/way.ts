import type { TradeType } from '../../domain/merchant/product.ts'
import type { ProblemCode } from '../http/catalogue.ts'
import type { BrowserKind } from './agent.ts'

/** What a payer is told to do where the page cannot be paid as it is opened. `ask_shop`: nothing else is left. */
export const advices = ['open_in_wechat', 'open_in_browser', 'scan_elsewhere', 'scan_link', 'ask_shop'] as const
export type Advice = (typeof advices)[number]

/** Why a way that the merchant has set up is not offered: WeChat refused it, or this payer cannot be told apart. */
export const way_obstacles = ['refused', 'no_address'] as const
export type WayObstacle = (typeof way_obstacles)[number]

/** Way is how one pays where the page is opened: by an order of this method right here, or by following an advice. */
export type Way =
  | { trade_type: TradeType; advice: null; obstacle: null }
  | { trade_type: null; advice: Advice; obstacle: WayObstacle | null }

interface WayRule {
  /** what this browser pays by */
  here: TradeType | null
  /** what else there is, the best first: the method that an advice leads to, and the advice */
  otherwise: readonly (readonly [TradeType, Advice])[]
}

const on_a_computer: WayRule = {
  here: 'NATIVE',
  otherwise: [
    ['JSAPI', 'scan_link'],
    ['MWEB', 'scan_link'],
  ],
}

/**
 * Only WeChat on a phone has the bridge that JSAPI needs: not on a computer, and not in a mini program's web-view. H5
 * leads from a phone's own browser into WeChat, and fails in the web-view of an app. A code is never on the screen of the
 * phone that would have to scan it.
 */
const rules: Record<BrowserKind, WayRule> = {
  desktop: on_a_computer,
  wechat_desktop: on_a_computer,
  wechat: {
    here: 'JSAPI',
    otherwise: [
      ['MWEB', 'open_in_browser'],
      ['NATIVE', 'scan_elsewhere'],
    ],
  },
  phone: {
    here: 'MWEB',
    otherwise: [
      ['JSAPI', 'open_in_wechat'],
      ['NATIVE', 'scan_elsewhere'],
    ],
  },
  mini_program: {
    here: null,
    otherwise: [
      ['JSAPI', 'open_in_wechat'],
      ['MWEB', 'open_in_browser'],
      ['NATIVE', 'scan_elsewhere'],
    ],
  },
  app: {
    here: null,
    otherwise: [
      ['JSAPI', 'open_in_wechat'],
      ['MWEB', 'open_in_browser'],
      ['NATIVE', 'scan_elsewhere'],
    ],
  },
}

/** The methods that a sale may be paid by, and what stands in the way of some of them. */
export interface OfferedMethods {
  methods: readonly TradeType[]
  obstacles: Partial<Record<TradeType, WayObstacle>>
}

/** How one pays in this kind of browser. */
export function wayToPay(kind: BrowserKind, { methods, obstacles }: OfferedMethods): Way {
  const isOpen = (method: TradeType) => methods.includes(method) && obstacles[method] === undefined
  const { here, otherwise } = rules[kind]
  if (here !== null && isOpen(here)) return { trade_type: here, advice: null, obstacle: null }
  const obstacle = here !== null && methods.includes(here) ? (obstacles[here] ?? null) : null
  const [, advice] = otherwise.find(([method]) => isOpen(method)) ?? [null, 'ask_shop' as const]
  return { trade_type: null, advice, obstacle }
}

/**
 * Why a payer is back on the page and cannot pay yet: WeChat did not say who he is, his browser did not keep what he was
 * sent with, he has to ask WeChat for the whole page first, the page needs scripts for that, or no order could be made: at
 * the moment, or ever.
 */
export const errand_results = ['failed', 'not_kept', 'visitor', 'no_script', 'not_placed', 'not_payable'] as const
export type ErrandResult = (typeof errand_results)[number]

/** What passes while the payer waits: he presses again. Any other problem keeps him from an order until the shop acts. */
export const passing_problems: readonly ProblemCode[] = ['rate_limited', 'unavailable', 'internal']
