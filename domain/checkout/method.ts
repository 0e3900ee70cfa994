import { fittingApp } from '../order/method.ts'
import type { ChosenApp, TradeType } from '../order/method.ts'
import type { MerchantRecord } from '../merchant/record.ts'

/** What of a merchant decides which of its apps a page pays as. */
export type PageMerchant = Pick<MerchantRecord, 'appids' | 'apps'>

/**
 * The app as whose page a checkout is paid by this method; null: there is none. In WeChat it is an official account whose
 * secret is here, since the page has to ask by it who the payer is.
 */
export function pageApp({ appids, apps = [] }: PageMerchant, trade_type: TradeType): ChosenApp | null {
  if (trade_type !== 'JSAPI') return fittingApp({ appids, apps }, trade_type)
  return apps.find(({ kind, secret }) => kind === 'official_account' && secret !== null) ?? null
}
